"""What a manifest asks for, compared with what is declared: the steps that would make them equal.

Every path that brings a manifest in (`diff`, `plan`, `apply`, `init`, hot reload, rollback) calls
this one function; a dry run differs in what is done with the answer, not in how it is found.
Steps come in the order in which they are taken: moves, prunes (dependants first), what happens in
place, restarts, and what is new (dependencies first). Nothing but the owner's own processes is
ever pruned, and only when the caller asks for it (`pruning` has the rules).
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence

from msgspec import Struct, field

from pmon3_schema import graph
from pmon3_schema.equivalence import put_like
from pmon3_schema.process import ProcessSpec
from pmon3_schema.replicas import earlier_names
from pmond.core.difference import pending, step_for, steps_of_move
from pmond.core.model import CLI, Replica
from pmond.core.replicas import meant
from pmond.core.step import (
    ADOPT,
    CREATE,
    MOVE,
    PRUNE,
    RESTART,
    START,
    UPDATE,
    CompareOptions,
    Existing,
    Step,
)

_NO_REPLICAS: Mapping[str, Replica] = {}
_ORDER = (MOVE, PRUNE, ADOPT, UPDATE, RESTART, START, CREATE)


class Conflict(Struct, frozen=True):
    """A name that somebody else owns."""

    name: str
    owner: str
    place: str


class Note(Struct, frozen=True):
    """Something a reader of the plan should know that is no difference."""

    code: str
    name: str
    message: str


class Comparison(Struct, frozen=True):
    """The steps in the order in which they are taken, and what stands in their way."""

    steps: tuple[Step, ...]
    conflicts: tuple[Conflict, ...]
    unchanged: int
    notes: tuple[Note, ...] = ()
    kept: tuple[str, ...] = ()
    """The owner's processes that it no longer declares and that are not pruned."""
    owned: int = 0
    """How many entries the owner had, however many processes each stands for."""
    declared: int = 0
    pruned: int = 0
    replicas: Mapping[str, Replica] = _NO_REPLICAS
    """By name, of the processes that an entry stands for together."""
    surplus: frozenset[str] = frozenset()
    """What is pruned because its entry stands for fewer now."""


class _Comparing(Struct):
    steps: list[Step] = field(default_factory=list)
    conflicts: list[Conflict] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    surplus: set[str] = field(default_factory=set)
    pruned: set[str] = field(default_factory=set)
    unchanged: int = 0


def compare(
    specs: Iterable[ProcessSpec],
    existing: Mapping[str, Existing],
    options: CompareOptions,
    replicas: Mapping[str, Replica] = _NO_REPLICAS,
) -> Comparison:
    """Compare the specs of one owner with what is declared.

    `replicas`: by name, which of the specs are some of several that one entry stands for.
    """
    declared = {spec.name: spec for spec in specs}
    moved = dict(_moves(declared, existing, options, replicas))
    work = _Comparing()
    for new, old in moved.items():
        work.steps += steps_of_move(existing[old], declared[new], options)
    entries = {_entry_name(name, replicas) for name in declared}
    work.conflicts += _claimed(declared, existing, options, replicas, {*moved.values()})
    gone = [n for n, one in existing.items() if one.owner == options.owner and n not in declared]
    for name in (name for name in gone if name not in moved.values()):
        if existing[name].entry in entries:
            _drop(work, name, existing[name])
        elif not options.partial:
            _leave(work, name, existing[name], options)
    for name, spec in declared.items():
        present = existing.get(name)
        if present is not None and _is_the_same(present, spec, options):
            work.unchanged += 1
        elif name not in moved:
            _bring(work, present, spec, options)
    return Comparison(
        tuple(_in_order(work.steps, existing, _names_by_entry(existing, replicas))),
        tuple(work.conflicts),
        work.unchanged,
        (*work.notes, *_scaled(replicas)),
        tuple(work.kept),
        owned=len({one.entry or name for name, one in existing.items() if one.owner == options.owner}),
        declared=len(entries),
        pruned=len(work.pruned),
        replicas=replicas,
        surplus=frozenset(work.surplus),
    )


def _scaled(replicas: Mapping[str, Replica]) -> Iterator[Note]:
    """What there is more or less of than the manifest says, because a person wants it so."""
    for replica in replicas.values():
        if replica.index == 0 and replica.scaled:
            name, said = replica.entry.name, replica.entry.replicas
            text = f"{name} is scaled to {replica.count} instead of {'one' if said is None else said}"
            yield Note("scaled", name, f"{text}; pmon3 unhold {name} goes back")


def _entry_name(name: str, replicas: Mapping[str, Replica]) -> str:
    return replicas[name].entry.name if name in replicas else name


def _is_the_same(present: Existing, spec: ProcessSpec, options: CompareOptions) -> bool:
    """Whether there is plainly nothing to say: of thousands, this is what most of them are."""
    return (
        present.spec is spec
        and present.owner == options.owner
        and not (present.outdated or present.held or present.staged)
        and spec.name not in options.forced
    )


def _moves(
    declared: Mapping[str, ProcessSpec],
    existing: Mapping[str, Existing],
    options: CompareOptions,
    replicas: Mapping[str, Replica],
) -> Iterator[tuple[str, str]]:
    """(new name, old name) of what is only called something else; each old name moves once."""
    taken: set[str] = set()
    for name, spec in declared.items():
        if name in existing:
            continue
        for earlier in _earlier_names(name, spec, replicas):
            old = existing.get(earlier)
            if old is None or earlier in declared or earlier in taken:
                continue
            said = earlier == spec.renamed_from
            if old.owner == options.owner or (said and _may_take(old, options, None)) or _takes(old, options):
                taken.add(earlier)
                yield name, earlier
                break


