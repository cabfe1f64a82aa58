"""Probes over the network against real servers: what answers, what does not, and what is no answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from pmon3_schema.probes import HttpProbeSpec
from pmond.runtime.supervise.probes.network import try_http, try_tcp

Handle = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def serving(answer: bytes) -> AsyncIterator[int]:
    """A server that says this to everybody; its port."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


def answered(status: str, body: bytes = b"fine") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


@pytest.mark.parametrize(
    ("answer", "more", "passed", "message"),
    [
        (answered("200 OK"), {}, True, "HTTP 200"),
        (answered("302 Found"), {}, True, "HTTP 302"),
        (answered("503 Busy"), {}, False, "HTTP 503, not 200-399"),
        (answered("204 Gone"), {"status": "200"}, False, "HTTP 204, not 200"),
        (answered("200 OK"), {"body": "^fi"}, True, "HTTP 200"),
        (answered("200 OK", b"bad\x1b[31m"), {"body": "fine"}, False, "does not match fine: bad?[31m"),
        (b"hello\r\n\r\n", {}, False, "the answer is not HTTP"),
        (b"", {}, False, "the connection was closed without an answer"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + answered("200 OK"), {}, True, "HTTP 200"),
        (b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 30_000, {}, False, "the answer is not HTTP"),
    ],
)  # fmt: skip
def test_what_an_answer_means(answer: bytes, more: dict[str, Any], passed: bool, message: str) -> None:
    async def story() -> None:
        async with serving(answer) as port:
            found = await try_http(HttpProbeSpec(f"http://localhost:{port}/health?a=b", **more))
            assert found.passed is passed and message in found.message

    asyncio.run(story())


def test_nobody_listens() -> None:
    async def story() -> None:
        async with serving(b"") as port:
            assert (await try_tcp(str(port))).passed
        found = await try_tcp(f"127.0.0.1:{port}")
        assert not found.passed and found.message.startswith("no connection to")
        found = await try_http(HttpProbeSpec(url=f"http://127.0.0.1:{port}/"))
        assert not found.passed and "no connection to" in found.message

    asyncio.run(story())


def test_a_socket_of_the_file_system(tmp_path: Path) -> None:
    async def story() -> None:
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            request = await reader.readuntil(b"\r\n\r\n")
            assert request.startswith(b"GET /x HTTP/1.1\r\nHost: localhost\r\n")
            writer.write(answered("200 OK"))
            writer.close()

        socket = tmp_path / "app.sock"
        async with await asyncio.start_unix_server(handle, socket):
            found = await try_http(HttpProbeSpec(url=f"http+unix://{quote(str(socket), safe='')}/x"))
            assert found.passed

    asyncio.run(story())
