"""One look at pmond for all who look at the page.

Theory of operation: it follows the events of pmond, by the only connection that stays open. A process that
an event names is asked for once, a moment later, so that many events about it are one question; what comes is
put into the queue of everybody who looks, in the form that the role allows. A queue that nobody empties is
given up. When pmond goes away everybody is told, and again when it is back.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from pmon3.client import Client
from pmon3.following import FollowedStream
from pmon3_schema.answers import Event
from pmon3_schema.errors import ErrorCode, PmonError
from pmon3_schema.masking import masked_event, masked_row
from pmon3_schema.status import ProcessStatus
from pmon3_web.access import PageRole
from pmon3_web.usage import EVERY, UsageHistory

MOST_STREAMS = 1000
"""Who look at once; more are refused."""
MOST_WAITING = 2000
"""Messages that somebody may be behind."""
_MOMENT = 0.05
"""Seconds between an event and the question for what it names."""
_ONE_BY_ONE = 20
"""Changed processes beyond which all are asked for at once."""
AGAIN = 1.0
"""Seconds before a pmond that does not answer is tried again."""


class Look:
    """Somebody who looks: messages for him, until `None`."""

    def __init__(self, role: PageRole) -> None:
        self.role = role
        self.messages: asyncio.Queue[bytes | None] = asyncio.Queue(MOST_WAITING)

    def put(self, message: bytes | None) -> bool:
        """Whether there was room for it."""
        try:
            self.messages.put_nowait(message)
        except asyncio.QueueFull:
            return False
        return True


class Hub:
    """Tells everybody who looks what changes. `client`: makes connections to pmond."""

    def __init__(self, client: Callable[[], Client]) -> None:
        self._client = client
        self._looks: set[Look] = set()
        self._changed: set[str] = set()
        self._asking: asyncio.Task[None] | None = None
        self.is_connected = False
        self.is_closed = False
        self._to_wake: set[Callable[[], object]] = set()
        self.usage = UsageHistory()

    async def run(self) -> None:
        """Follow pmond and take samples until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._follow())
            tasks.create_task(self._measure())

    def look(self, role: PageRole) -> Look | None:
        """Begin to look; None: too many do."""
        if len(self._looks) >= MOST_STREAMS:
            return None
        look = Look(role)
        self._looks.add(look)
        look.put(_message("hello", {"connected": self.is_connected}))
        return look

    def leave(self, look: Look) -> None:
        """Look no more."""
        self._looks.discard(look)

    @contextmanager
    def woken_at_the_end(self, wake: Callable[[], object]) -> Iterator[None]:
        """Call `wake` if the page ends meanwhile, for who waits for something else."""
        self._to_wake.add(wake)
        try:
            yield
        finally:
            self._to_wake.discard(wake)

    def close(self) -> None:
        """Send everybody away: the page ends."""
        self.is_closed = True
        for look in self._looks:
            look.put(None)
        for wake in self._to_wake:
            wake()

    async def _follow(self) -> None:
        # Always from now on: who looks asks for everything when pmond is back, and its ids may begin anew.
        while True:
            with suppress(PmonError):  # it is told below, and tried again
                query = [("follow", "1"), ("limit", "0")]
                opened = await asyncio.to_thread(self._client().stream, "/v1/events", query)
                stream = FollowedStream(opened)
                self._connection(True)
                try:
                    await self._hear(stream)
                finally:
                    stream.close()
            self._connection(False)
            await asyncio.sleep(AGAIN)

    async def _hear(self, stream: FollowedStream) -> None:
        events = EventReader()
        while (data := await stream.receive()) is not None:
            for event in events.feed(data):
                self._happened(event)

    def _connection(self, connected: bool) -> None:
        if connected != self.is_connected:
            self.is_connected = connected
            self.tell("pmond", lambda role: {"connected": connected})

    def _happened(self, event: Event) -> None:
        self.tell("event", lambda role: event if role.sees_secrets else masked_event(event))
        if event["name"]:
            self._changed.add(event["name"])
            if self._asking is None or self._asking.done():
                self._asking = asyncio.get_running_loop().create_task(self._ask())

    async def _ask(self) -> None:
        while self._changed:
            await asyncio.sleep(_MOMENT)
            names, self._changed = sorted(self._changed), set()
            try:
                rows, gone = await asyncio.to_thread(self._rows_of, names)
            except PmonError:
                if not self.is_connected:
                    return  # who looks asks for everything when pmond is back
                self._changed.update(names)
                await asyncio.sleep(AGAIN)
                continue
            for row in rows:
                self.tell("row", lambda role, row=row: shown(row, role))  # type: ignore[misc]
            if gone:
                self.tell("gone", lambda role: {"names": gone})  # noqa: B023 - called at once

    def _rows_of(self, names: list[str]) -> tuple[list[ProcessStatus], list[str]]:
        client = self._client()
        if len(names) > _ONE_BY_ONE:
            every = {row["name"]: row for row in client.get("/v1/processes")}
            return [every[name] for name in names if name in every], [n for n in names if n not in every]
        rows, gone = [], []
        for name in names:
            try:
                rows += [row for row in client.get("/v1/processes", [("ref", name)]) if row["name"] == name]
            except PmonError as error:
                if error.code is not ErrorCode.NOT_FOUND:
                    raise
                gone.append(name)
        return rows, gone

    async def _measure(self) -> None:
        while True:
            with suppress(PmonError):  # whoever follows says so
                await self._sample()
            await asyncio.sleep(EVERY)

    async def _sample(self) -> None:
        rows = await asyncio.to_thread(lambda: self._client().get("/v1/processes", [("usage", "1")]))
        changed = self.usage.take(rows, time.time())
        if changed:
            self.tell("usage", lambda role: changed)

    @property
    def looking(self) -> int:
        """How many look."""
        return len(self._looks)

    def tell(self, kind: str, what: Callable[[PageRole], Any]) -> None:
        """Put a message into every queue; `what` gives what a role may see of it."""
        made: dict[PageRole, bytes] = {}
        for look in list(self._looks):
            if look.role not in made:
                made[look.role] = _message(kind, what(look.role))
            if not look.put(made[look.role]):
                self._looks.discard(look)
                look.messages = asyncio.Queue(1)  # what it has not taken is for nobody
                look.put(None)


def shown(row: ProcessStatus, role: PageRole) -> ProcessStatus:
    """A row as this role may see it."""
    return row if role.sees_secrets else masked_row(row)


class EventReader:
    """Makes events of what pmond sends, in whatever pieces it comes."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[Event]:
        """Those that are whole now."""
        *whole, self._rest = (self._rest + data).split(b"\n\n")
        for block in whole:
            for line in block.split(b"\n"):
                if line.startswith(b"data: "):
                    yield json.loads(line[6:])


def _message(kind: str, data: Any) -> bytes:
    return f"event: {kind}\ndata: {json.dumps(data, separators=(',', ':'))}\n\n".encode()
