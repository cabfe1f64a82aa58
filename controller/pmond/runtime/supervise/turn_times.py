"""How long turns of the loop took: what is published of that, and nothing else."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from itertools import accumulate

BOUNDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1.0)
"""Seconds. A turn gives way after 8 ms, and 20 ms is what a blocked loop may take at most."""


class TurnTimes:
    """A histogram in seconds since pmond started."""

    def __init__(self) -> None:
        self.seconds = 0.0
        """All of them together."""
        self._counts = [0] * (len(BOUNDS) + 1)

    def note(self, seconds: float) -> None:
        """One turn took so long."""
        self.seconds += seconds
        self._counts[bisect_left(BOUNDS, seconds)] += 1

    @property
    def count(self) -> int:
        """How many turns there were."""
        return sum(self._counts)

    def at_most(self) -> Iterator[tuple[float, int]]:
        """For each bound how many took that long or less."""
        return zip(BOUNDS, accumulate(self._counts), strict=False)
