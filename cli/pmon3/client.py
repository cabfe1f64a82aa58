"""One request to pmond over its Unix socket.

Theory of operation: plain `socket` and `wire`, because `http.client` alone would double the
start-up time of `ls`. Every request is its own connection, and nothing is sent on it before it is known
who listens (`peer`). Everything that can go wrong leaves as a `PmonError`: no daemon or no permission
as `unreachable`, a stranger as `refused`, silence as `timeout`, an error answer as what the daemon says.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, Protocol, Self

from pmon3 import older_pmond, peer
from pmon3.wire import MalformedResponse, ResponseParser, request_bytes
from pmon3_schema.errors import ErrorCode, PmonError

DEFAULT_TIMEOUT = 30.0
"""Seconds without a byte after which an answer is given up; commands that wait set their own."""
_BLOCK = 262144

Query = list[tuple[str, str]]


class RequestConnection(Protocol):
    """What a request is sent on; a socket is one."""

    def settimeout(self, seconds: float | None, /) -> None: ...
    def gettimeout(self) -> float | None: ...
    def fileno(self) -> int: ...
    def sendall(self, data: bytes, /) -> None: ...
    def recv(self, size: int, /) -> bytes: ...
    def close(self) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None, /
    ) -> None: ...


class Client:
    """Speaks to the pmond whose socket is `path`; `config_file` may name another owner of that.

    `dial`: a way to it that is not over this machine's socket; it gets the seconds of `timeout`.
    """

    def __init__(
        self,
        path: str,
        timeout: float = DEFAULT_TIMEOUT,
        config_file: str = "",
        dial: Callable[[float | None], RequestConnection] | None = None,
    ) -> None:
        self.path = path
        self.config_file = config_file
        self.timeout = timeout
        self._dial = dial

    def get(self, path: str, query: Query | None = None) -> Any:
        """The decoded answer of a GET. Raises PmonError."""
        return self._answer("GET", _target(path, query), None, self.timeout)

    def post(
        self,
        path: str,
        body: dict[str, Any],
        timeout: float | None = DEFAULT_TIMEOUT,
        meanwhile: Callable[[], float] | None = None,
    ) -> Any:
        """The decoded answer of a POST; `timeout` None: wait for ever. Raises PmonError.

        `meanwhile` is called while there is no answer, and gives the seconds until it wants to be again.
        """
        return self._answer("POST", path, json.dumps(body).encode(), timeout, meanwhile)

    def delete(self, path: str) -> Any:
        """The decoded answer of a DELETE. Raises PmonError."""
        return self._answer("DELETE", path, None, self.timeout)

    def stream(self, path: str, query: Query | None = None) -> ResponseStream:
        """Open an answer that is read as it comes: logs and events. Raises PmonError."""
        stream = ResponseStream(self._send("GET", _target(path, query), None, self.timeout), self.path)
        stream.open(self.timeout)
        return stream

    def _answer(
        self,
        method: str,
        target: str,
        body: bytes | None,
        timeout: float | None,
        meanwhile: Callable[[], float] | None = None,
    ) -> Any:
        with self._send(method, target, body, timeout) as connection:
            if meanwhile is not None:
                _await(connection, timeout, meanwhile)
            stream = ResponseStream(connection, self.path)
            content = b"".join(stream)
        return _decoded(stream.status, content)

    def _send(self, method: str, target: str, body: bytes | None, timeout: float | None) -> RequestConnection:
        connection = self._dial(timeout) if self._dial is not None else self.connection(timeout)
        try:
            connection.sendall(request_bytes(method, target, body))
        except (BrokenPipeError, ConnectionResetError):
            # The daemon may refuse a body before it has read all of it: its answer says why.
            return connection
        except OSError as error:
            connection.close()
            raise _unreachable(self.path, error) from None
        return connection

    def connection(self, timeout: float | None) -> socket.socket:
        """An open connection to the socket, whose listener is known. Raises PmonError."""
        peer.check_way(self.path, self.config_file)
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.settimeout(timeout)
            connection.connect(self.path)
            peer.check_listener(connection, self.path)
        except OSError as error:
            connection.close()
            raise _unreachable(self.path, error) from None
        except PmonError:
            connection.close()
            raise
        return connection


class ResponseStream:
    """The body of one answer, in pieces as they arrive. Iterate it, or `receive` when readable."""

    def __init__(self, connection: RequestConnection, path: str) -> None:
        self._connection = connection
        self._parser = ResponseParser()
        self._path = path
        self._first = b""

    @property
    def status(self) -> int:
        return self._parser.status

    def open(self, timeout: float) -> None:
        """Read the head. Raises PmonError when the answer is an error."""
        self._connection.settimeout(timeout)
        while not self._parser.status:
            self._first += self._receive()
        if self.status >= 400:
            _decoded(self.status, b"".join(self))
        # A followed log may be silent for days.
        self._connection.settimeout(None)

    def fileno(self) -> int:
        return self._connection.fileno()

    @property
    def is_ahead(self) -> bool:
        """Whether `receive` has an answer although nothing more has come: it came with the head."""
        return bool(self._first) or self._parser.complete

    def receive(self) -> bytes | None:
        """What is there now, perhaps empty; None at the end of the body. Raises PmonError."""
        if self._first:
            data, self._first = self._first, b""
            return data
        if self._parser.complete:
            return None
        return self._receive()

    def close(self) -> None:
        self._connection.close()

    def __iter__(self) -> Iterator[bytes]:
        while (piece := self.receive()) is not None:
            yield piece

    def _receive(self) -> bytes:
        try:
            data = self._connection.recv(_BLOCK)
            if data:
                return self._parser.feed(data)
            self._parser.end()
            return b""
        except TimeoutError:
            raise PmonError(
                ErrorCode.TIMEOUT,
                f"cannot get an answer from pmond: it was silent for {self._connection.gettimeout():g} s",
                "see pmond's own log",
            ) from None
        except MalformedResponse as error:
            raise PmonError(
                ErrorCode.UNREACHABLE, f"cannot understand pmond: {error}", "see pmond's own log"
            ) from None
        except OSError as error:
            raise _unreachable(self._path, error) from None


def _await(connection: RequestConnection, timeout: float | None, meanwhile: Callable[[], float]) -> None:
    """Return when there is something to read, or when nothing came for too long."""
    # Imported here: the plain `ls` waits for nothing.
    import select

    deadline = None if timeout is None else time.monotonic() + timeout
    pause = meanwhile()
    while not select.select([connection], [], [], pause)[0]:
        if deadline is not None and time.monotonic() >= deadline:
            return
        pause = meanwhile()


def path_segment(text: str) -> str:
    """`text` as one segment of a path, percent-encoded."""
    from urllib.parse import quote

    return quote(text, safe="", errors="surrogateescape")


def _target(path: str, query: Query | None) -> str:
    if not query:
        return path
    if all(value.isascii() and value.isalnum() for _, value in query):
        return f"{path}?{'&'.join(f'{key}={value}' for key, value in query)}"
    # Imported here: the plain `ls` has nothing to encode.
    from urllib.parse import urlencode

    return f"{path}?{urlencode(query, errors='surrogateescape')}"


def _decoded(status: int, content: bytes) -> Any:
    try:
        answer = json.loads(content) if content else {}
    except ValueError:
        raise PmonError(
            ErrorCode.INTERNAL, f"cannot understand pmond: its answer (status {status}) is not JSON", ""
        ) from None
    if status < 400:
        return answer
    if isinstance(answer, dict) and isinstance(answer.get("error"), dict):
        raise older_pmond.refused(PmonError.from_json(answer))
    raise PmonError(
        ErrorCode.INTERNAL, f"cannot do that: pmond answered status {status} without a reason", ""
    )


def _unreachable(path: str, error: OSError) -> PmonError:
    hint = "start it with pmon3 up, or systemctl start pmond"
    if isinstance(error, PermissionError):
        hint = "ask for membership of the socket's group, or run pmon3 up for a pmond of your own"
        return PmonError(ErrorCode.UNREACHABLE, f"cannot reach pmond: no permission on {path}", hint)
    if isinstance(error, FileNotFoundError | ConnectionRefusedError):
        return PmonError(ErrorCode.UNREACHABLE, f"cannot reach pmond: nothing answers on {path}", hint)
    if isinstance(error, TimeoutError):
        return PmonError(
            ErrorCode.UNREACHABLE, f"cannot reach pmond: {path} does not accept", "see pmond's own log"
        )
    return PmonError(ErrorCode.UNREACHABLE, f"cannot reach pmond on {path}: {error.strerror or error}", hint)
