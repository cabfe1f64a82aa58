"""Keeps exit statuses while no pmond is there: a process that holds pidfds and does nothing.

Theory of operation: the kernel keeps the exit status of a process in its pidfd for as long as
anybody holds one (Linux 6.15), even when another parent reaped it. So a `sleep` holds both ends
of a socket, in whose queue lie the pidfds of all instances; it never reads them. When pmond was
killed, the next one takes the ends with `pidfd_getfd`, and the pidfds tell how its processes have
ended. While pmond lives it reaps its children itself: the queue is only written
to, and when half of what it holds has ended it is filled anew and the old part is read away.

Not everywhere: a kernel before 6.15 forgets the status, and a sandbox or `ptrace_scope` may keep
one process from another's descriptors. Then an end that nobody saw is unknown, as it always was.
"""

from __future__ import annotations

import array
import ctypes
import json
import os
import signal
import socket
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from msgspec.structs import asdict

from pmond.core.model import ExitStatus
from pmond.runtime.base.failpoints import FailPoint, reached
from pmond.runtime.base.journal import Journal
from pmond.runtime.processes.adopted_exits import reaped_status, tells_exits
from pmond.runtime.processes.identity import Identity, identify, is_alive, open_pidfd, send_signal
from pmond.runtime.processes.reaper import UNKNOWN

_FILE = "keeper"
_PIDFD_GETFD = 438
"""The same number on all architectures; not in Python 3.11."""
_LONGEST_TEXT = 16
_AT_ONCE = 250
"""Descriptors in one message; the kernel takes 253 (SCM_MAX_FD)."""
_SLACK = 64
"""Ended processes that may lie in the queue before it is filled anew, beyond as many as live."""
_KEPT = 12
"""The number there of one more socket, which is held for the next pmond."""
_ENDS = (10, 11)
"""The numbers of the two ends in the keeper: it holds both, so that the next pmond can write to it."""
_PIDFDS, _LAST = b".", b"!"
"""What messages say: here are descriptors; you have seen all that lay in the queue before."""
_BUFFER = 1 << 20
"""Bytes; a message with one descriptor takes about 800 of them."""
_LIFETIME = "3600"
"""Seconds; one whose pmond never comes back must not stay for ever. A living pmond starts the next."""


