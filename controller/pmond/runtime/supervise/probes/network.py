"""Probes over the network: a connection that is taken, a request that is answered as it should be.

Theory of operation: what is asked, and where, is worked out once for each probe. Where the address is a
number (or the loopback, or a socket of the file system) and the connection is plain, the event loop drives
the try by itself (`exchange`). Names that somebody must be asked for, and TLS, take a task (`channel`).
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Coroutine
from functools import lru_cache
from typing import Any, Protocol
from urllib.parse import SplitResult, unquote, urlsplit

import h11
from msgspec import Struct

from pmon3_schema.probes import HttpProbeSpec, parse_address, parse_statuses
from pmond.runtime.supervise.probes.answer import HttpAnswer
from pmond.runtime.supervise.probes.channel import (
    Channel,
    SocketChannel,
    connect,
    numeric_addresses,
    secured,
)
from pmond.runtime.supervise.probes.exchange import Address, Exchange, Tell, why
from pmond.runtime.supervise.probes.result import ProbeResult

_PORTS = {"http": 80, "https": 443}
_MOST_KEPT = 4096
"""Of what was worked out; each is some hundred bytes."""


class Ongoing(Protocol):
    """A try that is under way."""

    def cancel(self) -> object:
        """Go on no more, and tell nothing."""


class _ProbedPlace(Struct, frozen=True):
    """Where a probe asks, and what."""

    parts: SplitResult
    addresses: tuple[Address, ...]
    """None are known without asking somebody, or TLS is between: it takes a task."""
    where: str
    request: bytes
    ranges: tuple[tuple[int, int], ...]


def begin_tcp(address: str, of: str, tell: Tell) -> Ongoing:
    """Whether something takes connections there. `of`: whose names are looked up apart from all others'."""
    addresses = _tcp_addresses(address)
    if addresses:
        return Exchange(addresses, address, b"", None, tell)
    return _begin_task(_try_tcp(address, of), tell)


def begin_http(probe: HttpProbeSpec, of: str, tell: Tell) -> Ongoing:
    """Whether the answer has one of the status codes, and the text; `of` as above."""
    try:
        target = _target(probe.url, probe.method, tuple(probe.headers.items()), probe.status)
    except (h11.ProtocolError, ValueError) as error:  # text that cannot be sent is a ValueError
        return _begin_task(_failed(f"the request is not HTTP: {error}"), tell)
    answer = HttpAnswer(probe.status, target.ranges, probe.body, probe.method)
    if target.addresses:
        return Exchange(target.addresses, target.where, target.request, answer, tell)
    return _begin_task(_try_http(target, answer, probe.insecure, of), tell)


def _begin_task(work: Coroutine[Any, Any, ProbeResult], tell: Tell) -> Ongoing:
    async def try_it() -> None:
        try:
            result = await work
        except Exception as error:  # of one probe: it has failed, whatever it is
            result = ProbeResult(False, f"{type(error).__name__}: {error}")
        tell(result)

    return asyncio.get_running_loop().create_task(try_it())


async def _failed(message: str) -> ProbeResult:
    return ProbeResult(False, message)


async def _try_tcp(address: str, of: str) -> ProbeResult:
    host, port = parse_address(address)
    try:
        connected = await connect(host, port, of)
    except OSError as error:
        return ProbeResult(False, f"no connection to {address}: {why(error)}")
    connected.close()
    return ProbeResult(True, f"{address} takes connections")


async def _try_http(target: _ProbedPlace, answer: HttpAnswer, insecure: bool, of: str) -> ProbeResult:
    try:
        channel = await _channel_to(target.parts, insecure, of)
    except OSError as error:
        return ProbeResult(False, f"no connection to {target.where}: {why(error)}")
    try:
        await channel.send(target.request)
        while (result := answer.add(await channel.receive())) is None:
            pass
        return result
    except OSError as error:
        return ProbeResult(False, f"the connection broke: {why(error)}")
    finally:
        channel.close()


async def _channel_to(parts: SplitResult, insecure: bool, of: str) -> Channel:
    assert parts.hostname is not None
    connected = await connect(parts.hostname, parts.port or _PORTS[parts.scheme], of)
    if parts.scheme == "http":
        return SocketChannel(connected)
    return await secured(connected, parts.hostname, insecure)


@lru_cache(_MOST_KEPT)
def _tcp_addresses(address: str) -> tuple[Address, ...]:
    host, port = parse_address(address)
    return _addresses(host, port)


@lru_cache(_MOST_KEPT)
def _target(url: str, method: str, headers: tuple[tuple[str, str], ...], status: str) -> _ProbedPlace:
    """Raises h11.ProtocolError for a request that HTTP does not know."""
    parts = urlsplit(url)
    request = _request(method, dict(headers), parts)
    return _ProbedPlace(parts, _plain_addresses(parts), parts.netloc, request, parse_statuses(status))


def _plain_addresses(parts: SplitResult) -> tuple[Address, ...]:
    if parts.scheme == "http+unix":
        return ((socket.AF_UNIX, unquote(parts.netloc)),)
    if parts.scheme != "http" or parts.hostname is None:
        return ()
    return _addresses(parts.hostname, parts.port or _PORTS["http"])


def _addresses(host: str, port: int) -> tuple[Address, ...]:
    return tuple(
        (socket.AF_INET6 if ":" in address else socket.AF_INET, (address, port))
        for address in numeric_addresses(host)
    )


def _request(method: str, headers: dict[str, str], parts: SplitResult) -> bytes:
    path = parts.path or "/"
    target = f"{path}?{parts.query}" if parts.query else path
    host = "localhost" if parts.scheme == "http+unix" else parts.netloc.rpartition("@")[2]
    given = {name.lower() for name in headers}
    usual = {"Host": host, "User-Agent": "pmon3", "Accept": "*/*", "Connection": "close"}
    headers = {name: value for name, value in usual.items() if name.lower() not in given} | headers
    encoded = [(name.encode("ascii"), value.encode("utf-8")) for name, value in headers.items()]
    connection = h11.Connection(h11.CLIENT)
    request = h11.Request(method=method, target=target, headers=encoded)
    return (connection.send(request) or b"") + (connection.send(h11.EndOfMessage()) or b"")
