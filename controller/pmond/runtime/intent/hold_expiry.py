"""Ends holds and suspensions whose time is over: one timer, for the earliest of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from msgspec.structs import replace

from pmon3_schema.errors import PmonError
from pmond.runtime.base.journal import Journal
from pmond.runtime.intent.registry import Registry
from pmond.runtime.intent.sets import Sets

_LONGEST_SLEEP = 3600.0
"""Seconds; the wall clock may be set meanwhile."""
_RETRY_SECONDS = 30.0


class HoldExpiry:
    """Looks when it is told that a hold or suspension changed, and when the next one ends."""

    def __init__(
        self, registry: Registry, sets: Sets, journal: Journal, resumed: Callable[[str], None]
    ) -> None:
        self._registry = registry
        self._sets = sets
        self._journal = journal
        self._resumed = resumed
        self._timer: asyncio.TimerHandle | None = None

    def look(self) -> None:
        """End what is over, and come back for the next."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        now = datetime.now(UTC)
        over = [(name, is_set) for at, name, is_set in self._ends() if at <= now]
        delay = _LONGEST_SLEEP
        try:
            for name, is_set in over:
                self._end_suspension(name) if is_set else self._end_hold(name)
        except PmonError as error:
            self._journal.warn("hold.not_ended", message=error.message)
            delay = _RETRY_SECONDS
        later = [(at - now).total_seconds() for at, _, _ in self._ends()]
        if later:
            delay = min(delay, *later) if delay == _LONGEST_SLEEP else delay
            self._timer = asyncio.get_running_loop().call_later(max(0.0, delay), self.look)

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