class ExitStatusHolder:
    """The keeper of one state folder. `problem` says why there is none; empty when there is one."""

    def __init__(self, folder: str | os.PathLike[str], journal: Journal) -> None:
        self._journal = journal
        self._kept: dict[int, int] = {}
        self.problem = ""
        self._path = Path(folder) / _FILE
        self._sending: socket.socket | None = None
        self._receiving: socket.socket | None = None
        self._queued = 0
        self._held: list[int] = []
        self.crowded = False
        """Too much of the queue has ended: `refill` is due."""
        self.identity: Identity | None = None
        self._also: int | None = None

    def take_over(self) -> None:
        """Go on with the keeper of an earlier pmond, and see what it holds."""
        identity = self._recorded()
        if identity is None or not is_alive(identity):
            return
        try:
            self._receiving, self._sending = (
                socket.socket(fileno=_take_descriptor(identity.pid, number)) for number in _ENDS
            )
            reached(FailPoint.KEEPER_TAKEN)
            self._look_through()
            self.identity = identity
        except OSError as error:
            self._journal.warn("keeper.lost", error=str(error))
            self.close()
            with suppress(OSError):
                send_signal(identity, signal.SIGKILL)

    def _look_through(self) -> None:
        """Take a copy of everything in the queue, each message put at its end before it is read away.

        So whenever pmond is killed, the next one finds all of them. The mark is this pmond's own: an
        earlier one may have been killed here, and its mark is not the end.
        """
        assert self._sending is not None and self._receiving is not None
        mark = _LAST + os.urandom(8)
        self._sending.send(mark)
        reached(FailPoint.KEEPER_MARKED)
        while (message := _receive(self._receiving, socket.MSG_PEEK)) is not None and message[0] != mark:
            self._held = message[1]
            self._kept.update((os.fstat(pidfd).st_ino, os.dup(pidfd)) for pidfd in self._held)
            try:
                self._send_held()
                reached(FailPoint.KEEPER_COPIED)
                self._drop_oldest()
            except BlockingIOError:  # no room for two
                self._drop_oldest()
                self._send_held()
        self._drop_oldest()
        self.crowded = True

    def ended(self, pidfd_inode: int) -> ExitStatus:
        """How a process ended that an earlier pmond had started; unknown where nothing tells."""
        pidfd = self._kept.get(pidfd_inode)
        return reaped_status(pidfd) if pidfd is not None else UNKNOWN

    def kept(self) -> frozenset[int] | None:
        """The inodes of the pidfds of all main programs that an earlier pmond saved; None: nobody knows."""
        return frozenset(self._kept) if self._receiving is not None else None

    def release(self) -> None:
        """What was taken over is not needed any more."""
        _close(self._kept.values())
        self._kept.clear()

    def keep_too(self, socket: int | None) -> None:
        """Hold this socket as well, so that nothing is lost that is said while no pmond is there."""
        self._also = socket

    def start(self) -> None:
        """Begin to keep; `problem` says so when that cannot be."""
        if self._sending is not None:
            return  # an earlier pmond's
        if not tells_exits():
            self.problem = "the kernel forgets exit statuses (before Linux 6.15)"
            return
        try:
            self._sending, self._receiving = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            self._sending.setblocking(False)
            self._sending.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)
            self._receiving.setblocking(False)
            self.identity = self._start_process((self._receiving.fileno(), self._sending.fileno()))
            self.crowded = True  # what was adopted is to be held too
        except OSError as error:
            self.problem = f"cannot start the keeper: {error.strerror or error}"
            self.close()

    def begin_anew(self) -> None:
        """Another process is to hold what is to be held now; it is started when this one's end is noticed."""
        if self.identity is not None:
            with suppress(OSError):
                send_signal(self.identity, signal.SIGKILL)

    def was(self, pid: int) -> bool:
        """Whether that process, which has ended, was the keeper; then `start` begins another one."""
        if self.identity is None or pid != self.identity.pid:
            return False
        self.identity = None
        self.close()
        self.crowded = True
        return True

    def hold(self, pid: int) -> int:
        """Take the pidfd of a child that is not reaped, to be sent; its inode, or 0 when there is none."""
        if self._sending is None:
            return 0
        try:
            pidfd = open_pidfd(pid)
        except OSError:
            return 0
        if pidfd is None:
            return 0
        self._held.append(pidfd)
        return os.fstat(pidfd).st_ino

    def send(self, living: int) -> None:
        """Put what is held into the queue; `living` counts all instances that live now."""
        if not self._held:
            return
        try:
            self._send_held()
        except BlockingIOError:
            self.crowded = True
        except OSError as error:
            self.problem = f"the keeper takes no more: {error.strerror or error}"
        finally:
            self._drop_held()
        self.crowded = self.crowded or self._queued > 2 * living + _SLACK

    def refill(self, pids: Iterable[int]) -> None:
        """Put all that live at the end of the queue, and drop what lies before them."""
        self._drop_held()
        before, self._queued = self._queued, 0
        for pid in pids:
            self.hold(pid)
        try:
            while self._held:
                try:
                    self._send_held()
                except BlockingIOError:
                    dropped = self._drop_oldest()
                    before -= dropped
                    if not dropped:
                        raise
            reached(FailPoint.KEEPER_REFILLED)
            while before > 0 and (dropped := self._drop_oldest()):
                before -= dropped
        except OSError as error:
            self.problem = f"the keeper takes no more: {error.strerror or error}"
        finally:
            self._drop_held()
        self.crowded = False

    def end(self) -> None:
        """Nothing is left to be kept: end the process too."""
        if self.identity is not None:
            with suppress(OSError):
                send_signal(self.identity, signal.SIGKILL)
        with suppress(OSError):
            self._path.unlink(missing_ok=True)
        self.close()

    def close(self) -> None:
        """Give the descriptors back."""
        for end in (self._sending, self._receiving):
            if end is not None:
                end.close()
        self._sending = self._receiving = None

    def _send_held(self) -> None:
        assert self._sending is not None
        while batch := self._held[:_AT_ONCE]:
            rights = array.array("i", batch)
            self._sending.sendmsg([_PIDFDS], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
            self._queued += len(batch)
            self.problem = ""
            del self._held[:_AT_ONCE]
            _close(batch)

    def _drop_held(self) -> None:
        _close(self._held)
        self._held.clear()

    def _drop_oldest(self) -> int:
        assert self._receiving is not None
        message = _receive(self._receiving)
        if message is None:
            return 0
        _close(message[1])
        return len(message[1])

    def taken_socket(self) -> int | None:
        """The descriptor of the socket that was held for an earlier pmond; None where there was none."""
        if self.identity is None:
            return None
        with suppress(OSError):
            return _take_descriptor(self.identity.pid, _KEPT)
        return None

    def _start_process(self, ends: tuple[int, int]) -> Identity:
        pid = os.posix_spawn(
            "/bin/sleep",
            ["sleep", _LIFETIME],
            {},
            file_actions=[
                *((os.POSIX_SPAWN_DUP2, end, number) for end, number in zip(ends, _ENDS, strict=True)),
                *([(os.POSIX_SPAWN_DUP2, self._also, _KEPT)] if self._also is not None else []),
                *((os.POSIX_SPAWN_OPEN, number, "/dev/null", os.O_RDWR, 0) for number in range(3)),
            ],
            setsid=True,
        )
        identity = identify(pid)
        if identity is None:
            raise OSError(3, "it ended at once")
        reached(FailPoint.KEEPER_STARTED)
        fresh = self._path.with_suffix(".new")
        fresh.write_text(json.dumps(asdict(identity)), "ascii")
        fresh.replace(self._path)
        return identity

    def _recorded(self) -> Identity | None:
        try:
            return Identity(**json.loads(self._path.read_text("ascii")))
        except (OSError, ValueError, TypeError):
            return None


def _close(descriptors: Iterable[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


def _take_descriptor(pid: int, number: int) -> int:
    """A copy of a descriptor of another process. Raises OSError."""
    pidfd = open_pidfd(pid)
    if pidfd is None:
        raise ProcessLookupError(3, "it is gone")
    try:
        call = ctypes.CDLL(None, use_errno=True).syscall
        found = int(call(_PIDFD_GETFD, pidfd, number, 0))
    finally:
        os.close(pidfd)
    if found < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    os.set_inheritable(found, False)
    return found


def _receive(queue: socket.socket, peek: int = 0) -> tuple[bytes, list[int]] | None:
    """The next message and its descriptors; None when the queue is empty.

    With MSG_PEEK for `peek` it stays there, and the descriptors are copies.
    """
    size = array.array("i").itemsize
    flags = socket.MSG_DONTWAIT | socket.MSG_CMSG_CLOEXEC | peek
    try:
        text, messages, _, _ = queue.recvmsg(_LONGEST_TEXT, socket.CMSG_SPACE(_AT_ONCE * size), flags)
    except BlockingIOError:
        return None
    found = array.array("i")
    for level, kind, data in messages:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            found.frombytes(data[: len(data) - len(data) % size])
    return text, list(found)
