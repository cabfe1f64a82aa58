"""How many there are of a process: more of it, fewer, one, or none.

Theory of operation: what there is of an entry is compared with what there is to be, as a manifest is that
says nothing else, and what differs is written down in one transaction: new ones, the highest numbers that go,
and the name of the first of several, which was the only one or will be. Programs that are there run on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct, field
from msgspec.structs import replace

from pmon3_schema.errors import ErrorCode, PmonError
from pmon3_schema.process import ProcessSpec, last_replica_problem
from pmon3_schema.scalars import MOST_REPLICAS
from pmon3_schema.status import Target
from pmond.core.compare import compare
from pmond.core.intent import bring_in, existing
from pmond.core.model import CLI, Hold, Intent, Replica
from pmond.core.replicas import replicas_of
from pmond.core.step import CompareOptions
from pmond.runtime.access.authority import Authority, Right
from pmond.runtime.access.principal import Principal
from pmond.runtime.base.clock import Clock
from pmond.runtime.intent.commands import target
from pmond.runtime.intent.edit import Drafted
from pmond.runtime.intent.process_rights import check_processes
from pmond.runtime.intent.quotas import check_quota, check_replicas
from pmond.runtime.intent.registry import Registry, not_found
from pmond.runtime.intent.request_spec import check_free


class ScaleResult(Struct, frozen=True):
    """What there is of processes once they have been scaled."""

    targets: list[Target] = field(default_factory=list)
    """All that are to run."""
    gone: list[Target] = field(default_factory=list)
    """Those that are being stopped, and then forgotten."""


class Replication:
    """Carries that out."""

    def __init__(self, registry: Registry, clock: Clock, authority: Callable[[], Authority]) -> None:
        self._registry = registry
        self._clock = clock
        self._authority = authority

    def scale(self, counts: Mapping[str, int], peer: Principal) -> ScaleResult:
        """Have so many of each, together or not at all. Raises PmonError.

        For what a manifest declares that is laid over it, as a hold is, until `restore`.
        """
        changes = [self._change(name, count, peer) for name, count in counts.items()]
        return self._carry_out(changes, peer)

    def restore(self, chosen: Sequence[Intent], peer: Principal) -> ScaleResult:
        """Have as many as their manifests say of all whose replicas are chosen together."""
        by_entry: dict[str, list[Intent]] = {}
        for one in chosen:
            if one.replica is not None and one.replica.scaled and one.owner != CLI:
                by_entry.setdefault(one.entry_name, []).append(one)
        whole = {name: there for name, there in by_entry.items() if len(there) == len(self._of(name))}
        changes = []
        for there in whole.values():
            assert there[0].replica is not None
            changes.append(_Rescaling(there[0].replica.entry, there[0].replica.entry.replicas, there))
        return self._carry_out(changes, peer) if changes else ScaleResult()

    def _change(self, name: str, count: int, peer: Principal) -> _Rescaling:
        there = self._of(name)
        if not there:
            raise not_found(name, {one.entry_name: one for one in self._registry.processes.values()})
        if not 0 <= count <= MOST_REPLICAS:
            why = f"cannot scale {name} to {count}: there are 0 to {MOST_REPLICAS} of a process"
            raise PmonError(ErrorCode.BAD_REQUEST, why, "write another number")
        check_processes("scale", Right.OPERATE, there, peer, self._authority())
        first = there[0]
        entry = first.replica.entry if first.replica is not None else first.spec
        if entry.exit_on_end and count != 1:
            why = f"cannot scale {name}: with its end pmond ends (exit_on_end)"
            raise PmonError(ErrorCode.CONFLICT, why, "there is one of it")
        if entry.replicas is None and count == 1:
            return _Rescaling(entry, None, there)
        wanted = replace(entry, replicas=count)
        check_replicas([wanted], self._registry.processes, peer, self._authority())
        if problem := last_replica_problem(wanted):
            raise PmonError(ErrorCode.INVALID, f"cannot scale {name} to {count}: {problem}", "take fewer")
        if first.owner == CLI:
            entry = wanted
        return _Rescaling(entry, count, there)

    def _of(self, name: str) -> list[Intent]:
        """What there is of an entry."""
        found = [one for one in self._registry.processes.values() if one.entry_name == name]
        return [one for one in found if not one.deleting]

    def _carry_out(self, changes: Sequence[_Rescaling], peer: Principal) -> ScaleResult:
        before = self._registry.processes
        drafted = self._registry.draft()
        for change in changes:
            self._write(drafted, change, peer)
        staying = {name: one for name, one in before.items() if name not in drafted.renamed}
        check_quota(before, staying | drafted.put_processes, peer, self._authority())
        drafted.settle(before)
        what = f"the number of {', '.join(change.entry.name for change in changes)}"
        self._registry.carry_out(drafted, what, lambda edit: None)
        after = [one for change in changes for one in self._registry.processes.values()
                 if one.entry_name == change.entry.name]  # fmt: skip
        return ScaleResult(
            [target(one) for one in after if one.up_in_turn], [target(one) for one in after if one.deleting]
        )

    def _write(self, drafted: Drafted, change: _Rescaling, peer: Principal) -> None:
        first = change.there[0]
        options = CompareOptions(first.owner, partial=True, restart=False)
        specs, replicas = change.wanted
        before = {one.name: one for one in change.there}
        comparison = compare(specs, existing(before, {}), options, replicas)
        others = {name: one for name, one in self._registry.processes.items() if name not in before}
        check_free(change.entry.name, specs, others)
        places = {spec.name: first.place for spec in specs}
        brought = bring_in(comparison, before, places, options, trusted=first.trusted)
        for old, name in brought.moved.items():
            drafted.rename(before[old], name)
        for intent in brought.intents.values():
            if intent.id:
                drafted.put(intent)
                continue
            up = Hold(up=True, by=peer.user, at=self._clock.wall())
            new = drafted.put(replace(intent, hold=None if intent.spec.autostart else up, asked_by=peer.user))
            drafted.set_groups(new.id, frozenset(), self._registry.group_ids(first.id))


class _Rescaling(Struct, frozen=True):
    entry: ProcessSpec
    count: int | None
    """None: the entry stands for itself."""
    there: list[Intent]

    @property
    def wanted(self) -> tuple[list[ProcessSpec], dict[str, Replica]]:
        if self.count is None:
            return [self.entry], {}
        known = {one.replica.index: one for one in self.there if one.replica is not None}
        specs = list(replicas_of(self.entry, self.count, known))
        made = {spec.name: Replica(self.entry, index, self.count) for index, spec in enumerate(specs)}
        return specs, made
