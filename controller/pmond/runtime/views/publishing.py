"""The rows and descriptions that callers see, put together from what is wanted, seen and measured."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from pmon3_schema.answers import Description, Event, InstanceStatus, TreeMember
from pmon3_schema.bounds import ResourcesSpec
from pmon3_schema.equivalence import ImpliedValues, log_paths
from pmon3_schema.formats.export import exported, plain
from pmon3_schema.origins import positions
from pmon3_schema.process import ProcessSpec
from pmon3_schema.revision import SpecChange, mask
from pmon3_schema.status import Condition, HoldStatus, ProcessStatus, ReplicaStatus, Status
from pmond.core.blocked import blocked
from pmond.core.case import waits_for_restart
from pmond.core.difference import pending
from pmond.core.model import NOTHING_SEEN, Hold, Intent, Replica, State
from pmond.core.report import SPEC_CHANGED, Report, condition_values, exit_words
from pmond.runtime.base.clock import Clock, wall_after
from pmond.runtime.base.journal import Journal
from pmond.runtime.base.long_work import MANY, cooperative_map, in_thread_or_here
from pmond.runtime.files.log_files import LogFile
from pmond.runtime.intent.registry import Registry
from pmond.runtime.intent.sets import Sets
from pmond.runtime.processes.environment import User, find_user, other_user
from pmond.runtime.processes.failures import SpawnError
from pmond.runtime.processes.identity import Identity
from pmond.runtime.processes.instances import Instances, Running
from pmond.runtime.processes.launch import log_access
from pmond.runtime.processes.spawn import SpawnContext
from pmond.runtime.processes.usage import Usage, UsageSampler
from pmond.runtime.state.records import EventRecord
from pmond.runtime.state.store import Store
from pmond.runtime.supervise.loop import Loop
from pmond.runtime.views.change_times import ChangeTimes
from pmond.runtime.views.probe_json import probe_json
from pmond.runtime.views.process_tree import process_tree
from pmond.runtime.views.reporting import reported
from pmond.runtime.views.resource_conditions import resources_applied
from pmond.runtime.views.runs import RunList


class Publisher:
    """Answers what is there."""

    def __init__(
        self,
        registry: Registry,
        loop: Loop,
        instances: Instances,
        store: Store,
        runs: RunList,
        sets: Sets,
        change_times: ChangeTimes,
        context: Callable[[], SpawnContext],
        clock: Clock,
        journal: Journal,
        user: str,
        unkept: Callable[[ResourcesSpec], str],
        members: Callable[[Running], Collection[Identity]],
    ) -> None:
        """`user`: as whom a process runs that names nobody; `unkept`: limits that this host does not keep;
        `members`: all that lives of an instance.
        """
        self._unkept = unkept
        self._members = members
        self._runs = runs
        self._sets = sets
        self._change_times = change_times
        self._context = context
        self._registry = registry
        self._loop = loop
        self._instances = instances
        self._store = store
        self._clock = clock
        self._journal = journal
        self._user = user
        self._sampler = UsageSampler()

    async def origins(self, one: Intent) -> dict[str, str]:
        """Where each value of a process is written, as file:line; what is not there is a default."""
        # A thread for a large manifest, which has to be read again.
        many = len(self._registry.processes) >= MANY
        found = await in_thread_or_here(self._positions, one) if many else self._positions(one)
        return {field: f"{file}:{line}" for field, (file, line, _) in found.items()}

    def _positions(self, one: Intent) -> dict[str, tuple[str, int, int]]:
        return positions(self._sets.in_force(one.owner), one.place.file, one.entry_name)

    async def rows(self, chosen: list[Intent], usage: bool) -> list[ProcessStatus]:
        """The status objects of some processes."""
        measured = await self.measured(chosen) if usage else {}
        return await cooperative_map(chosen, lambda one: self._row_or_why_not(one, measured.get(one.name)))

    def _row_or_why_not(self, one: Intent, usage: Usage | None) -> ProcessStatus:
        try:
            return self.row(one, usage)
        except Exception as error:  # what is wrong with one, a kept value say, spoils no answer about all
            self._journal.error("row.failed", error, name=one.name)
            bare = replace(one, spec=ProcessSpec(file=one.spec.file, name=one.name, user=one.spec.user))
            why = f"internal error, cannot be shown: {type(error).__name__}: {error}"
            return self._composed(bare, NOTHING_SEEN, Report(Status.FAILED, why, False, None), None)

    def row(self, one: Intent, usage: Usage | None = None) -> ProcessStatus:
        """One status object; `usage` None: nothing is measured."""
        state = self._loop.observed.get(one.name, NOTHING_SEEN)
        return self._composed(one, state, self._explained(one.name), usage)

    def _explained(self, name: str) -> Report:
        """The report; of one that waits in vain, however far away who is in the way is, with who that is."""
        loop, now = self._loop, self._clock.now()
        seen = reported(loop, name, now)
        if seen.status is not Status.WAITING or seen.blocker:
            return seen
        way = blocked(name, loop.desired, loop.observed, now, loop.policy)
        return replace(seen, reason=way.reason) if way.by else seen

    def _composed(self, one: Intent, state: State, seen: Report, usage: Usage | None) -> ProcessStatus:
        loop, spec = self._loop, one.spec
        code, signal = exit_words(state)
        instance = state.instance
        return {
            "id": one.id,
            "name": one.name,
            "status": seen.status.word,
            "status_code": int(seen.status),
            "pid": instance.pid if instance is not None and instance.ended_at is None else 0,
            "restart_count": state.history.restart_count,
            "user": self.user_name(one),
            "cpu_percent": usage.cpu_percent if usage else 0.0,
            "memory_bytes": usage.memory_bytes if usage else 0,
            "started_at": self._at(instance.started_at) if instance is not None else None,
            "updated_at": self._change_times.of(one),
            "next_start_at": self._at(seen.next_start_at) if seen.next_start_at is not None else None,
            "next_run_at": self._next_run_at(one, state),
            "last_run": self._runs.last(one),
            "file": spec.file,
            "args": list(spec.args),
            "env_keys": sorted(spec.env_vars),
            "log": log_paths(spec, self._context().log_dir)[0],
            "dependencies": list(spec.needs),
            "groups": self._registry.groups_of(one),
            "labels": dict(spec.labels),
            "ready": seen.ready,
            "probe": probe_json(spec, instance, self._at),
            "replica": _replica_json(one.replica) if one.replica is not None else None,
            "owner": one.owner,
            "hold": hold_json(one.hold) if one.hold is not None else None,
            "generation": one.generation,
            "observed_generation": loop.decided.get(one.name, 0),
            "exit_code": code,
            "exit_signal": signal,
            "reason": seen.reason,
        }

    def _next_run_at(self, one: Intent, state: State) -> str | None:
        at = next_run(one, state)
        return None if at is None else self._at(at)

    async def describe(self, one: Intent) -> Description:
        """A row and what is behind it."""
        origins = await self.origins(one)
        return {
            **self.row(one, self._usage(one)),
            "declared_at": str(one.place),
            "origins": origins,
            "spec": plain(one.spec),
            "conditions": self._conditions(one),
            "pending": [mask(change).to_json() for change in self._pending(one)],
            "events": [event_json(event) for event in self._store.events(one.name, 20)],
            "instances": self._instance_list(one),
            "tree": self._tree(one),
        }

    def _tree(self, one: Intent) -> list[TreeMember]:
        running = self._instances.get(one.name)
        if running is None:
            return []
        try:
            return process_tree(running.pid, self._members(running))
        except OSError:  # nobody may look now
            return []

    def exported(self, one: Intent) -> dict[str, Any]:
        """Manifest data of a process, with its groups and its user as they are now.

        Of a replica it is that of all of them, as many as there are.
        """
        replica = one.replica
        spec = replace(replica.entry, replicas=replica.count) if replica is not None else one.spec
        return exported(spec, self.user_name(one), self._registry.groups_of(one))

    def log_files(self, one: Intent) -> tuple[str, str]:
        return log_paths(one.spec, self._context().log_dir)

    @property
    def log_owner(self) -> tuple[int, int] | None:
        """User and group that logs of pmond's own processes belong to, if those are others than its own."""
        return self._context().log_owner

    def logs(self, one: Intent) -> list[LogFile]:
        """Its log, and the separate one of standard error if there is one; of an unknown user none."""
        try:
            user = other_user(one.name, one.spec.user)
        except SpawnError:
            return []
        return [
            LogFile(Path(path), log_access(path, one.spec, user, self._context(), trusted=one.trusted))
            for path in dict.fromkeys(self.log_files(one))
        ]

    def user_name(self, one: Intent) -> str:
        """The user that a process runs as, as its spec calls it, or the daemon's own."""
        return one.spec.user or self._user

    def user_of(self, one: Intent) -> User | None:
        """The system user that a process runs as, if it is not the daemon's own and exists."""
        try:
            return find_user(one.name, one.spec.user) if one.spec.user else None
        except SpawnError:
            return None

    async def measured(self, chosen: Sequence[Intent]) -> dict[str, Usage]:
        """What the trees of those that run use."""
        roots = self._roots(chosen)
        if len(roots) < MANY:
            return self._sampler.sample(roots, self._clock.now()) if roots else {}
        # The sampler only replaces what it keeps, so that two samples at once do each other no harm.
        return await in_thread_or_here(self._sampler.sample, roots, self._clock.now())

    def _usage(self, one: Intent) -> Usage | None:
        roots = self._roots([one])
        return self._sampler.sample(roots, self._clock.now()).get(one.name) if roots else None

    def _roots(self, chosen: Sequence[Intent]) -> dict[str, Identity]:
        """Of those that run, the process at the top of each tree."""
        roots = {}
        for one in chosen:
            running = self._instances.get(one.name)
            if running is not None and not running.ended:
                roots[one.name] = running.identity
        return roots

    def _conditions(self, one: Intent) -> list[Condition]:
        loop = self._loop
        found = condition_values(one.name, loop.desired, loop.observed, self._clock.now(), loop.policy)
        bounds = resources_applied(one.spec.resources, self._instances.get(one.name), self._unkept)
        changed = self._change_times.of(one)
        fields = ", ".join(change.path for change in self._pending(one))
        hold = one.hold
        return [
            truth.published(
                hold.at if truth.type == "Held" and hold else changed,
                loop.decided.get(one.name, 0),
                f": {fields}" if truth.reason == SPEC_CHANGED and fields else "",
            )
            for truth in (*found, *bounds)
        ]

    def _pending(self, one: Intent) -> tuple[SpecChange, ...]:
        """What waits for a restart."""
        state, running = self._loop.observed.get(one.name, NOTHING_SEEN), self._instances.get(one.name)
        if running is None or not waits_for_restart(one, state):
            return ()
        return pending(running.spec, one.spec, ImpliedValues(self._user, self._context().log_dir))

    def _instance_list(self, one: Intent) -> list[InstanceStatus]:
        state: State = self._loop.observed.get(one.name, NOTHING_SEEN)
        instance = state.instance
        if instance is None:
            return []
        return [
            {
                "number": instance.number,
                "pid": instance.pid,
                "phase": instance.phase.name.lower(),
                "started_at": self._at(instance.started_at),
                "adopted": instance.adopted,
                "revision": instance.revision,
            }
        ]

    def _at(self, moment: float) -> str:
        """A moment of the loop's clock as wall-clock text."""
        return wall_after(moment - self._clock.now())


def next_run(one: Intent, state: State) -> float | None:
    """When the next run of a scheduled process begins, in seconds of the loop's clock."""
    timing = state.history.timing
    if not one.spec.schedule.wanted or not one.up or timing is None:
        return None
    return timing.start_at


def event_json(event: EventRecord) -> Event:
    """One event as callers see it."""
    return {
        "id": event.id,
        "time": event.at,
        "name": event.name,
        "reason": event.reason or event.type,
        "message": event.message,
        "fields": dict(event.fields),
    }


def hold_json(hold: Hold) -> HoldStatus:
    """A hold as callers see it."""
    return {"up": hold.up, "by": hold.by, "at": hold.at, "reason": hold.reason, "until": hold.until}


def _replica_json(replica: Replica) -> ReplicaStatus:
    return {
        "of": replica.entry.name,
        "index": replica.index,
        "count": replica.count,
        "declared": replica.entry.replicas,
    }
