"""One try over plain sockets, driven by the event loop alone: no task, no stream, no buffer of a transport.

Theory of operation: a connection on the same machine is there as soon as it is asked for, although the
kernel says that it is in progress. So what is to be sent is sent at once, and only where that does not
work yet is the socket waited for. A probe of a web server is then four system calls and one wait, and one
of a port has its answer before it has begun to wait.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import Callable, Sequence
from typing import Protocol

from pmond.runtime.supervise.probes.result import ProbeResult

Address = tuple[int, tuple[str, int] | str]
"""The family of a socket, and where it connects to."""
Tell = Callable[[ProbeResult], None]

_CHUNK = 16384
_FLAGS = socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC


class AnswerReader(Protocol):
    """Makes a result of what comes; None while it needs more. At the end there comes nothing."""

    def add(self, data: bytes) -> ProbeResult | None: ...


class Exchange:
    """Connects to the first address that takes it, sends, and hears until there is a result to be told.

    Without an answer to wait for, being connected is the result.
    """

    def __init__(
        self,
        addresses: Sequence[Address],
        where: str,
        request: bytes,
        answer: AnswerReader | None,
        tell: Tell,
    ) -> None:
        """`where`: what people call it. May tell before it returns."""
        self._addresses = list(addresses)
        self._where = where
        self._request = request
        self._answer = answer
        self._tell = tell
        self._loop = asyncio.get_running_loop()
        self._socket: socket.socket | None = None
        self._waits_to_send = self._waits_to_hear = False
        self._connect()

    def cancel(self) -> None:
        """Go on no more, and tell nothing."""
        connected, self._socket = self._socket, None
        if connected is None:
            return
        if self._waits_to_send:
            self._loop.remove_writer(connected)
        if self._waits_to_hear:
            self._loop.remove_reader(connected)
        self._waits_to_send = self._waits_to_hear = False
        connected.close()

    def _connect(self) -> None:
        """To the next address."""
        family, where = self._addresses.pop(0)
        try:
            connecting = self._socket = socket.socket(family, _FLAGS)
            code = connecting.connect_ex(where)
        except OSError as error:  # no descriptor, no such family, a path that is too long
            self._not_connected(error)
            return
        except ValueError as error:  # a path that cannot be one
            self._not_connected(OSError(str(error)))
            return
        if code not in (0, errno.EINPROGRESS):
            self._not_connected(OSError(code, _said(code)))
            return
        self._go_on()

    def _go_on(self) -> None:
        """As far as the socket lets it at once."""
        assert self._socket is not None
        code = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            self._not_connected(OSError(code, _said(code)))
        elif self._answer is None:
            self._be_connected()
        else:
            self._send()

    def _be_connected(self) -> None:
        assert self._socket is not None
        try:
            self._socket.getpeername()
        except OSError:
            self._wait_to_send()
            return
        self._end(ProbeResult(True, f"{self._where} takes connections"))

    def _send(self) -> None:
        assert self._socket is not None
        try:
            sent = self._socket.send(self._request)
        except BlockingIOError:  # not connected yet, or a request that is larger than what fits
            self._wait_to_send()
            return
        except OSError as error:
            self._broken(error)
            return
        self._request = self._request[sent:]
        if self._request:
            self._wait_to_send()
            return
        if self._waits_to_send:
            self._loop.remove_writer(self._socket)
            self._waits_to_send = False
        self._loop.add_reader(self._socket, self._hear)
        self._waits_to_hear = True

    def _wait_to_send(self) -> None:
        if not self._waits_to_send:
            assert self._socket is not None
            self._loop.add_writer(self._socket, self._go_on)
            self._waits_to_send = True

    def _hear(self) -> None:
        assert self._socket is not None and self._answer is not None
        try:
            data = self._socket.recv(_CHUNK)
        except BlockingIOError:
            return
        except OSError as error:
            self._broken(error)
            return
        result = self._answer.add(data)
        if result is not None:
            self._end(result)

    def _not_connected(self, error: OSError) -> None:
        self.cancel()
        if self._addresses:
            self._connect()
        else:
            self._end(ProbeResult(False, f"no connection to {self._where}: {why(error)}"))

    def _broken(self, error: OSError) -> None:
        self._end(ProbeResult(False, f"the connection broke: {why(error)}"))

    def _end(self, result: ProbeResult) -> None:
        self.cancel()
        self._tell(result)


def why(error: OSError) -> str:
    """What went wrong, within a sentence."""
    return (error.strerror or str(error)).lower()


def _said(code: int) -> str:
    return os.strerror(code)
