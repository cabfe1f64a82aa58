"""What callers may ask of the daemon: `Control`, put together from the rooms that answer it."""

from __future__ import annotations

import asyncio
import os
import platform
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from pmon3_schema._version import __version__
from pmon3_schema.errors import ErrorCode, PmonError
from pmon3_schema.manifest import ManifestFile as ManifestDocument
from pmon3_schema.protocol import Apply, Document, Rollback, Selection, Wait
from pmon3_schema.status import Target
from pmond.core.compare import CompareOptions
from pmond.core.model import Intent
from pmond.runtime.access.authority import Authority, Right
from pmond.runtime.access.principal import Principal
from pmond.runtime.base.long_work import cooperative_map, in_thread
from pmond.runtime.files.log_files import LogFile
from pmond.runtime.intent.applier import Applier, ApplyOrder
from pmond.runtime.intent.commands import Commands, target
from pmond.runtime.intent.group_editor import GroupEditor
from pmond.runtime.intent.ownership import Ownership, check_set
from pmond.runtime.intent.registry import Registry
from pmond.runtime.intent.rollbacks import RollbackRequest, Rollbacks
from pmond.runtime.intent.sets import Sets
from pmond.runtime.intent.sources import Sources
from pmond.runtime.state.store import Store
from pmond.runtime.supervise.bus import Bus
from pmond.runtime.views.graph_view import graph_json
from pmond.runtime.views.publishing import Publisher, event_json, hold_json
from pmond.runtime.views.set_view import SetView
from pmond.runtime.views.waiter import Waiter

_API = 1
_EVENTS_READ = 10_000
_EXPORT_ORDERS: dict[str, Callable[[Intent], Any]] = {
    "id": lambda one: one.id,
    "name": lambda one: one.name,
    "created_at": lambda one: one.created_at,
    "updated_at": lambda one: one.updated_at,
    "log": lambda one: one.spec.log,
    "file": lambda one: one.spec.file,
    "process_file": lambda one: one.spec.file,
    "args": lambda one: one.spec.args,
    "user": lambda one: one.spec.user,
    "username": lambda one: one.spec.user,
}


class Services(Struct, frozen=True):
    """What is asked of pmond as a whole."""

    shutdown: Callable[[bool], None]
    """Told whether to stop the processes too."""
    upgrade: Callable[[], Awaitable[None]]
    doctor: Callable[[], Sequence[Mapping[str, Any]]]
    look_again: Callable[[], None]


