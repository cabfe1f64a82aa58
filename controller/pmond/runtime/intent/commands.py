"""The verbs: what a caller wants of processes, written down as intent.

Theory of operation: a verb changes records only, in one transaction, and answers with targets;
what follows is the loop's. `stop` lays a hold over the spec, `start` and `restart` lift it and
ask for a new instance by counting the token up, `delete` marks the process for the loop to stop
and forget. Who may do what is decided here, where the process and the caller are both known.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from pmon3_schema.errors import ErrorCode, PmonError
from pmon3_schema.process import ProcessSpec
from pmon3_schema.protocol import Selection
from pmon3_schema.replicas import Expansion
from pmon3_schema.status import FINAL, Target
from pmond.core.facts import Reset, RestartAsked
from pmond.core.intent import held
from pmond.core.model import CLI, NOTHING_SEEN, Hold, Intent
from pmond.core.replicas import expand
from pmond.core.report import report
from pmond.runtime.access.authority import Authority, Right
from pmond.runtime.access.principal import Principal
from pmond.runtime.base.clock import Clock
from pmond.runtime.base.long_work import cooperative_map
from pmond.runtime.intent.bulk_change import Choose, change_all
from pmond.runtime.intent.edit import Edit
from pmond.runtime.intent.process_rights import Submission, check_process, check_processes
from pmond.runtime.intent.quotas import check_groups, check_quota, check_replicas
from pmond.runtime.intent.registry import Registry
from pmond.runtime.intent.request_spec import check_dependencies, check_free, read_spec
from pmond.runtime.intent.sets import Sets
from pmond.runtime.supervise.loop import Loop


class Commands:
    """Carries out verbs for callers."""

    def __init__(
        self, registry: Registry, loop: Loop, sets: Sets, clock: Clock, authority: Callable[[], Authority]
    ) -> None:
        self._registry = registry
        self._loop = loop
        self._sets = sets
        self._clock = clock
        self._authority = authority

    async def act(
        self, verb: str, selection: Selection, peer: Principal, force: bool, changes: dict[str, Any]
    ) -> list[Target]:
        """Do one verb to the selected processes. Raises PmonError; then nothing was changed."""
        choose = partial(self._chosen, verb, selection, peer)
        match verb:
            case "start" | "restart":
                return await self._start(choose, peer, changes, counted=verb == "restart")
            case "stop":
                return await self._stop(choose, peer, force)
            case "kill":
                return await self._stop(lambda: [one for one in choose() if self._goes_on(one)], peer, force)
            case "delete" | "drop":
                return await self._delete(choose, force)
            case _:
                return await self._reset(choose())

    def _chosen(self, verb: str, selection: Selection, peer: Principal) -> list[Intent]:
        chosen = self._registry.select(selection, deleting=verb in {"delete", "drop", "kill"})
        if verb in {"start", "restart"}:
            chosen = _existing(chosen, verb, named=not selection.all or bool(selection.refs))
        right = Right.DELETE if verb in {"delete", "drop"} else Right.OPERATE
        if not selection.all or selection.refs:
            check_processes(verb, right, chosen, peer, self._authority())
            return chosen
        may = self._authority().over_users(peer, right)
        return [one for one in chosen if may(one.spec.user)]

    def submit(self, data: dict[str, Any], cwd: str, peer: Principal, replace_running: bool) -> list[Target]:
        """Add a process of the command line, or change one, and start it."""
        spec = read_spec(data, cwd)
        spec = Submission(peer, self._authority()).completed(spec)
        if spec.replicas is not None or self._replicas_of(spec.name):
            return self._submit_replicas(spec, peer)
        present = self._registry.processes.get(spec.name)
        if present is not None:
            self._check_replace(spec, present, peer, replace_running)
        if self._trusted(peer):  # nobody else learns from us what is in folders that are closed to him
            self._check_program(spec)
        check_dependencies([spec], self._registry.processes)
        self._check_quota([Intent(spec, trusted=self._trusted(peer))], peer)
        with self._registry.edit(f"process {spec.name}") as edit:
            if present is None:
                one = edit.put(Intent(spec, trusted=self._trusted(peer), asked_by=peer.user))
            else:
                again = self._started(present.with_spec(spec), peer)
                one = edit.put(replace(again, trusted=self._trusted(peer)))
            self._set_groups(edit, one, spec.groups)
        return [target(one)]

    def _submit_replicas(self, entry: ProcessSpec, peer: Principal) -> list[Target]:
        """Several at once, where there are none yet."""
        if entry.name in self._registry.processes or self._replicas_of(entry.name):
            why = f"cannot start {entry.name}: there is a process of that name, or replicas of it"
            raise PmonError(ErrorCode.CONFLICT, why, f"pmon3 scale {entry.name}=N, or pmon3 del {entry.name}")
        if self._trusted(peer):
            self._check_program(entry)
        check_replicas([entry], self._registry.processes, peer, self._authority())
        made = expand([entry], {}, CLI)
        check_free(entry.name, made.specs, self._registry.processes)
        check_dependencies(made.specs, self._registry.processes)
        new = [
            Intent(spec, trusted=self._trusted(peer), asked_by=peer.user, replica=made.replicas[spec.name])
            for spec in made.specs
        ]
        self._check_quota(new, peer)
        with self._registry.edit(f"process {entry.name}") as edit:
            put = [edit.put(one) for one in new]
            for one in put:
                self._set_groups(edit, one, entry.groups)
        return [target(one) for one in put if one.up]

    def _replicas_of(self, name: str) -> list[Intent]:
        return [one for one in self._registry.processes.values() if one.replica and one.entry_name == name]

    def _check_quota(self, changed: Sequence[Intent], peer: Principal) -> None:
        before = self._registry.processes
        after = before | {one.name: one for one in changed}
        check_quota(before, after, peer, self._authority())
        check_groups([one.spec for one in changed], self._registry.groups, peer, self._authority())

    async def release_holds(
        self, candidates: Choose, peer: Principal
    ) -> tuple[list[Target], dict[str, Hold]]:
        """`init`: start what was stopped, has failed or is not up, each as if it were new.

        Also answers the stops that persons had made and that are lifted by that.
        """
        lifted: dict[str, Hold] = {}

        def stopped() -> list[Intent]:
            return [one for one in candidates() if self._is_down(one)]

        def write(edit: Edit, chosen: Sequence[Intent]) -> list[Intent]:
            lifted.clear()
            holds = ((one.name, one.hold) for one in chosen)
            lifted.update((name, hold) for name, hold in holds if hold is not None and not hold.up)
            return [self._start_one(edit, one, one, peer) for one in chosen]

        if not stopped():
            return [], {}
        fresh = await change_all(self._registry, "the start of stopped processes", stopped, write)
        return list(map(target, fresh)), lifted

    async def _start(
        self, choose: Choose, peer: Principal, changes: dict[str, Any], counted: bool
    ) -> list[Target]:
        def write(edit: Edit, chosen: Sequence[Intent]) -> list[Intent]:
            changed = {one.name: one for one in self._all_changed(chosen, changes, peer)} if changes else {}
            if changed:
                specs = [one.spec for one in changed.values()]
                check_dependencies(specs, dict(self._registry.processes))
                self._check_quota(list(changed.values()), peer)
            return [self._start_one(edit, one, changed.get(one.name, one), peer) for one in chosen]

        started = await change_all(self._registry, "the start of processes", choose, write)
        if counted:
            await self._tell_all(RestartAsked, started)
        return list(map(target, started))

    def _start_one(self, edit: Edit, one: Intent, changed: Intent, peer: Principal) -> Intent:
        new = edit.put(self._started(changed, peer))
        if new.spec.groups != one.spec.groups:
            self._set_groups(edit, new, new.spec.groups)
        return new

    def _all_changed(
        self, chosen: Sequence[Intent], changes: Mapping[str, Any], peer: Principal
    ) -> Iterator[Intent]:
        """What they are with the changes. Replicas change together: it is their entry that does."""
        if "replicas" in changes:
            raise PmonError(
                ErrorCode.BAD_REQUEST, "cannot start: it changes `replicas`", "pmon3 scale does that"
            )
        entries: dict[str, ProcessSpec] = {}
        of_entry = Counter(one.entry_name for one in chosen)
        for one in chosen:
            if one.replica is None:
                spec = self._changed(one.spec, one, changes, peer)
                yield self._respecified(one, spec, peer)
                continue
            name, there = one.entry_name, self._loop.desired.named(one.entry_name)
            if of_entry[name] < len(there):
                why = f"cannot change {one.name}: it is one of {len(there)} that are declared together"
                raise PmonError(ErrorCode.CONFLICT, why, f"change {name}, all of them")
            if name not in entries:
                entries[name] = self._changed(one.replica.entry, one, changes, peer)
            replica = replace(one.replica, entry=entries[name])
            spec = Expansion(replica.entry).replica(replica.index)
            yield replace(self._respecified(one, spec, peer), replica=replica)

    def _changed(
        self, before: ProcessSpec, one: Intent, changes: Mapping[str, Any], peer: Principal
    ) -> ProcessSpec:
        merged = {**before.to_record(), **changes}
        if changes.get("no_auto_restart") is False and before.restart.policy == "never":
            merged["restart"] = {key: v for key, v in merged.get("restart", {}).items() if key != "policy"}
        if changes.get("log_dir") and "log" not in changes:
            merged.pop("log", None)  # a full path would hide the folder that was asked for
        spec = read_spec(merged, before.cwd or "/")
        check_process("change", Right.CHANGE, one, peer, self._authority())
        return Submission(peer, self._authority()).completed(spec, may_end_pmond=before.exit_on_end)

    async def _stop(self, choose: Choose, peer: Principal, force: bool) -> list[Target]:
        def write(edit: Edit, chosen: Sequence[Intent]) -> list[Intent]:
            return [self._stop_one(edit, one, peer, force) for one in chosen]

        stopped = await change_all(self._registry, "the stop of processes", choose, write)
        await self._tell_all(Reset, stopped)
        return list(map(target, stopped))

    def _stop_one(self, edit: Edit, one: Intent, peer: Principal, force: bool) -> Intent:
        if one.hold is not None and not one.hold.up and not (force and not one.forced):
            return one
        hold = Hold(up=False, by=peer.user, at=self._clock.wall())
        return edit.put(replace(held(one, hold), forced=force))

    async def _delete(self, choose: Choose, force: bool) -> list[Target]:
        def write(edit: Edit, chosen: Sequence[Intent]) -> list[Intent]:
            self._sets.deleted(edit, chosen)
            return [
                edit.put(replace(one, deleting=True, forced=force, generation=one.generation + 1))
                for one in chosen
            ]

        return list(map(target, await change_all(self._registry, "the deletion of processes", choose, write)))

    async def _reset(self, chosen: Sequence[Intent]) -> list[Target]:
        await self._tell_all(Reset, chosen)
        self._loop.touch([one.name for one in chosen])
        return list(map(target, chosen))

    async def _tell_all(self, fact: Callable[[str], Reset | RestartAsked], chosen: Sequence[Intent]) -> None:
        def tell(one: Intent) -> None:
            if one.name in self._registry.processes:  # some may be gone before their turn comes
                self._loop.tell(fact(one.name))

        await cooperative_map(chosen, tell)

    def _check_replace(
        self, spec: ProcessSpec, present: Intent, peer: Principal, replace_running: bool
    ) -> None:
        check_process("replace", Right.CHANGE, present, peer, self._authority())
        if present.owner != CLI:
            raise PmonError(
                ErrorCode.CONFLICT,
                f"cannot start {spec.name}: {present.owner} declares a process of that name"
                f" ({present.place})",
                "choose another --name, or change it there",
            )
        if present.deleting:
            raise PmonError(
                ErrorCode.CONFLICT, f"cannot start {spec.name}: it is being deleted", "try again soon"
            )
        if (self._alive(present) or self._is_awaited(present)) and not replace_running:
            raise PmonError(
                ErrorCode.CONFLICT,
                f"cannot start {spec.name}: a process of that name is already running",
                "choose another --name, or use --replace",
            )

    def _check_program(self, spec: ProcessSpec) -> None:
        path = Path(spec.file)
        try:
            missing = path.is_absolute() and not path.exists()
        except OSError:
            missing = False  # it may be reachable as the user of the process; the start will tell
        if missing:
            raise PmonError(
                ErrorCode.INVALID, f"cannot start {spec.name}: {spec.file} does not exist", "correct the path"
            )

    def _set_groups(self, edit: Edit, one: Intent, names: Sequence[str]) -> None:
        wanted = frozenset(edit.group(name) for name in names)
        present = self._registry.group_ids(one.id)
        if wanted != present:
            edit.set_groups(one.id, present, wanted)

    def _respecified(self, one: Intent, spec: ProcessSpec, peer: Principal) -> Intent:
        # What somebody with fewer rights chose, a log say, is not opened with those of pmond.
        return replace(one.with_spec(spec), trusted=one.trusted and self._trusted(peer))

    def _started(self, one: Intent, peer: Principal) -> Intent:
        """It asks for a new instance, whatever was asked before."""
        up = Hold(up=True, by=peer.user, at=self._clock.wall())
        return replace(
            one,
            hold=None if one.spec.autostart else up,
            deferred=False,
            staged=False,
            deleting=False,
            forced=False,
            token=one.token + 1,
            asked_by=peer.user,
            generation=one.generation + 1,
        )

    def _alive(self, one: Intent) -> bool:
        return self._loop.observed.get(one.name, NOTHING_SEEN).instance is not None

    def _is_awaited(self, one: Intent) -> bool:
        """Somebody asked for it to be up a moment ago, and the loop has not come to it yet."""
        return one.up and self._loop.decided.get(one.name, 0) < one.generation

    def _goes_on(self, one: Intent) -> bool:
        """It runs, or will by itself: after a delay, or when a dependency does."""
        seen = report(one.name, self._loop.desired, self._loop.observed, self._clock.now(), self._loop.policy)
        return self._alive(one) or seen.status not in FINAL

    def _is_down(self, one: Intent) -> bool:
        if self._alive(one) or one.deleting or one.is_none:
            return False
        history = self._loop.observed.get(one.name, NOTHING_SEEN).history
        hold = one.hold
        held = hold is not None and not hold.up
        ended = history.ending is not None or bool(history.error)
        succeeded = history.exit is not None and history.exit.code in one.spec.restart.success_exit_codes
        return held or (ended and not succeeded)

    def _trusted(self, peer: Principal) -> bool:
        return self._authority().is_owner(peer)


def _existing(chosen: list[Intent], verb: str, *, named: bool) -> list[Intent]:
    """Those that there is something of. Raises PmonError where one is named of which there is nothing."""
    none = next((one for one in chosen if one.is_none), None)
    if none is not None and named:
        why = f"cannot {verb} {none.name}: it has 0 replicas"
        raise PmonError(ErrorCode.CONFLICT, why, f"pmon3 scale {none.name}=1")
    return [one for one in chosen if not one.is_none]


def target(one: Intent) -> Target:
    """What to wait for."""
    return {"name": one.name, "generation": one.generation, "token": one.token}
