"""A share of the loop's time for work that somebody can make without end, one piece after the other."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from pmond.runtime.base import clock


class TimeShare:
    """Has pieces of work done in the order in which they were asked for.

    After each the others have their turn, for as long as leaves this work its `share` of the time; a
    piece that comes after a rest is done at once.
    """

    def __init__(self, share: float) -> None:
        self._rest = 1 / share - 1
        self._waiting: deque[Callable[[], None]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._next = 0.0

    def ask(self, work: Callable[[], None]) -> None:
        """Have it done as soon as its turn comes; what waits already is not asked for twice."""
        if work not in self._waiting:
            self._waiting.append(work)
        if self._timer is None:
            wait = max(0.0, self._next - clock.now())
            self._timer = asyncio.get_running_loop().call_later(wait, self._go_on)

    def _go_on(self) -> None:
        self._timer = None
        begun, work = clock.now(), self._waiting.popleft()
        try:
            work()
        finally:
            now = clock.now()
            self._next = now + (now - begun) * self._rest
            if self._waiting:
                self.ask(self._waiting[0])