def _earlier_names(name: str, spec: ProcessSpec, replicas: Mapping[str, Replica]) -> Iterator[str]:
    replica = replicas.get(name)
    if replica is None:
        return earlier_names(spec, None)
    return earlier_names(replica.entry, replica.index if replica.count else None)


def _takes(present: Existing, options: CompareOptions) -> bool:
    """What somebody else has becomes the owner's, whatever it is."""
    return (
        options.take_over
        or present.owner in options.predecessors
        or (present.owner == CLI and options.take_submitted)
    )


def _claimed(
    declared: Mapping[str, ProcessSpec],
    existing: Mapping[str, Existing],
    options: CompareOptions,
    replicas: Mapping[str, Replica],
    moved: Container[str],
) -> Iterator[Conflict]:
    """A name that means all replicas of an entry means nothing of anybody else."""
    theirs = {one.entry: one for one in existing.values() if one.entry and one.owner != options.owner}
    told: set[str] = set()
    for name in declared if theirs or replicas else ():
        entry = _entry_name(name, replicas)
        other = existing.get(entry) if entry != name else None
        if other is None or other.owner == options.owner or entry in moved:
            other = theirs.get(entry)
        if other is None or entry in told or other.spec.name in moved or other.spec.name in declared:
            continue
        told.add(entry)
        yield Conflict(entry, other.owner, str(other.place))


def _drop(work: _Comparing, name: str, present: Existing) -> None:
    """There are to be fewer of it: that is no pruning, as it is declared still."""
    work.surplus.add(name)
    work.steps.append(Step(PRUNE, name, "stop", causes=(f"{present.entry} has fewer replicas",)))


def _leave(work: _Comparing, name: str, present: Existing, options: CompareOptions) -> None:
    """The owner no longer declares it: prune it, or say why it stays."""
    protection = present.spec.prune
    if protection is True and options.prune:
        work.pruned.add(present.entry or name)
        work.steps.append(Step(PRUNE, name, "stop", causes=("it is no longer declared",)))
        return
    work.kept.append(name)
    if protection is False:
        work.notes.append(
            Note("protected", name, f"{name} is no longer declared, but protected (prune: false)")
        )
    elif protection == "confirm":
        text = f"{name} is no longer declared and waits for pmon3 approve {name} (prune: confirm)"
        work.notes.append(Note("confirm", name, text))
    else:
        work.notes.append(Note("orphan", name, f"{name} is no longer declared; --prune deletes it"))


def _bring(work: _Comparing, present: Existing | None, spec: ProcessSpec, options: CompareOptions) -> None:
    if present is None:
        effect = "start" if spec.autostart and not spec.schedule.wanted else "none"
        work.steps.append(Step(CREATE, spec.name, effect, causes=("it is new",), spec=spec))
        return
    step = step_for(present, put_like(spec, present.spec, options.implied), options)
    if present.owner != options.owner and not _may_take(present, options, step):
        work.conflicts.append(Conflict(spec.name, present.owner, str(present.place)))
    elif step is None:
        work.unchanged += 1
    else:
        work.steps.append(step)
    _note_pending(work, present, spec, step, options)
    if present.held and spec.autostart:
        text = f"{spec.name} is held: stopped by a person; pmon3 unhold {spec.name} lets it start"
        work.notes.append(Note("held", spec.name, text))


def _note_pending(
    work: _Comparing, present: Existing, spec: ProcessSpec, step: Step | None, options: CompareOptions
) -> None:
    """A restart that was put off, and that this does not bring either."""
    if step is not None and step.action == RESTART:
        return
    missing = pending(present.earlier, spec, options.implied)
    if missing:
        fields = ", ".join(change.path for change in missing)
        why = " (on_change: none)" if spec.on_change == "none" else ""
        work.notes.append(Note("pending", spec.name, f"{spec.name} waits for a restart: {fields}{why}"))


def _may_take(present: Existing, options: CompareOptions, step: Step | None) -> bool:
    """Processes of the command line go to a manifest that says the same, or that was told to."""
    if options.take_over or present.owner in options.predecessors:
        return True
    same = step is None or step.action == ADOPT
    return present.owner == CLI and (options.take_submitted or same)


def _names_by_entry(
    existing: Mapping[str, Existing], replicas: Mapping[str, Replica]
) -> Mapping[str, Sequence[str]]:
    """The names of all processes of each entry, before and after."""
    found: dict[str, list[str]] = {}
    for name, one in existing.items():
        if one.entry:
            found.setdefault(one.entry, []).append(name)
    for name, replica in replicas.items():
        if name not in existing:
            found.setdefault(replica.entry.name, []).append(name)
    return found


def _in_order(
    steps: Sequence[Step], existing: Mapping[str, Existing], by_entry: Mapping[str, Sequence[str]]
) -> Iterator[Step]:
    """The steps by kind, each kind in dependency order (prunes in the reverse), with their waves."""
    wave = 0
    for action in _ORDER:
        of_kind = {step.name: step for step in steps if step.action == action}
        needs = {
            name: meant((step.spec or existing[name].spec).needs, by_entry) for name, step in of_kind.items()
        }
        layers = graph.layers(of_kind, needs)
        left = set(of_kind).difference(*layers)
        layers += [sorted(left)] if left else []  # a cycle, which is refused elsewhere
        for layer in reversed(layers) if action == PRUNE else layers:
            for name in layer:
                yield Step(
                    action, name, of_kind[name].effect, of_kind[name].changes, of_kind[name].causes,
                    of_kind[name].spec, of_kind[name].moved_from, wave,
                )  # fmt: skip
            wave += 1
