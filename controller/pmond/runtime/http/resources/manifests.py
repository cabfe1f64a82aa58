"""Manifests: to apply, to compare, and the one that pmond follows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from msgspec.structs import replace

from pmon3_schema.answers import Applied, Initialised, Plan, Targets
from pmon3_schema.manifest import ManifestFile
from pmon3_schema.protocol import Apply, Document, Init, Reconcile
from pmond.core.model import Intent
from pmond.core.rollout import RolloutOptions
from pmond.core.step import CompareOptions
from pmond.runtime.access.principal import Principal
from pmond.runtime.http.call import Call
from pmond.runtime.http.visibility import Visibility
from pmond.runtime.intent.applier import Applier
from pmond.runtime.intent.apply_order import ApplyOrder
from pmond.runtime.intent.commands import Commands, target
from pmond.runtime.intent.ownership import Ownership
from pmond.runtime.intent.registry import Registry
from pmond.runtime.intent.sets import Sets
from pmond.runtime.intent.sources import Sources
from pmond.runtime.views.publishing import hold_json


class ManifestResource:
    """Brings manifests in, or says what that would do. `look_again`: at all processes, at once."""

    def __init__(
        self,
        registry: Registry,
        commands: Commands,
        applier: Applier,
        sets: Sets,
        ownership: Ownership,
        sources: Sources,
        visibility: Visibility,
        look_again: Callable[[], None],
    ) -> None:
        self._registry = registry
        self._commands = commands
        self._applier = applier
        self._sets = sets
        self._ownership = ownership
        self._sources = sources
        self._visibility = visibility
        self._look_again = look_again

    async def apply(self, call: Call[Apply]) -> Applied:
        body, order = call.body, self._order(call)
        self._ownership.check_content("apply", order.options.owner, call.peer)
        found = self._sets.with_choice(order.options.owner, _manifest_files(body.documents), call.peer.uid)
        reading = await self._applier.read(found, call.peer)
        if body.dry_run:
            plan = await self._applier.plan(found, reading, order)
            return {"plan": await self._visibility.plan(plan, call.peer), "targets": [], "revision": 0}
        applied = await self._applier.apply(found, reading, order)
        await asyncio.sleep(0)  # to bring thousands in was a turn's work of its own
        plan = await self._visibility.plan(applied.plan, call.peer)
        return {"plan": plan, "targets": applied.targets, "revision": applied.revision}

    async def plan(self, call: Call[Apply]) -> Plan:
        order = self._order(call)
        self._ownership.check_content("plan", order.options.owner, call.peer)
        given = _manifest_files(call.body.documents)
        found = self._sets.with_choice(order.options.owner, given, call.peer.uid)
        plan = await self._applier.plan(found, await self._applier.read(found, call.peer), order)
        return await self._visibility.plan(plan, call.peer)

    async def init(self, call: Call[Init]) -> Initialised:
        only_declared = call.body.process_config_only
        plan, names = await self._sources.init(required=only_declared)

        def concerned() -> Sequence[Intent]:
            every = self._registry.processes
            return [every[name] for name in every.keys() & names] if only_declared else [*every.values()]

        await asyncio.sleep(0)  # to look at thousands takes some milliseconds each time
        fresh, holds = await self._commands.release_holds(concerned, call.peer)
        await asyncio.sleep(0)
        meant = [one for one in concerned() if one.up]
        targets = {one.name: target(one) for one in meant} | {one["name"]: one for one in fresh}
        return {
            "plan": plan,
            "targets": list(targets.values()),
            "revision": 0,
            "lifted": [{"name": name, "hold": hold_json(hold)} for name, hold in holds.items()],
        }

    async def reconcile(self, call: Call[Reconcile]) -> Targets:
        await self._sources.reload()
        self._look_again()
        return {"targets": [target(one) for one in self._registry.processes.values() if one.up]}

    def _order(self, call: Call[Apply]) -> ApplyOrder:
        """What a caller asked for; of the process config file the same as if pmond read it itself."""
        order = order_of(call.body, call.peer)
        if order.options.owner != self._sources.owner:
            return order
        return replace(order, options=replace(order.options, predecessors=self._sets.predecessors()))


def _manifest_files(documents: Sequence[Document]) -> list[ManifestFile]:
    return [ManifestFile(one.path, one.text.encode("utf-8", "surrogateescape")) for one in documents]


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
        rollout=RolloutOptions(body.max_parallel, body.on_failure, body.patience),
        whole_entries=body.full,
    )
