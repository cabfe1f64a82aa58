"""What the terminal UI asks of pmond.

Theory of operation: short questions are asked in a thread, since they block; streams are read in the loop,
when there is something to read. Everything that can go wrong is a `PmonError`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from pmon3.client import Client, Query, ResponseStream, path_segment
from pmon3.following import FollowedStream
from pmon3.log_lines import FrameReader

Process = dict[str, Any]

_LINES_BEFORE = "200"
"""Of a log, before what is new: some screens to scroll back."""


class Upstream:
    """The pmond behind one client."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def processes(self, measured: bool) -> list[Process]:
        """All of them; `measured`: with processor and memory figures."""
        query: Query = [("usage", "1")] if measured else []
        found: list[Process] = await asyncio.to_thread(self._client.get, "/v1/processes", query)
        return found

    async def describe(self, name: str) -> Process:
        """Everything about one."""
        found: Process = await asyncio.to_thread(self._client.get, f"/v1/processes/{path_segment(name)}")
        return found

    async def graph(self) -> dict[str, Any]:
        """Who needs whom."""
        found: dict[str, Any] = await asyncio.to_thread(self._client.get, "/v1/graph")
        return found

    async def act(self, verb: str, name: str) -> None:
        """Have it started, stopped or restarted; the events say how that goes."""
        await asyncio.to_thread(self._client.post, f"/v1/actions/{verb}", {"refs": [name]})

    async def changes(self) -> AsyncIterator[None]:
        """Once when it listens, then whenever something has happened, until pmond goes away."""
        stream = await self._opened("/v1/events", [("limit", "0"), ("follow", "1")])
        yield None
        async for _ in _pieces(stream):
            yield None

    async def log(self, name: str, position: int | None) -> AsyncIterator[tuple[int | None, bytes]]:
        """The end of a log and what comes, in pieces with their places; from `position`, if it is known."""
        lines = _LINES_BEFORE if position is None else f"@{position}"
        query = [("lines", lines), ("follow", "1"), ("positions", "1")]
        stream = await self._opened(f"/v1/logs/{path_segment(name)}", query)
        frames = FrameReader()
        async for data in _pieces(stream):
            for piece in frames.feed(data):
                yield piece

    async def _opened(self, path: str, query: Query) -> ResponseStream:
        return await asyncio.to_thread(self._client.stream, path, query)


async def _pieces(stream: ResponseStream) -> AsyncIterator[bytes]:
    """What a stream brings, as it comes."""
    followed = FollowedStream(stream)
    try:
        while (data := await followed.receive()) is not None:
            yield data
    finally:
        followed.close()
