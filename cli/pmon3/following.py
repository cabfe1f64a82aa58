"""A followed answer of pmond in an event loop, for clients that have one: the page and the terminal UI.

The commands have none, and do not import this: asyncio alone takes longer than most of them.
"""

from __future__ import annotations

import asyncio

from pmon3.client import ResponseStream
from pmon3_schema.errors import PmonError


class FollowedStream:
    """Reads an answer as it comes. Waits in the loop, not in a thread: hundreds may say nothing for days."""

    def __init__(self, stream: ResponseStream) -> None:
        self._stream = stream

    async def receive(self) -> bytes | None:
        """What has come; None at the end, which is also that of a pmond that was killed. May be cancelled."""
        while True:
            if not self._stream.is_ahead:
                await _readable(self._stream.fileno())
            try:
                data = self._stream.receive()
            except PmonError:
                return None
            if data is None or data:
                return data

    def close(self) -> None:
        """Follow no more."""
        self._stream.close()


async def _readable(descriptor: int) -> None:
    """Wait once: a reader that stays would be told of again while it reads, and reading then waits."""
    loop = asyncio.get_running_loop()
    ready = loop.create_future()

    def tell() -> None:
        if not ready.done():
            ready.set_result(None)

    loop.add_reader(descriptor, tell)
    try:
        await ready
    finally:
        loop.remove_reader(descriptor)
