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
from pmond.runtime.supervise.probes.network import Ongoing, begin_http, begin_tcp
from pmond.runtime.supervise.probes.result import ProbeResult

Handle = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def found_by(begin: Callable[[Callable[[ProbeResult], None]], Ongoing]) -> ProbeResult:
    """What a try finds."""
    found = asyncio.get_running_loop().create_future()
    begin(found.set_result)
    return await asyncio.wait_for(found, 30.0)


async def try_http(probe: HttpProbeSpec) -> ProbeResult:
    return await found_by(lambda tell: begin_http(probe, "", tell))


async def try_tcp(address: str) -> ProbeResult:
    return await found_by(lambda tell: begin_tcp(address, "", tell))


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
        (b"HTTP/1.1 200 OK\r\nA: b\r\n", {}, False, "the answer is not HTTP"),
        (b"HTTP/1.1 0200 OK\r\n\r\n", {}, False, "the answer is not HTTP"),
        (b"HTTP/1.1 100 Continue\r\n\r\n", {}, False, "without an answer"),
        (answered("200 OK", b"x" * 70_000 + b"fine"), {"body": "fine"}, False, "does not match fine"),
        (b"HTTP/1.0 200\n\nfine", {"body": "fine"}, True, "HTTP 200"),
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
        found = await try_http(HttpProbeSpec(url="http+unix://%2Frun%2F%00"))
        assert not found.passed and "no connection to" in found.message
        found = await try_http(HttpProbeSpec(f"http://127.0.0.1:{port}/", headers={"A": "\udc80"}))
        assert not found.passed and "not HTTP" in found.message

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
