"""Processor seconds as a counter: it never runs back within a run, and begins anew with the next one.

What a tree has used is known best by its control group. Where there is none, it is known by its living
processes and by the children that those have waited for; that forgets what an orphan used, once pmond has
reaped it. So the most that was seen of a run counts.
"""

from __future__ import annotations

from collections.abc import Set


class SpentTimes:
    """Remembers the most of each process; a run is told from others by its number."""

    def __init__(self) -> None:
        self._most: dict[str, tuple[int, float]] = {}

    def note(self, name: str, number: int, seconds: float) -> float:
        """So much was seen of this run now; what counts."""
        before, most = self._most.get(name, (0, 0.0))
        counted = max(seconds, most) if before == number else seconds
        self._most[name] = number, counted
        return counted

    def keep(self, names: Set[str]) -> None:
        """Forget all others."""
        for name in self._most.keys() - names:
            del self._most[name]
