"""Notices that processes ended which are not our children: adopted from an earlier pmond.

Theory of operation: a pidfd becomes readable when its process ends, whoever its parent is, and
hangs up when the parent reaps it. The exit status is found in two places, one after the other:
in /proc/PID/stat while it is a zombie, and from the pidfd (PIDFD_GET_INFO, kernel 6.15) once it
was reaped. Where neither gives it, it is unknown, which is said and not guessed.

All pidfds are in one private epoll, which the event loop watches as one descriptor: a sixth of
the memory of as many readers, and one-shot events, since an ended process stays readable.

Where no pidfd is to be had (before Linux 5.3, in some sandboxes, or no descriptor is left) nothing
tells of an end. Such a process, and only such, is looked at every second.
"""

from __future__ import annotations

import asyncio
import fcntl
import functools
import os
import re
import select
import struct
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from pmond.core.model import ExitStatus
from pmond.runtime.processes.identity import Identity, is_alive, means, open_pidfd, read_stat
from pmond.runtime.processes.reaper import UNKNOWN, OnExit, decode_wait_status

_INFO = struct.Struct("=QQ11Ii")
"""struct pidfd_info of linux/pidfd.h, first version: mask, cgroup id, eleven numbers, exit code."""
_PIDFD_GET_INFO = 0xC000FF0B | _INFO.size << 16
"""_IOWR(0xFF, 11, struct pidfd_info)."""
_INFO_EXIT = 1 << 3
_UNREAPED_LIMIT = 3.0
"""Seconds that a parent may take to reap before the status is called unknown."""
_BETWEEN_LOOKS = 1.0
"""Seconds between two looks at a process without a pidfd."""
_HIGH = 1024
"""Above the numbers that most programs may use."""
_CAP_SYS_PTRACE = 19


class _WatchedExit(Struct):
    identity: Identity
    on_exit: OnExit
    pidfd: int
    deadline: asyncio.TimerHandle | None = None


