"""Ends holds and suspensions whose time is over: one deadline, that of the earliest of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from msgspec.structs import replace

from pmond.runtime.base.journal import Journal
from pmond.runtime.intent.registry import Registry
from pmond.runtime.intent.sets import Sets
from pmond.runtime.supervise.bus import HOLDS, Bus

_LONGEST_SLEEP = 3600.0
"""Seconds; the wall clock may be set meanwhile."""
_RETRY_SECONDS = 30.0


class HoldExpiry:
    """Looks when a hold or a suspension was laid or lifted, and when the next one ends."""

    def __init__(
        self, registry: Registry, sets: Sets, bus: Bus, journal: Journal, resumed: Callable[[str], None]
    ) -> None:
        """`resumed`: told the name of a set that takes new content again."""
        self._registry = registry
        self._sets = sets
        self._bus = bus
        self._journal = journal
        self._resumed = resumed
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """End what is over, and what will be."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        with self._bus.watch(frozenset({HOLDS})) as changes:
            while True:
                await changes.wait(self._end_some())

    def _end_some(self) -> float:
        """End what is over; seconds until the next look."""
        now = datetime.now(UTC)
        over = [(name, is_set) for at, name, is_set in self._ends() if at <= now]
        try:
            for name, is_set in over:
                self._end_suspension(name) if is_set else self._end_hold(name)
        except Exception as error:
            self._journal.warn("hold.not_ended", message=str(error))
            return _RETRY_SECONDS
        later = ((at - now).total_seconds() for at, _, _ in self._ends())
        return max(0.0, min(later, default=_LONGEST_SLEEP))

    def _ends(self) -> Iterator[tuple[datetime, str, bool]]:
        for name, one in self._registry.processes.items():
            if one.hold is not None and one.hold.until:
                yield datetime.fromisoformat(one.hold.until), name, False
        for record in self._sets.all():
            until = record.suspended["until"] if record.suspended is not None else None
            if until:
                yield datetime.fromisoformat(until), record.set_name, True

    def _end_hold(self, name: str) -> None:
        one = self._registry.processes[name]
        with self._registry.edit(f"the end of the hold of {name}") as edit:
            edit.put(replace(one, hold=None, generation=one.generation + 1))
        self._journal.event("hold.ended", name=name)

    def _end_suspension(self, name: str) -> None:
        with self._registry.edit(f"the end of the suspension of {name}") as edit:
            self._sets.suspend(edit, name, None)
        self._journal.event("suspension.ended", set=name)
        self._resumed(name)
