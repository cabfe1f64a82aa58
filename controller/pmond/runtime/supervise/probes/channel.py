"""Connections of probes, in the event loop: plain sockets, TLS where the URL asks for it.

Addresses that are numbers, and the loopback by its name, need no name server. Other names are looked
up in a few threads, one at a time for each user whose processes root did not declare. So a name server
which does not answer costs its own probes their time limit, and nobody else's.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Protocol

from pmond.runtime.supervise.probes.lookups import Lookups

if TYPE_CHECKING:
    import ssl

_CHUNK = 16384
_LOOPBACK = {"localhost": ("127.0.0.1", "::1")}
_LOOKUPS = 4
"""Threads: as many name servers of root's processes may hang at once."""


class Channel(Protocol):
    """Bytes out and in. All raise OSError; `receive` answers nothing at the end."""

    async def send(self, data: bytes) -> None: ...
    async def receive(self) -> bytes: ...
    def close(self) -> None: ...


class SocketChannel:
    """A connected socket, without the buffers of a transport: a probe needs one packet each way."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        self._loop = asyncio.get_running_loop()

    async def send(self, data: bytes) -> None:
        await self._loop.sock_sendall(self._socket, data)

    async def receive(self) -> bytes:
        return await self._loop.sock_recv(self._socket, _CHUNK)

    def close(self) -> None:
        self._socket.close()


class TlsChannel:
    """The same through TLS."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def receive(self) -> bytes:
        return await self._reader.read(_CHUNK)

    def close(self) -> None:
        self._writer.transport.abort()


async def connect(host: str, port: int, of: str = "") -> socket.socket:
    """A connection to the first address that takes one; names are looked up by the threads `of` a user.

    Raises OSError.
    """
    failure: OSError | None = None
    for address in await _addresses_of(host, of):
        try:
            return await _connect(address, port)
        except OSError as error:
            failure = failure or error
    raise failure or OSError(f"{host} has no address")


async def secured(connected: socket.socket, host: str, insecure: bool) -> Channel:
    """TLS over it, the certificate checked against the name. Raises OSError (ssl.SSLError is one)."""
    try:
        reader, writer = await asyncio.open_connection(
            sock=connected, ssl=_tls_context(insecure), server_hostname=host
        )
    except BaseException:
        connected.close()
        raise
    return TlsChannel(reader, writer)


async def _connect(address: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    connecting = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        await asyncio.get_running_loop().sock_connect(connecting, (address, port))
    except BaseException:
        connecting.close()
        raise
    return connecting


def numeric_addresses(host: str) -> Sequence[str]:
    """The addresses of a host that nobody must be asked for; none: it is a name."""
    if host in _LOOPBACK:
        return _LOOPBACK[host]
    try:
        return (str(ipaddress.ip_address(host)),)
    except ValueError:
        return ()


async def _addresses_of(host: str, of: str) -> Sequence[str]:
    return numeric_addresses(host) or await _lookups(asyncio.get_running_loop(), of).addresses_of(host)


@cache
def _lookups(loop: asyncio.AbstractEventLoop, of: str) -> Lookups:
    return Lookups(_LOOKUPS if not of else 1)


@cache
def _tls_context(insecure: bool) -> ssl.SSLContext:
    import ssl  # as large as all the rest of this module's needs; few probes are https

    context = ssl.create_default_context()
    if insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