class AdoptedExits:
    """Reports the exit of each watched process once."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._epoll = select.epoll()
        self._watched: dict[int, _WatchedExit] = {}
        self._unseen: dict[Identity, OnExit] = {}
        self._timer: asyncio.TimerHandle | None = None
        loop.add_reader(self._epoll.fileno(), self._look)

    def watch(self, identity: Identity, on_exit: OnExit) -> bool:
        """Watch a process; False when it is gone already, and then nothing will be reported."""
        try:
            pidfd = open_pidfd(identity.pid)
        except OSError:
            return self._look_for(identity, on_exit)
        if pidfd is None:
            return False
        # Checked after opening: the pidfd can mean no other process. If it has ended, it says so.
        if not means(pidfd, identity):
            os.close(pidfd)
            return False
        pidfd = _out_of_the_way(pidfd)
        self._watched[pidfd] = _WatchedExit(identity, on_exit, pidfd)
        self._epoll.register(pidfd, select.EPOLLIN | select.EPOLLONESHOT)
        return True

    def forget(self, pid: int) -> None:
        """Watch it no more."""
        for watched in [watched for watched in self._watched.values() if watched.identity.pid == pid]:
            self._drop(watched)
        self._unseen = {one: told for one, told in self._unseen.items() if one.pid != pid}

    def close(self) -> None:
        """Forget all and give back the descriptors."""
        for watched in list(self._watched.values()):
            self._drop(watched)
        if self._timer is not None:
            self._timer.cancel()
        self._loop.remove_reader(self._epoll.fileno())
        self._epoll.close()

    def _look_for(self, identity: Identity, on_exit: OnExit) -> bool:
        """Without a pidfd: look from time to time."""
        self._unseen[identity] = on_exit
        if self._timer is None:
            self._timer = self._loop.call_later(_BETWEEN_LOOKS, self._look_for_all)
        return True

    def _look_for_all(self) -> None:
        self._timer = None
        unseen, self._unseen = self._unseen, {}
        for identity, on_exit in unseen.items():
            # Alive: perhaps there is a descriptor for it by now.
            if not is_alive(identity) or not self.watch(identity, on_exit):
                self._tell(identity, on_exit, zombie_status(identity))

    def _look(self) -> None:
        for pidfd, events in self._epoll.poll(0):
            watched = self._watched.get(pidfd)
            if watched is not None:
                self._handle(watched, reaped=bool(events & (select.EPOLLHUP | select.EPOLLERR)))

    def _handle(self, watched: _WatchedExit, reaped: bool) -> None:
        status = reaped_status(watched.pidfd) if reaped else zombie_status(watched.identity)
        if status.known or reaped:
            self._finish(watched, status)
        elif watched.deadline is None:
            # No events asked for: a hang-up is reported all the same.
            self._epoll.modify(watched.pidfd, select.EPOLLONESHOT)
            watched.deadline = self._loop.call_later(_UNREAPED_LIMIT, self._finish, watched, UNKNOWN)

    def _finish(self, watched: _WatchedExit, status: ExitStatus) -> None:
        self._drop(watched)
        self._tell(watched.identity, watched.on_exit, status)

    def _tell(self, identity: Identity, on_exit: OnExit, status: ExitStatus) -> None:
        try:
            on_exit(identity.pid, status)
        except Exception as error:  # the next exits must be noticed whatever this one brought about
            message = f"cannot handle the exit of process {identity.pid}"
            self._loop.call_exception_handler({"message": message, "exception": error})

    def _drop(self, watched: _WatchedExit) -> None:
        if watched.deadline is not None:
            watched.deadline.cancel()
        self._watched.pop(watched.pidfd, None)
        self._epoll.unregister(watched.pidfd)
        os.close(watched.pidfd)


def _out_of_the_way(descriptor: int) -> int:
    """The same under a high number, if it may have one.

    The limit of open files is a limit of numbers, and that of children is lent to pmond while it
    starts one (`spawn`). The low numbers are left to what is opened meanwhile.
    """
    try:
        moved = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, _HIGH)
    except OSError:
        return descriptor
    os.close(descriptor)
    return moved


def reaped_status(pidfd: int) -> ExitStatus:
    """How a reaped process ended; unknown before kernel 6.15, and while it is not reaped."""
    buffer = bytearray(_INFO.size)
    _INFO.pack_into(buffer, 0, _INFO_EXIT, *[0] * 13)
    try:
        fcntl.ioctl(pidfd, _PIDFD_GET_INFO, buffer)
    except OSError:
        return UNKNOWN
    mask, *_, status = _INFO.unpack(buffer)
    return decode_wait_status(status) if mask & _INFO_EXIT else UNKNOWN


def tells_exits() -> bool:
    """Whether the kernel keeps the exit status in the pidfd: PIDFD_GET_INFO of 6.15.

    Asked of ourselves, who have not ended: kernels that know the question leave the bit out.
    """
    try:
        pidfd = os.pidfd_open(os.getpid())
    except OSError:
        return False
    buffer = bytearray(_INFO.size)
    _INFO.pack_into(buffer, 0, _INFO_EXIT, *[0] * 13)
    try:
        fcntl.ioctl(pidfd, _PIDFD_GET_INFO, buffer)
    except OSError:
        return False
    finally:
        os.close(pidfd)
    return _kernel() >= (6, 15)


def _kernel() -> tuple[int, ...]:
    """Its version; 6.13 knows the question, but not the answer."""
    return tuple(int(part) for part in re.findall(r"\d+", os.uname().release)[:2])


def zombie_status(identity: Identity) -> ExitStatus:
    """How a process ended that nobody has reaped yet; unknown when it is gone or not ours to see."""
    stat = read_stat(identity.pid)
    if stat is None or stat.state not in {"Z", "X"} or stat.start_ticks != identity.start_ticks:
        return UNKNOWN
    # The kernel shows 0 to whoever may not see it: only then is a 0 no answer.
    if stat.exit_status == 0 and not _may_inspect(identity.pid):
        return UNKNOWN
    return decode_wait_status(stat.exit_status)


def _may_inspect(pid: int) -> bool:
    if _inspects_all():
        return True
    own = [*os.getresuid(), *os.getresgid()]
    return len(set(own[:3])) == len(set(own[3:])) == 1 and list(_credentials(pid)) == own


@functools.cache
def _inspects_all() -> bool:
    capabilities = next(_status_lines(os.getpid(), "CapEff"))
    return bool(int(capabilities, 16) & 1 << _CAP_SYS_PTRACE)


def _credentials(pid: int) -> Iterator[int]:
    """Real, effective and saved user, then the same three of the group; nothing when it is gone."""
    try:
        for line in _status_lines(pid, "Uid", "Gid"):
            yield from [int(number) for number in line.split()[:3]]
    except (FileNotFoundError, ProcessLookupError):
        return


def _status_lines(pid: int, *names: str) -> Iterator[str]:
    for line in Path(f"/proc/{pid}/status").read_text("utf-8", "replace").splitlines():
        name, _, value = line.partition(":")
        if name in names:
            yield value
