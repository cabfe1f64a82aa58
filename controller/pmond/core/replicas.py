"""From entries to processes: which replicas there are to be, and which names an entry means.

Theory of operation: what is declared is an entry, what runs are processes. They are told apart once, before
anything is compared: from here on each replica is a process like any other, with its own intent, and
`Replica` says which entry it belongs to. How many there are is what the entry says, unless it was scaled;
that follows from the replicas that are there, so nothing else has to remember it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from msgspec import Struct

from pmon3_schema.equivalence import ImpliedValues, put_like
from pmon3_schema.process import ProcessSpec
from pmon3_schema.replicas import Expansion
from pmond.core.model import Intent, Replica

_NOTHING_IMPLIED = ImpliedValues()
_ANY_INDEX = 987_654
"""No entry has it in its text, so that what is the same for it is the same for all."""


class Expanded(Struct, frozen=True):
    """The processes that entries stand for, in order."""

    specs: tuple[ProcessSpec, ...]
    entries: tuple[ProcessSpec, ...]
    """The entry of each."""
    replicas: Mapping[str, Replica]
    """By name, of those that an entry stands for together."""


def expand(
    entries: Iterable[ProcessSpec],
    present: Mapping[str, Intent],
    owner: str,
    implied: ImpliedValues = _NOTHING_IMPLIED,
) -> Expanded:
    """The processes that the entries of an owner stand for, given what is there.

    An entry that only says in other words what is declared already (`put_like`) stays as it is there.
    """
    there = _by_entry(present.values(), owner)
    specs: list[ProcessSpec] = []
    of: list[ProcessSpec] = []
    replicas: dict[str, Replica] = {}
    for entry in entries:
        known = there.get(entry.name) or there.get(entry.renamed_from) or {}
        count = count_of(entry, known.values())
        kept = _as_it_is(entry, known.values(), implied)
        made = [entry] if count is None else list(replicas_of(kept, count, known))
        for index, spec in enumerate(made):
            specs.append(spec)
            of.append(entry)
            if count is not None:
                replicas[spec.name] = Replica(kept, index, count)
    return Expanded(tuple(specs), tuple(of), replicas)


def _as_it_is(entry: ProcessSpec, present: Iterable[Intent], implied: ImpliedValues) -> ProcessSpec:
    """The entry that is declared already, where all that it stands for would be the same."""
    before = next((one.replica.entry for one in present if one.replica is not None), None)
    if before is None or before == entry or (before.name, before.replicas) != (entry.name, entry.replicas):
        return entry
    old, new = (Expansion(one).replica(_ANY_INDEX) for one in (before, entry))
    return before if put_like(new, old, implied) is old else entry


def count_of(entry: ProcessSpec, present: Iterable[Intent]) -> int | None:
    """How many there are to be; None: the entry stands for itself."""
    scaled = (one.replica for one in present if one.replica is not None and one.replica.scaled)
    first = next(scaled, None)
    return first.count if first is not None else entry.replicas


def replicas_of(entry: ProcessSpec, count: int, present: Mapping[int, Intent]) -> Iterator[ProcessSpec]:
    """So many of them; what is there already, of the same entry, is not made again."""
    expansion = Expansion(entry)
    if count == 0:
        yield expansion.empty()
    for index in range(count):
        known = present.get(index)
        replica = known.replica if known is not None and not known.is_none else None
        if known is not None and replica is not None and replica.entry == entry:
            yield known.spec
        else:
            yield expansion.replica(index)


def names_by_entry(intents: Iterable[Intent]) -> dict[str, tuple[str, ...]]:
    """The names of the processes of each entry that stands for several, the lowest index first."""
    found: dict[str, list[tuple[int, str]]] = {}
    for one in intents:
        if one.replica is not None and not one.is_none and not one.deleting:
            found.setdefault(one.replica.entry.name, []).append((one.replica.index, one.name))
    return {entry: tuple(name for _, name in sorted(names)) for entry, names in found.items()}


def meant(names: Sequence[str], by_entry: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """The processes that names in a spec mean."""
    if not by_entry or not any(name in by_entry for name in names):
        return tuple(names)
    return tuple(one for name in names for one in by_entry.get(name, (name,)))


def _by_entry(present: Iterable[Intent], owner: str) -> dict[str, dict[int, Intent]]:
    found: dict[str, dict[int, Intent]] = {}
    for one in present:
        if one.replica is not None and one.owner == owner and not one.deleting:
            found.setdefault(one.replica.entry.name, {})[one.replica.index] = one
    return found
