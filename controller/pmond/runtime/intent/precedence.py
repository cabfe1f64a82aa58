"""What root's manifest declares gets its names and its set, whoever had them.

Theory of operation: names of processes and of sets are one space for all users of a machine, and whoever
comes first has them; but nobody is to stand in the way of who owns pmond with that. So before his manifest is
compared with what is declared, the way is cleared of what users without his rights have in it. A process of
theirs goes on under NAME~USER, as it runs, and what else they run depends on it under that name. Where the
set itself was theirs, their processes leave it. All of that is values: it happens with the manifest, or not
at all.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence

from msgspec import Struct, field
from msgspec.structs import replace

from pmon3_schema.process import ProcessSpec
from pmond.core.compare import Note
from pmond.core.free_name import free_name
from pmond.core.model import CLI, NOWHERE, Intent
from pmond.core.step import Existing
from pmond.runtime.access.authority import Authority
from pmond.runtime.intent.apply_order import ApplyOrder, CurrentState


class Cleared(Struct, frozen=True):
    """What is declared once the way is clear."""

    seen: CurrentState
    names: Mapping[str, str] = field(default_factory=dict)
    """Of processes that go on under another name, from the old to the new one."""
    changed: tuple[Intent, ...] = ()
    """The intents that differ by all that; those with new names first."""

    @property
    def notes(self) -> tuple[Note, ...]:
        """The same for whoever reads the plan."""
        users = {one.name: one.spec.user for one in self.changed}
        return tuple(
            Note("displaced", old, f"{old} of {users[new]} goes on as {new}")
            for old, new in self.names.items()
        )


def cleared(
    seen: CurrentState, specs: Sequence[ProcessSpec], order: ApplyOrder, authority: Authority
) -> Cleared:
    """The state that the manifest is compared with, and what leads there."""
    if not is_trusted(order, authority):
        return Cleared(seen)
    left = _left(seen, order, authority)
    processes = {**seen.processes, **left}
    takes_over = order.options.take_over  # then their processes are what he asks for
    names = {} if takes_over else dict(_displaced(processes, specs, order, authority))
    if not names and not left:
        return Cleared(seen)
    changed = {one.name: one for one in _renamed(processes, names)}
    changed |= {name: one for name, one in left.items() if name not in names and name not in changed}
    after = {name: one for name, one in processes.items() if name not in names} | changed
    observed = {names.get(name, name): state for name, state in seen.observed.items()}
    run_specs = {names.get(name, name): one for name, one in seen.run_specs.items()}
    now = replace(seen, processes=after, observed=observed, run_specs=run_specs)
    return Cleared(now, names, tuple(changed.values()))


def is_trusted(order: ApplyOrder, authority: Authority) -> bool:
    """Whether whoever asks for it has pmond's own rights, and whoever wrote it had."""
    asks = order.peer is None or authority.is_owner(order.peer)
    return asks and (order.author is None or authority.owns(order.author))


def comparable(
    present: Mapping[str, Existing],
    cleared_way: Cleared,
    specs: Sequence[ProcessSpec],
    order: ApplyOrder,
    authority: Authority,
) -> Mapping[str, Existing]:
    """What an owner's manifest is compared with: nothing of others that it does not declare.

    It could only be made another by being renamed, and would run on as what it was.
    """
    processes = cleared_way.seen.processes
    if not is_trusted(order, authority) or all(one.trusted for one in processes.values()):
        return present
    declared = {spec.name for spec in specs}
    ours = {order.options.owner, *order.options.predecessors}
    return {
        name: one
        for name, one in present.items()
        if name in declared or one.owner in ours or processes[name].trusted
    }


def _left(seen: CurrentState, order: ApplyOrder, authority: Authority) -> dict[str, Intent]:
    """The processes of others in a set that was theirs: they belong to no set any more."""
    if seen.record is None or authority.owns(seen.record.uid):
        return {}
    return {
        name: replace(one, owner=CLI, undeclared=False, place=NOWHERE)
        for name, one in seen.processes.items()
        if one.owner == order.options.owner and not one.trusted
    }


def _displaced(
    processes: Mapping[str, Intent], specs: Sequence[ProcessSpec], order: ApplyOrder, authority: Authority
) -> Iterable[tuple[str, str]]:
    taken = processes.keys() | {spec.name for spec in specs}
    ours = {order.options.owner, *order.options.predecessors}
    for spec in specs:
        one = processes.get(spec.name)
        if one is None or one.trusted or one.owner in ours:
            continue
        same_user = authority.uid_of(one.spec.user) == authority.uid_of(spec.user)
        if same_user and one.owner == CLI and not one.deleting:
            continue  # what its user submitted by command a manifest takes over, as it does from anybody
        new = free_name(one.name, one.spec.user, taken)
        taken.add(new)
        yield spec.name, new
    yield from _displaced_replicas(processes, {spec.name for spec in specs}, taken, ours)


def _displaced_replicas(
    processes: Mapping[str, Intent], names: Container[str], taken: set[str], ours: Container[str]
) -> Iterable[tuple[str, str]]:
    """Replicas keep their numbers: what they are called together gets another name."""
    found: dict[str, str] = {}
    for one in processes.values():
        entry = one.entry_name
        if one.replica is None or entry not in names or one.trusted or one.owner in ours:
            continue
        if entry not in found:
            found[entry] = free_name(entry, one.spec.user, taken)
            taken.add(found[entry])
        yield one.name, found[entry] + one.name.removeprefix(entry)


def _renamed(processes: Mapping[str, Intent], names: Mapping[str, str]) -> Iterable[Intent]:
    """Those with new names, and what depends on them."""
    users = {old: processes[old].spec.user for old in names}
    for old, new in names.items():
        one = processes[old]
        if one.replica is not None:
            entry = replace(one.replica.entry, name=new.removesuffix(f"@{one.replica.index}"))
            one = replace(one, replica=replace(one.replica, entry=entry))
        yield one.with_spec(_following(replace(one.spec, name=new), names, users))
    for name, one in processes.items():
        if name not in names and not one.trusted and one.spec.user in users.values():
            spec = _following(one.spec, names, users)
            if spec is not one.spec:
                yield one.with_spec(spec)


def _following(spec: ProcessSpec, names: Mapping[str, str], users: Mapping[str, str]) -> ProcessSpec:
    """The spec with the new names of what it depends on, as far as that is the same user's."""
    if not any(users.get(needed.name) == spec.user for needed in spec.dependencies):
        return spec
    needs = tuple(
        replace(needed, name=names[needed.name]) if users.get(needed.name) == spec.user else needed
        for needed in spec.dependencies
    )
    return replace(spec, dependencies=needs)
