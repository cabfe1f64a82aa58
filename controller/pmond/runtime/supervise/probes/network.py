"""Probes over the network: a connection that is taken, a request that is answered as it should be."""

from __future__ import annotations

from urllib.parse import SplitResult, unquote, urlsplit

import h11

from pmon3_schema.patterns import compiled
from pmon3_schema.probes import HttpProbeSpec, parse_address, parse_statuses
from pmond.runtime.supervise.probes.channel import Channel, SocketChannel, connect, connect_unix, secured
from pmond.runtime.supervise.probes.result import ProbeResult, said

_PORTS = {"http": 80, "https": 443}
_MOST_BODY = 65536
"""Bytes of an answer that are looked at."""
_MOST_HEADERS = 65536


async def try_tcp(address: str, of: str = "") -> ProbeResult:
    """Whether something takes connections there. `of`: whose names are looked up apart from all others'."""
    host, port = parse_address(address)
    try:
        connected = await connect(host, port, of)
    except OSError as error:
        return ProbeResult(False, f"no connection to {address}: {_why(error)}")
    connected.close()
    return ProbeResult(True, f"{address} takes connections")


async def try_http(probe: HttpProbeSpec, of: str = "") -> ProbeResult:
    """Whether the answer has one of the status codes, and the text; `of` as above."""
    parts = urlsplit(probe.url)
    try:
        channel = await _channel_to(parts, probe.insecure, of)
    except OSError as error:
        return ProbeResult(False, f"no connection to {parts.netloc}: {_why(error)}")
    try:
        return await _ask(channel, probe, parts)
    except OSError as error:
        return ProbeResult(False, f"the connection broke: {_why(error)}")
    except h11.ProtocolError as error:
        return ProbeResult(False, f"the answer is not HTTP: {error}")
    finally:
        channel.close()


async def _channel_to(parts: SplitResult, insecure: bool, of: str) -> Channel:
    if parts.scheme == "http+unix":
        return SocketChannel(await connect_unix(unquote(parts.netloc)))
    assert parts.hostname is not None
    connected = await connect(parts.hostname, parts.port or _PORTS[parts.scheme], of)
    if parts.scheme == "http":
        return SocketChannel(connected)
    return await secured(connected, parts.hostname, insecure)


async def _ask(channel: Channel, probe: HttpProbeSpec, parts: SplitResult) -> ProbeResult:
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=_MOST_HEADERS)
    await channel.send(_request(connection, probe, parts))
    answer = await _next_event(connection, channel)
    while isinstance(answer, h11.InformationalResponse):
        answer = await _next_event(connection, channel)
    if not isinstance(answer, h11.Response):
        return ProbeResult(False, "the connection was closed without an answer")
    status = answer.status_code
    body = await _body(connection, channel) if probe.body else b""
    if not any(low <= status <= high for low, high in parse_statuses(probe.status)):
        return ProbeResult(False, f"HTTP {status}, not {probe.status}")
    if probe.body and compiled(probe.body).search(body) is None:
        return ProbeResult(
            False, f"HTTP {status}, but its text does not match {probe.body}: {said(body[:200])}"
        )
    return ProbeResult(True, f"HTTP {status}")


def _request(connection: h11.Connection, probe: HttpProbeSpec, parts: SplitResult) -> bytes:
    path = parts.path or "/"
    target = f"{path}?{parts.query}" if parts.query else path
    host = "localhost" if parts.scheme == "http+unix" else parts.netloc.rpartition("@")[2]
    given = {name.lower() for name in probe.headers}
    usual = {"Host": host, "User-Agent": "pmon3", "Accept": "*/*", "Connection": "close"}
    headers = {name: value for name, value in usual.items() if name.lower() not in given} | probe.headers
    encoded = [(name.encode("ascii"), value.encode("utf-8")) for name, value in headers.items()]
    request = h11.Request(method=probe.method, target=target, headers=encoded)
    return (connection.send(request) or b"") + (connection.send(h11.EndOfMessage()) or b"")


async def _next_event(connection: h11.Connection, channel: Channel) -> object:
    while (event := connection.next_event()) is h11.NEED_DATA:
        data = await channel.receive()
        if not data and connection.their_state is h11.SEND_RESPONSE:
            return h11.ConnectionClosed()  # to h11 that is a mistake of the protocol
        connection.receive_data(data)
    return event


async def _body(connection: h11.Connection, channel: Channel) -> bytes:
    found = b""
    while len(found) < _MOST_BODY and isinstance(event := await _next_event(connection, channel), h11.Data):
        found += bytes(event.data)
    return found[:_MOST_BODY]


def _why(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
