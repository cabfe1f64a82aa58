"""Processor and memory of each process over the last hour, as the plots show them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from pmon3_schema.status import ProcessStatus

EVERY = 10.0
"""Seconds between two samples: what a plot of an hour on a screen can show."""
KEPT = 360


class UsageHistory:
    """The samples, by process; what no longer exists is forgotten."""

    def __init__(self) -> None:
        self._samples: dict[str, deque[tuple[float, float, int]]] = {}

    def take(self, rows: Iterable[ProcessStatus], now: float) -> dict[str, tuple[float, int]]:
        """Keep one sample of each; what changed since the last one, by process: percent and bytes."""
        before, self._samples = self._samples, {}
        changed = {}
        for row in rows:
            samples = before.get(row["name"]) or deque(maxlen=KEPT)
            percent, memory = round(row["cpu_percent"], 1), row["memory_bytes"]
            if not samples or samples[-1][1:] != (percent, memory):
                changed[row["name"]] = (percent, memory)
            samples.append((now, percent, memory))
            self._samples[row["name"]] = samples
        return changed

    def of(self, name: str) -> list[tuple[float, float, int]]:
        """Time, percent of a processor and bytes, oldest first."""
        return list(self._samples.get(name, ()))

    def added_to(self, rows: Iterable[ProcessStatus]) -> list[ProcessStatus]:
        """Rows with the figures of the last sample, where they run."""
        return [self._with_last(row) for row in rows]

    def _with_last(self, row: ProcessStatus) -> ProcessStatus:
        samples = self._samples.get(row["name"])
        if not samples or not row["pid"]:
            return row
        _, percent, memory = samples[-1]
        return {**row, "cpu_percent": percent, "memory_bytes": memory}
