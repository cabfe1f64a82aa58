"""A raw HTTP client for tests, and a server to send to: bytes in, bytes out, every wait bounded."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from pmond.runtime.access.authority import Authority
from pmond.runtime.http.admission import ServerLimits
from pmond.runtime.http.server import Handler, Server

PATIENCE = 5.0
"""Seconds within which anything here is answered, or the test fails."""


OWN = Authority(os.geteuid())
"""That of a pmond of whoever runs the test."""


class Reports(list[tuple[str, str, BaseException]]):
    """What the server reported: identifier, where, exception."""

    def __call__(self, identifier: str, where: str, error: BaseException) -> None:
        self.append((identifier, where, error))


@contextlib.asynccontextmanager
async def serving(
    path: Path,
    handle: Handler,
    limits: ServerLimits | None = None,
    reports: Reports | None = None,
    authority: Authority = OWN,
) -> AsyncIterator[Server]:
    """A server on the socket file `path`; what it reports fails the test unless `reports` takes it."""
    taken = Reports() if reports is None else reports
    server = Server(handle, taken, lambda: authority, limits)
    await server.start(str(path), 0o666)
    try:
        yield server
    finally:
        await server.close(grace=0.2)
    if reports is None:
        assert not taken


class Wire:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def open(cls, path: Path) -> Wire:
        return cls(*await asyncio.open_unix_connection(str(path), limit=2**26))

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    def request(self, method: str, target: str, body: Any = None, *headers: str) -> None:
        content = b"" if body is None else json.dumps(body).encode()
        lines = [f"{method} {target} HTTP/1.1", "Host: pmond", *headers]
        if body is not None:
            lines.append(f"Content-Length: {len(content)}")
        self.send("\r\n".join([*lines, "", ""]).encode() + content)

    async def head(self) -> tuple[int, dict[str, str]]:
        text = await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), PATIENCE)
        first, *lines = text.decode().strip().split("\r\n")
        return int(first.split()[1]), dict(line.lower().split(": ", 1) for line in lines)

    async def answer(self) -> tuple[int, bytes]:
        """Status and body of the next answer that has a length."""
        status, headers = await self.head()
        body = self.reader.readexactly(int(headers["content-length"]))
        return status, await asyncio.wait_for(body, PATIENCE)

    async def chunk(self) -> bytes:
        """The next chunk of a chunked body; empty at its end."""
        size = int(await asyncio.wait_for(self.reader.readline(), PATIENCE), 16)
        return (await asyncio.wait_for(self.reader.readexactly(size + 2), PATIENCE))[:-2]

    async def rest(self) -> bytes:
        """Everything until the server hangs up."""
        try:
            return await asyncio.wait_for(self.reader.read(), PATIENCE)
        except ConnectionResetError:
            return b""

    async def close(self) -> None:
        self.writer.close()
        with contextlib.suppress(ConnectionError):
            await self.writer.wait_closed()


async def ask(path: Path, method: str, target: str, body: Any = None) -> tuple[int, Any]:
    """One request on a connection of its own: status and decoded body."""
    wire = await Wire.open(path)
    try:
        wire.request(method, target, body)
        status, content = await wire.answer()
    finally:
        await wire.close()
    return status, json.loads(content)
