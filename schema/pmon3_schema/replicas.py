"""Several processes from one entry: `web@0`, `web@1`, … instead of `web`.

Theory of operation: an entry with `replicas: N` stands for N processes that differ by their name and by what
`${REPLICA}` stands for in their fields. It is read, checked and kept as one entry; whoever declares it asks
`replica_of` for each process. `$${REPLICA}` is the text itself.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from pmon3_schema.process import REPLICA_FIELDS, ProcessSpec
from pmon3_schema.replica_text import mentions, template


def name_of(entry: str, index: int) -> str:
    """What one of them is called."""
    return f"{entry}@{index}"


def parse_name(name: str) -> tuple[str, int] | None:
    """The entry and the index that a name means, if it is one of a replica."""
    entry, at, index = name.rpartition("@")
    return (entry, int(index)) if at and entry and index.isascii() and index.isdecimal() else None


class Expansion:
    """The processes of one entry; what they have in common is looked at once."""

    def __init__(self, entry: ProcessSpec) -> None:
        self._entry = entry
        self._differing = {
            name: template(value) for name in REPLICA_FIELDS if mentions(value := getattr(entry, name))
        }

    def replica(self, index: int) -> ProcessSpec:
        """One of them."""
        return self._filled(name_of(self._entry.name, index), index)

    def empty(self) -> ProcessSpec:
        """What stands for them where there are none."""
        return self._filled(self._entry.name, 0)

    def _filled(self, name: str, index: int) -> ProcessSpec:
        values = {field: value(index) for field, value in self._differing.items()}
        return replace(self._entry, name=name, replicas=None, **values)


def earlier_names(entry: ProcessSpec, index: int | None) -> Iterator[str]:
    """Under which names a process may run that is this one now; None: the entry stands for itself.

    One that becomes the first of several goes on as that, and back; and so does what has another name now.
    """
    for earlier in filter(None, (entry.renamed_from, entry.name)):
        if index is None:
            if earlier != entry.name:
                yield earlier
            yield name_of(earlier, 0)
        else:
            if earlier != entry.name:
                yield name_of(earlier, index)
            if index == 0:
                yield earlier
