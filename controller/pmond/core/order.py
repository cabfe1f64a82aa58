"""The queue order: what is started first, and what takes part in no dependency at all.

The loop needs no list to keep the order (each process waits for its own dependencies); people do,
to see in which waves a set of processes comes up. Names follow their order of declaration
wherever dependencies leave a choice, so the answer is the same each time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct

from pmon3_schema import graph


class StartOrder(Struct, frozen=True):
    """Who starts when."""

    waves: tuple[tuple[str, ...], ...]
    """The dependent ones in waves; each needs only names of earlier waves."""
    independent: tuple[str, ...]
    """Those that need nobody and are needed by nobody."""
    cycles: tuple[tuple[str, ...], ...]
    """``(a, b, a)``: these and what needs them can never start, and are in no wave."""

    @property
    def dependent(self) -> tuple[str, ...]:
        """Those that need somebody or are needed, what is needed first."""
        return tuple(name for wave in self.waves for name in wave)

    @property
    def queue(self) -> tuple[str, ...]:
        """All that can start, in order."""
        return self.dependent + self.independent


def order(dependencies: Mapping[str, Iterable[str]]) -> StartOrder:
    """The order of processes, given the dependencies of each name, in order of declaration.

    Dependencies on names that do not exist count for nothing here; they are diagnosed elsewhere.
    """
    needs = {
        name: tuple(need for need in needed if need in dependencies) for name, needed in dependencies.items()
    }
    needed = graph.dependents(needs)
    related = [name for name in needs if needs[name] or name in needed]
    return StartOrder(
        waves=tuple(tuple(layer) for layer in graph.layers(related, needs)),
        independent=tuple(name for name in needs if not needs[name] and name not in needed),
        cycles=tuple(tuple(cycle) for cycle in graph.cycles(related, needs)),
    )
