"""Who waits for news: watches for changes of some processes, subscribers for every event.

Everything happens on the loop, so nothing is locked; a slow subscriber loses the oldest news
rather than holding the daemon's memory.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator, Set
from contextlib import contextmanager

from pmon3_schema.answers import Event

_MOST_UNREAD = 1000


def set_key(name: str) -> str:
    """Under which changes of a set are told: no process has a slash in its name."""
    return f"/{name}"


HOLDS = "/"
"""Under which it is told that a hold or a suspension was laid or lifted."""


class ChangeWatch:
    """Which of some processes changed since that was last asked: a thousand of them cost one look each."""

    def __init__(self, names: Set[str]) -> None:
        self._names = names
        self._changed: set[str] = set()
        self._news = asyncio.Event()

    def include(self, names: Set[str]) -> None:
        """Note changes of these too from now on."""
        self._names |= names

    def note(self, names: Set[str]) -> None:
        """These changed; those that are not watched do not matter."""
        changed = self._names & names
        if changed:
            self._changed |= changed
            self._news.set()

    @property
    def unread(self) -> bool:
        """Whether any changed since that was last asked."""
        return bool(self._changed)

    async def wait(self, timeout: float) -> set[str]:
        """The names that changed, once there are any; none after `timeout` seconds."""
        try:
            await asyncio.wait_for(self._news.wait(), timeout)
        except TimeoutError:
            return set()
        changed, self._changed = self._changed, set()
        self._news.clear()
        return changed


class Bus:
    """Tells changes and events."""

    def __init__(self) -> None:
        self._watches: list[ChangeWatch] = []
        self._subscribers: list[Subscription] = []

    @property
    def listeners(self) -> int:
        """How many wait or follow now."""
        return len(self._watches) + len(self._subscribers)

    def changed(self, names: Set[str]) -> None:
        """Wake those who wait for one of these processes."""
        for watch in self._watches:
            watch.note(names)

    @contextmanager
    def watch(self, names: Set[str]) -> Iterator[ChangeWatch]:
        """Note the changes of these processes for as long as the block lasts."""
        changes = ChangeWatch(names)
        self._watches.append(changes)
        try:
            yield changes
        finally:
            self._watches.remove(changes)

    async def wait(self, names: Set[str], timeout: float) -> None:
        """Return when one of the processes changed, or after `timeout` seconds."""
        with self.watch(names) as changes:
            await changes.wait(timeout)

    def publish(self, event: Event) -> None:
        for subscription in self._subscribers:
            subscription.put(event)

    def subscribe(self) -> Subscription:
        """Events from now on."""
        subscription = Subscription(self._subscribers)
        self._subscribers.append(subscription)
        return subscription


class Subscription:
    """An iterator that is registered from its making on."""

    def __init__(self, registered: list[Subscription]) -> None:
        self._registered = registered
        self._unread: deque[Event] = deque(maxlen=_MOST_UNREAD)
        self._more = asyncio.Event()

    def put(self, event: Event) -> None:
        self._unread.append(event)
        self._more.set()

    def __aiter__(self) -> Subscription:
        return self

    async def __anext__(self) -> Event:
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
