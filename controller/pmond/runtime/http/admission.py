"""How much of the daemon its clients may take up, together and each user for itself."""

from __future__ import annotations

import os
import resource
from asyncio import Future
from collections import Counter
from collections.abc import Callable
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from pmon3_schema.errors import ErrorCode
from pmond.runtime.access.authority import Authority
from pmond.runtime.access.principal import Principal
from pmond.runtime.http.messages import HttpError

_MIB = 1024 * 1024
_FEWEST_CONNECTIONS = 4
_FOR_STARTS = 24
"""Descriptors that clients leave alone: for starts, reading /proc, the log of pmond."""


class ServerLimits(Struct, frozen=True):
    """Bounds of one server. Times in seconds, sizes in bytes."""

    connections: int = 256
    requests: int = 192
    """Requests at work at a time. Fewer than connections, so that there is always one to end."""
    head_bytes: int = 16 * 1024
    body_bytes: int = 64 * _MIB
    body_bytes_of_a_user: int = 8 * _MIB
    """Bodies of one user without rights that are held at a time, all requests together."""
    all_body_bytes: int = 128 * _MIB
    """Bodies held at a time, everybody's together."""
    head_time: float = 10.0
    body_time: float = 60.0
    idle_time: float = 60.0
    reply_time: float = 60.0
    """For the client to take a whole answer; streams may be read as slowly as it likes."""
    linger_time: float = 2.0
    """For the client to read an error given before its request was complete."""


def limits_within(descriptors: int) -> ServerLimits:
    """The limits of a server that may use half of so many descriptors, once a few are put by for starts.

    A start needs six, and a client that does nothing but hold its connection must not keep it from them.
    """
    usual = ServerLimits()
    connections = max(_FEWEST_CONNECTIONS, min(usual.connections, (descriptors - _FOR_STARTS) // 2))
    return replace(usual, connections=connections, requests=min(usual.requests, connections * 3 // 4))


def free_descriptors() -> int:
    """How many files pmond may still open."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0] - len(os.listdir("/proc/self/fd"))  # noqa: PTH208


class Admitted(Protocol):
    """What is known here about a connection."""

    peer: Principal
    closed: Future[None]

    def abort(self) -> None: ...

    def end_when_answered(self, expect: bool = False) -> None: ...


class Admission:
    """Counts connections, requests at work and bytes of bodies; says no beyond the limits.

    `authority` says who is not held to a user's share, and how many requests that is.
    """

    def __init__(self, limits: ServerLimits, authority: Callable[[], Authority]) -> None:
        self._limits = limits
        self._authority = authority
        self.connections: dict[Admitted, None] = {}
        self._waiting: dict[Admitted, None] = {}  # in the order in which they began to wait
        self._requests: Counter[int] = Counter()
        self._bodies: Counter[int] = Counter()

    def connected(self, connection: Admitted) -> None:
        """A connection has come; when there are too many the oldest waiting one is ended."""
        if len(self.connections) >= self._limits.connections:
            self.end_oldest_waiting(connection.peer)
        self.connections[connection] = None
        self._waiting[connection] = None

    def disconnected(self, connection: Admitted) -> None:
        self.connections.pop(connection, None)
        self._waiting.pop(connection, None)

    def end_oldest_waiting(self, newcomer: Principal | None = None) -> None:
        """End the connection that has waited longest for its client.

        Those of ordinary users go first, and among these the newcomer's own.
        """

        def rank(connection: Admitted) -> tuple[bool, bool]:
            return self._is_free(connection), newcomer is None or connection.peer.uid != newcomer.uid

        oldest = min(self._waiting, key=rank, default=None)  # the first of equals: the oldest
        if oldest is not None:
            self.disconnected(oldest)
            oldest.abort()

    def begin_request(self, connection: Admitted) -> None:
        """A request is complete and goes to work. Raises HttpError when too many are: 503, of his own 429."""
        uid = connection.peer.uid
        if self._requests.total() >= self._limits.requests:
            raise _busy(f"{self._limits.requests} requests are in progress")
        share = self._authority().rules.quota.requests
        if self._requests[uid] >= share and not self._is_free(connection):
            why = f"cannot answer: {share} requests of {connection.peer.user} are in progress"
            hint = "wait for one of them, or ask root for a larger access.quota.requests"
            raise HttpError(429, ErrorCode.REFUSED, why, hint)
        self._requests[uid] += 1
        self._waiting.pop(connection, None)

    def end_request(self, connection: Admitted) -> None:
        self._requests[connection.peer.uid] -= 1
        self._requests += Counter()  # drop users at zero
        if connection in self.connections:
            self._waiting[connection] = None

    def largest_body(self, connection: Admitted) -> int:
        """Bytes that a body of this client may have."""
        return self._limits.body_bytes if self._is_free(connection) else self._limits.body_bytes_of_a_user

    def take_body(self, connection: Admitted, size: int) -> None:
        """Room for `size` more bytes of a body. Raises HttpError 503 when there is none now."""
        uid = connection.peer.uid
        total_full = self._bodies.total() + size > self._limits.all_body_bytes
        own_full = self._bodies[uid] + size > self._limits.body_bytes_of_a_user
        if total_full or (own_full and not self._is_free(connection)):
            raise _busy("too many large requests are in progress")
        self._bodies[uid] += size

    def release_body(self, connection: Admitted, size: int) -> None:
        self._bodies[connection.peer.uid] -= size
        self._bodies += Counter()

    def _is_free(self, connection: Admitted) -> bool:
        """Whether its client is held to nobody's share."""
        return self._authority().is_administrator(connection.peer)


def _busy(why: str) -> HttpError:
    return HttpError(503, ErrorCode.UNREACHABLE, f"cannot answer now: {why}", "try again in a moment")
