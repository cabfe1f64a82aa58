"""Ports for servers that a test starts."""

from __future__ import annotations

import socket

_TRIES = 100
_BEYOND = 65536


def free_port() -> int:
    """A port of the loopback that nobody listens on, as far as one can know."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def free_ports(count: int) -> int:
    """The first of so many ports in a row that nobody listens on, as far as one can know."""
    for _ in range(_TRIES):
        first = free_port()
        if first + count < _BEYOND and all(map(_is_free, range(first, first + count))):
            return first
    raise AssertionError(f"there are no {count} free ports in a row")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
