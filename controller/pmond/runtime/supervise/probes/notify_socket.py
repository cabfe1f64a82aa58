"""What programs say of themselves by systemd's protocol (sd_notify), and which instance it was.

Theory of operation: one datagram socket for all; its path stands in `NOTIFY_SOCKET` of those that asked for
it. The kernel tells who sent a datagram, and it counts for the instance in whose tree the sender is: the
main program, what descends from it, or what is in its control group. Anybody may send; nobody else is
heard. The socket outlives pmond: the holder of exit statuses holds it too, and the kernel keeps what
is said meanwhile. A flood is read in parts, with pauses, so that it costs its sender more than pmond.

The protocol: https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html
"""

from __future__ import annotations

import array
import asyncio
import os
import socket
import stat
import struct
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from pmon3_schema.trust import trusts
from pmond.core.facts import Notified
from pmond.runtime.base.journal import Journal
from pmond.runtime.files.moving_aside import move_aside
from pmond.runtime.processes.instances import Running

_CREDENTIALS = struct.Struct("iII")
_LONGEST = 4096
"""Bytes of one datagram that are read."""
_MOST_STATUS = 512
"""Characters of STATUS that are kept."""
_AT_ONCE = 64
"""Datagrams that are read until others have their turn."""
_PAUSE = 0.05
"""Seconds after so many."""
_LONGEST_EXTENSION = 86400.0
"""Seconds that EXTEND_TIMEOUT_USEC may ask for."""
_MICROSECONDS = 1_000_000

Sender = Callable[[int, int], Running | None]
"""The instance in whose tree a process (pid, uid) is."""


class NotifySocket:
    """Listens from `start` to `close`."""

    def __init__(
        self, path: str, sender: Sender, heard: Callable[[Notified], None], journal: Journal
    ) -> None:
        self.path = path
        self._sender = sender
        self._heard = heard
        self._journal = journal
        self._socket: socket.socket | None = None

    def start(self, kept: int | None) -> None:
        """Listen. `kept`: the socket of an earlier pmond, if it was held."""
        try:
            self._socket = _taken(kept, self.path) or _bound(self.path)
            self._socket.setblocking(False)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        except OSError as error:
            self._journal.warn("notify.unavailable", path=self.path, error=str(error))
            self._socket = None
            return
        asyncio.get_running_loop().add_reader(self._socket.fileno(), self._read)

    @property
    def is_open(self) -> bool:
        return self._socket is not None

    def fileno(self) -> int | None:
        """The descriptor, for whoever holds it on."""
        return self._socket.fileno() if self._socket is not None else None

    @property
    def lost_its_file(self) -> bool:
        """Whether somebody has removed the file, as cleaners of temporary folders do."""
        if self._socket is None:
            return False
        try:
            return not trusts(os.lstat(self.path).st_uid, {0, os.geteuid()})
        except OSError:
            return True

    def renew(self) -> None:
        """Listen anew at the same place."""
        self.close(keep_file=True)
        self.start(None)

    def close(self, keep_file: bool) -> None:
        """Listen no more; the file stays where somebody holds the socket for the next pmond."""
        if self._socket is None:
            return
        asyncio.get_running_loop().remove_reader(self._socket.fileno())
        self._socket.close()
        self._socket = None
        if not keep_file:
            with suppress(OSError):
                os.unlink(self.path)  # noqa: PTH108

    def _read(self) -> None:
        if self._socket is None:
            return
        for _ in range(_AT_ONCE):
            try:
                data, ancillary, flags, _ = self._socket.recvmsg(_LONGEST, _room(), socket.MSG_CMSG_CLOEXEC)
            except (BlockingIOError, InterruptedError):
                return
            sender = _credentials(ancillary)
            if sender is not None and not flags & socket.MSG_TRUNC:
                self._take(data, *sender)
            _close_descriptors(ancillary)  # a BARRIER is passed when its descriptor is closed
        loop, number = asyncio.get_running_loop(), self._socket.fileno()
        loop.remove_reader(number)
        loop.call_later(_PAUSE, self._go_on)

    def _go_on(self) -> None:
        if self._socket is not None:
            asyncio.get_running_loop().add_reader(self._socket.fileno(), self._read)
            self._read()

    def _take(self, data: bytes, pid: int, uid: int) -> None:
        running = self._sender(pid, uid)
        if running is None:
            self._journal.debug("notify.stranger", pid=pid, uid=uid)
            return
        fact = parsed(data, running.name, running.number)
        if fact is not None:
            self._heard(fact)


def parsed(data: bytes, name: str, number: int) -> Notified | None:
    """What a datagram says; None when nothing of it means anything here."""
    said: dict[str, str] = {}
    for line in data.decode("utf-8", "replace").split("\n"):
        key, equals, value = line.partition("=")
        if equals:
            said[key] = value
    fact = Notified(
        name,
        number,
        ready=said.get("READY") == "1",
        status=_shown(said["STATUS"]) if "STATUS" in said else None,
        watchdog=said.get("WATCHDOG") == "1",
        trigger=said.get("WATCHDOG") == "trigger",
        announced=next((word.lower() for word in ("STOPPING", "RELOADING") if said.get(word) == "1"), ""),
        extend=_seconds(said.get("EXTEND_TIMEOUT_USEC", "")),
    )
    return fact if fact != Notified(name, number) else None


def _shown(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text[:_MOST_STATUS])


def _seconds(text: str) -> float:
    if not text.isascii() or not text.isdecimal():
        return 0.0
    return min(int(text[:18]) / _MICROSECONDS, _LONGEST_EXTENSION)


def _taken(kept: int | None, path: str) -> socket.socket | None:
    """The socket that was held, if it is the one that bears this name."""
    if kept is None:
        return None
    taken = socket.socket(fileno=kept)
    with suppress(OSError):
        same = taken.type == socket.SOCK_DGRAM and os.fsdecode(taken.getsockname()) == path
        if same and stat.S_ISSOCK(os.lstat(path).st_mode):
            return taken
    taken.close()
    return None


def _bound(path: str) -> socket.socket:
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
    try:
        move_aside(path, {0, os.geteuid()})
        with suppress(FileNotFoundError):
            if stat.S_ISSOCK(os.lstat(path).st_mode):
                os.unlink(path)  # noqa: PTH108
        bound.bind(path)
        Path(path).chmod(0o666)  # who may say what is decided by who says it
    except OSError:
        bound.close()
        raise
    return bound


def _room() -> int:
    return socket.CMSG_SPACE(_CREDENTIALS.size) + socket.CMSG_SPACE(16 * array.array("i").itemsize)


def _credentials(ancillary: list[tuple[int, int, bytes]]) -> tuple[int, int] | None:
    for level, kind, data in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_CREDENTIALS):
            pid, uid, _ = _CREDENTIALS.unpack(data[: _CREDENTIALS.size])
            return pid, uid
    return None


def _close_descriptors(ancillary: list[tuple[int, int, bytes]]) -> None:
    for level, kind, data in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            numbers = array.array("i")
            numbers.frombytes(data[: len(data) - len(data) % numbers.itemsize])
            for number in numbers:
                os.close(number)
