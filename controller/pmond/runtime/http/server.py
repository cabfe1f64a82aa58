"""An HTTP/1.1 server on a Unix socket that a hostile client can neither end, fill nor block.

Theory of operation: `Server` owns the listening socket and accepts, a few connections per turn
of the loop so that requests in progress get theirs. Each connection is a `Connection`
(connection.py): h11 parses, nothing here does. A connection is *waiting* until it has
delivered a whole request and *at work* until the answer is out. `Admission`
(admission.py) counts both: a new connection beyond the limit ends the oldest waiting one,
so a thousand clients that say nothing cannot keep out one that speaks; a request beyond the
limit, or beyond the share of its user, is answered 503 at once.

Descriptors: a few are held in reserve. When accept says EMFILE one is given up for the
connection and taken back when it closes, so pmond answers although its limit is reached.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
from collections.abc import Awaitable, Callable

from pmond.runtime.access.authority import Authority
from pmond.runtime.access.principal import principal_of
from pmond.runtime.http import listener
from pmond.runtime.http.admission import Admission, ServerLimits
from pmond.runtime.http.connection import Connection
from pmond.runtime.http.messages import Answer, Report, Request

_ACCEPTS_PER_TURN = 16
_RESERVED_DESCRIPTORS = 8
_PAUSE_AT_DESCRIPTOR_LIMIT = 0.1
"""Seconds until accept is tried again when even the reserve is used up."""
_NO_DESCRIPTOR = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}

Handler = Callable[[Request], Awaitable[Answer]]


class Server:
    """Answers each request with `handle(request)`.

    `handle` may raise PmonError, which becomes the error answer. Any other exception becomes a
    500 answer with a short identifier, and `report(identifier, where, exception)` is told.
    `authority` says who is not held to a user's share.
    """

    def __init__(
        self,
        handle: Handler,
        report: Report,
        authority: Callable[[], Authority],
        limits: ServerLimits | None = None,
    ) -> None:
        self.handle = handle
        self.report = report
        self.limits = limits or ServerLimits()
        self.admission = Admission(self.limits, authority)
        self._socket: listener.ListeningSocket | None = None
        self._reserve: list[int] = []
        self._opening: set[asyncio.Task[None]] = set()
        self._paused: asyncio.TimerHandle | None = None

    async def start(
        self, path: str = "", mode: int = 0o600, uid: int = -1, gid: int = -1, fd: int | None = None
    ) -> None:
        """Listen on the socket file `path`, or take over the listening socket `fd`.

        With both, the file is deleted at the end as if it had been made here. Raises PmonError
        when another pmond answers on the path or it cannot be used.
        """
        if fd is None:
            self._socket = listener.listen(path, mode, uid, gid)
        else:
            self._socket = listener.inherited(fd, own_file=bool(path))
        self._fill_reserve()
        self._resume()

    @property
    def displaced(self) -> tuple[str, ...]:
        """Where things of others are now that were where the socket's file is."""
        return self._socket.displaced if self._socket is not None else ()

    @property
    def lost_its_file(self) -> bool:
        """Whether the file that was made here is gone, so that nobody new can ask."""
        return self._socket is not None and self._socket.lost_its_file

    def listen_anew(self, mode: int, uid: int = -1, gid: int = -1) -> None:
        """Listen at the same path with a new socket: the old one cannot be given another file.

        Who still waits at the old one has to ask again. Does nothing while the server is paused. Raises
        PmonError when the path cannot be used any more.
        """
        old = self._socket
        if old is None or not asyncio.get_running_loop().remove_reader(old.socket):
            return
        try:
            self._socket = listener.listen(old.path, mode, uid, gid)
            old.close(keep_file=True)
        finally:
            self._resume()

    def fileno(self) -> int:
        """The listening descriptor, for handing it to a successor."""
        assert self._socket is not None
        return self._socket.socket.fileno()

    async def close(self, grace: float = 1.0, keep_file: bool = False) -> None:
        """Stop listening, let answers in progress out for up to `grace` seconds, then hang up.

        The socket file is deleted if it is still ours, unless a successor listens on (`keep_file`).
        """
        if self._socket is not None:
            self._pause()
            self._socket.close(keep_file)
            self._socket = None
        for task in self._opening:
            task.cancel()
        await self._hang_up(grace)
        while self._reserve:
            os.close(self._reserve.pop())

    def pause(self) -> None:
        """Accept no more; new clients queue at the socket."""
        self._pause()

    async def quiesce(self, grace: float = 0.5) -> None:
        """Pause, let answers in progress out, and hang up."""
        self._pause()
        await asyncio.sleep(0)  # whoever is in the middle of a pass of the event loop ends it
        if self._opening:  # accepted, and not yet a connection that could be asked
            await asyncio.wait(set(self._opening), timeout=grace)
        await self._hang_up(grace, expect=True)

    def resume(self) -> None:
        """Accept again, after `pause` or `quiesce`."""
        self._resume()

    async def _hang_up(self, grace: float, expect: bool = False) -> None:
        connections = list(self.admission.connections)
        for connection in connections:
            connection.end_when_answered(expect)
        ends = [connection.closed for connection in connections]
        if ends:
            await asyncio.wait(ends, timeout=grace)
            for connection in connections:
                connection.abort()
            await asyncio.wait(ends)

    def connection_closed(self) -> None:
        """Told by a connection that its descriptor is free again."""
        if self._socket is not None:
            self._fill_reserve()
            if self._paused is not None:
                self._resume()

    # Accepting is not left to asyncio: at EMFILE it would look away for a whole second.

    def _resume(self) -> None:
        if self._paused is not None:
            self._paused.cancel()
            self._paused = None
        if self._socket is not None:
            asyncio.get_running_loop().add_reader(self._socket.socket, self._accept)

    def _pause(self) -> None:
        if self._paused is not None:
            self._paused.cancel()
            self._paused = None
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket.socket)

    def _accept(self) -> None:
        assert self._socket is not None
        for _ in range(_ACCEPTS_PER_TURN):
            try:
                connection, _ = self._socket.socket.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno not in _NO_DESCRIPTOR or not self._give_up_reserve():
                    self._wait_for_descriptor()
                    return
            else:
                self._open(connection)

    def _give_up_reserve(self) -> bool:
        if not self._reserve:
            return False
        os.close(self._reserve.pop())
        return True

    def _wait_for_descriptor(self) -> None:
        self._pause()
        loop = asyncio.get_running_loop()
        self._paused = loop.call_later(_PAUSE_AT_DESCRIPTOR_LIMIT, self._resume)
        self.admission.end_oldest_waiting()

    def _fill_reserve(self) -> None:
        with contextlib.suppress(OSError):  # still at the limit: tried again at the next close
            while len(self._reserve) < _RESERVED_DESCRIPTORS:
                self._reserve.append(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))

    def _open(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        task = asyncio.get_running_loop().create_task(self._connect(connection))
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)

    async def _connect(self, connection: socket.socket) -> None:
        try:
            peer = principal_of(connection)
            loop = asyncio.get_running_loop()
            await loop.connect_accepted_socket(lambda: Connection(self, peer), connection)
        except OSError:  # the client has gone already
            connection.close()
            self.connection_closed()
        except asyncio.CancelledError:
            connection.close()