class Controller:
    """One method per route; see `control.Control`."""

    def __init__(
        self,
        *,
        registry: Registry,
        commands: Commands,
        applier: Applier,
        group_editor: GroupEditor,
        sources: Sources,
        waiter: Waiter,
        publisher: Publisher,
        ownership: Ownership,
        sets: Sets,
        set_view: SetView,
        rollbacks: Rollbacks,
        bus: Bus,
        store: Store,
        about: Mapping[str, Any],
        log_dir: Callable[[], str],
        authority: Callable[[], Authority],
        services: Services,
    ) -> None:
        self._registry = registry
        self._commands = commands
        self._applier = applier
        self._group_editor = group_editor
        self._sources = sources
        self._waiter = waiter
        self._publisher = publisher
        self._ownership = ownership
        self._sets = sets
        self._set_view = set_view
        self._rollbacks = rollbacks
        self._bus = bus
        self._store = store
        self._about = about
        self._log_dir = log_dir
        self._authority = authority
        self._services = services

    def version(self) -> dict[str, Any]:
        return {
            "version": __version__,
            "api": _API,
            "pid": os.getpid(),
            "host": platform.node(),
            "process_config_file": self._sources.process_config_file,
            "log_dir": self._log_dir(),
            "degraded": self._store.degraded,
            **self._about,
        }

    async def list(self, selection: Selection, usage: bool) -> Sequence[Mapping[str, Any]]:
        return await self._publisher.rows(self._registry.select(selection), usage)

    async def describe(self, ref: str) -> dict[str, Any]:
        return await self._publisher.describe(self._registry.one(ref))

    def submit(self, spec: dict[str, Any], cwd: str, peer: Principal, replace: bool) -> Sequence[Target]:
        return self._commands.submit(spec, cwd, peer, replace)

    async def act(
        self, verb: str, selection: Selection, peer: Principal, *, force: bool, changes: dict[str, Any]
    ) -> Sequence[Target]:
        if verb in {"start", "restart"}:
            self._declare_missing(selection, peer)
        return await self._commands.act(verb, selection, peer, force, changes)

    def _declare_missing(self, selection: Selection, peer: Principal) -> None:
        """Names that only the process config file knows are taken from it, as the Go pmon3 does."""
        missing = [ref for ref in selection.refs if not self._is_known(ref)]
        for ref in missing:
            if self._authority().is_administrator(peer):
                self._sources.declare(ref)

    def _is_known(self, ref: str) -> bool:
        try:
            return bool(self._registry.resolve(ref))
        except PmonError:
            return False

    async def apply(self, body: Apply, peer: Principal) -> dict[str, Any]:
        order = self._order(body, peer)
        found = self._sets.with_choice(order.options.owner, _manifest_documents(body.documents))
        record = self._sets.get(order.options.owner)
        if record is not None:
            check_set("apply", record, peer, self._authority())
        reading = await self._applier.read(found)
        if body.dry_run:
            return {"plan": await self._applier.plan(found, reading, order), "targets": [], "revision": 0}
        applied = await self._applier.apply(found, reading, order)
        return {"plan": applied.plan, "targets": applied.targets, "revision": applied.revision}

    async def plan(self, body: Apply, peer: Principal) -> dict[str, Any]:
        order = self._order(body, peer)
        given = _manifest_documents(body.documents)
        found = self._sets.with_choice(order.options.owner, given)
        record = self._sets.get(order.options.owner)
        if record is not None and len(found) > len(given):
            # What was chosen may be secret, and whoever writes the documents can have it said.
            check_set("plan", record, peer, self._authority())
        return await self._applier.plan(found, await self._applier.read(found), order)

    def _order(self, body: Apply, peer: Principal) -> ApplyOrder:
        """What a caller asked for; of the process config file the same as if pmond read it itself."""
        order = order_of(body, peer)
        if order.options.owner != self._sources.owner:
            return order
        return replace(order, options=replace(order.options, predecessors=self._sets.predecessors()))

    async def hold(
        self, selection: Selection, peer: Principal, up: bool, reason: str, seconds: float | None
    ) -> Sequence[Target]:
        return await self._ownership.hold(selection, peer, up, reason, seconds)

    async def unhold(self, selection: Selection, peer: Principal) -> Sequence[Target]:
        return await self._ownership.unhold(selection, peer)

    async def release(self, selection: Selection, peer: Principal) -> Sequence[str]:
        return await self._ownership.release(selection, peer)

    async def approve(self, selection: Selection, peer: Principal) -> Sequence[Target]:
        return await self._ownership.approve(selection, peer)

    async def sets(self, peer: Principal) -> Sequence[dict[str, Any]]:
        return await self._set_view.all(peer)

    def history(self, name: str, limit: int) -> Sequence[dict[str, Any]]:
        return self._set_view.history(name or self._sources.owner, limit)

    def suspend(self, name: str, peer: Principal, reason: str, seconds: float | None) -> None:
        self._ownership.suspend(name, peer, reason, seconds)

    async def resume(self, name: str, peer: Principal) -> None:
        record = self._ownership.resume(name, peer)
        if record.set_name == self._sources.owner:
            await self._sources.reload()

    async def rollback(self, body: Rollback, peer: Principal) -> dict[str, Any]:
        record = self._ownership.controlled("roll back", body.set or self._sources.owner, peer)
        request = RollbackRequest(body.to, body.stable, body.dry_run, body.message)
        applied = await self._rollbacks.roll_back(record.set_name, request, peer)
        return {"plan": applied.plan, "targets": applied.targets, "revision": applied.revision}

    async def init(self, peer: Principal, process_config_only: bool) -> dict[str, Any]:
        plan, names = await self._sources.init(required=process_config_only)

        def concerned() -> Sequence[Intent]:
            every = self._registry.processes
            return (
                [every[name] for name in every.keys() & names] if process_config_only else [*every.values()]
            )

        await asyncio.sleep(0)  # to look at thousands takes some milliseconds each time
        fresh, holds = await self._commands.release_holds(concerned, peer)
        await asyncio.sleep(0)
        meant = [one for one in concerned() if one.up]
        targets = {one.name: target(one) for one in meant} | {one["name"]: one for one in fresh}
        lifted = [{"name": name, "hold": hold_json(hold)} for name, hold in holds.items()]
        return {"plan": plan, "targets": list(targets.values()), "revision": 0, "lifted": lifted}

    async def reconcile(self) -> Sequence[Target]:
        await self._sources.reload()
        self._services.look_again()
        return [target(one) for one in self._registry.processes.values() if one.up]

    async def wait(self, body: Wait, peer: Principal) -> dict[str, Any]:
        return await self._waiter.wait(
            body, lambda one: self._log_files(peer, one), lambda: self._set_view.set_status(body.set, peer)
        )

    def log_files(self, ref: str, peer: Principal) -> Sequence[LogFile]:
        one = self._registry.one(ref)
        self._commands.require(Right.READ_SECRETS, "read the log of", peer, one)
        return self._log_files(peer, one)

    def _log_files(self, peer: Principal, one: Intent) -> Sequence[LogFile]:
        """The logs of a process, as far as this caller may read them; none of somebody else's."""
        if not self._commands.may(peer, Right.READ_SECRETS, one):
            return []
        owners = None if self._authority().is_owner(peer) else self._owners(one)
        return [LogFile(Path(path), owners) for path in dict.fromkeys(self._publisher.log_files(one))]

    def _owners(self, one: Intent) -> frozenset[int]:
        """Whose files the logs of a process are: its user's, or who owns the logs of pmond's own."""
        authority = self._authority()
        uid = authority.uid_of(one.spec.user)
        given = self._publisher.context.log_owner
        if uid is None:
            return frozenset()
        return frozenset({uid, given[0]} if given is not None and uid in {0, authority.daemon_uid} else {uid})

    async def graph(self, process_config_only: bool) -> dict[str, Any]:
        if process_config_only:
            edges = await self._sources.edges()
        else:
            edges = {one.name: one.spec.needs for one in self._registry.select(Selection())}
        return await in_thread(graph_json, edges)

    async def export(self, order: str, selection: Selection, peer: Principal) -> dict[str, Any]:
        key = _EXPORT_ORDERS.get(order)
        if key is None:
            raise PmonError(
                ErrorCode.BAD_REQUEST,
                f"cannot order by {order!r}: there is no such field",
                f"one of {', '.join(_EXPORT_ORDERS)}",
            )
        found = sorted(self._registry.select(selection, deleting=False), key=key)
        return {"processes": await cooperative_map(found, self._publisher.exported)}

    def groups(self) -> Sequence[dict[str, Any]]:
        return self._group_editor.groups()

    def create_group(self, name: str) -> dict[str, Any]:
        return self._group_editor.create(name)

    async def delete_group(self, ref: str) -> None:
        await self._group_editor.delete(ref)

    async def describe_group(self, ref: str) -> dict[str, Any]:
        number = self._registry.group_id(ref)
        rows = await self._publisher.rows(self._registry.in_group(number), usage=True)
        return {"id": number, "name": self._registry.groups[number], "processes": rows}

    async def assign(self, groups: Sequence[str], refs: Sequence[str]) -> Sequence[str]:
        return await self._group_editor.change(groups, refs, add=True)

    async def remove(self, groups: Sequence[str], refs: Sequence[str]) -> Sequence[str]:
        return await self._group_editor.change(groups, refs, add=False)

    def events(self, since: int, name: str | None) -> Sequence[Mapping[str, Any]]:
        return [event_json(event) for event in self._store.events(name, _EVENTS_READ) if event.id > since]

    def subscribe(self) -> AsyncIterator[Mapping[str, Any]]:
        return self._bus.subscribe()

    def shutdown(self, stop_processes: bool) -> None:
        self._services.shutdown(stop_processes)

    async def upgrade(self) -> None:
        await self._services.upgrade()

    def doctor(self) -> Sequence[Mapping[str, Any]]:
        return self._services.doctor()


def _manifest_documents(documents: Sequence[Document]) -> list[ManifestDocument]:
    return [ManifestDocument(d.path, d.text.encode("utf-8", "surrogateescape")) for d in documents]


def order_of(body: Apply, peer: Principal) -> ApplyOrder:
    """What a caller asked for."""
    options = CompareOptions(
        owner=body.set or f"file:{body.documents[0].path}",
        prune=body.prune,
        prune_limit=body.prune_limit,
        allow_empty=body.allow_empty,
        take_over=body.take_ownership,
        forced=frozenset(body.restart),
    )
    return ApplyOrder(
        options,
        peer,
        message=body.message,
        commit=body.commit,
        if_version=body.if_version,
        expected=body.plan_digest,
        on_failure=body.on_failure,
        parallel=body.max_parallel,
        whole_entries=body.full,
    )
