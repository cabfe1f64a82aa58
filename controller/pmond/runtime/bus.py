"""Who waits for news: waiters for any change of some processes, subscribers for every event.

Everything happens on the loop, so nothing is locked; a slow subscriber loses the oldest news
rather than holding the daemon's memory.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Collection, Mapping
from typing import Any

_MOST_UNREAD = 1000


class Bus:
    """Tells changes and events."""

    def __init__(self) -> None:
        self._waiters: list[tuple[frozenset[str], asyncio.Future[None]]] = []
        self._subscribers: list[_Subscription] = []

    def changed(self, names: Collection[str]) -> None:
        """Wake those who wait for one of these processes."""
        if not self._waiters:
            return
        touched = set(names)
        left = []
        for waited, future in self._waiters:
            if future.done():
                continue
            if waited & touched:
                future.set_result(None)
            else:
                left.append((waited, future))
        self._waiters = left

    async def wait(self, names: frozenset[str], timeout: float) -> None:
        """Return when one of the processes changed, or after `timeout` seconds."""
        future = asyncio.get_running_loop().create_future()
        self._waiters.append((names, future))
        try:
            await asyncio.wait_for(future, timeout)
        except TimeoutError:
            return
        finally:
            self._waiters = [waiter for waiter in self._waiters if waiter[1] is not future]

    def publish(self, event: Mapping[str, Any]) -> None:
        for subscription in self._subscribers:
            subscription.put(event)

    def subscribe(self) -> AsyncIterator[Mapping[str, Any]]:
        """Events from now on."""
        subscription = _Subscription(self._subscribers)
        self._subscribers.append(subscription)
        return subscription


class _Subscription:
    """An iterator that is registered from its making on."""

    def __init__(self, registered: list[_Subscription]) -> None:
        self._registered = registered
        self._unread: deque[Mapping[str, Any]] = deque(maxlen=_MOST_UNREAD)
        self._more = asyncio.Event()

    def put(self, event: Mapping[str, Any]) -> None:
        self._unread.append(event)
        self._more.set()

    def __aiter__(self) -> _Subscription:
        return self

    async def __anext__(self) -> Mapping[str, Any]:
        try:
            while not self._unread:
                self._more.clear()
                await self._more.wait()
        except asyncio.CancelledError:
            await self.aclose()
            raise
        return self._unread.popleft()

    async def aclose(self) -> None:
        """Hear no more."""
        if self in self._registered:
            self._registered.remove(self)
