"""Who a pid is: the process that was meant, or another one that got its number.

Theory of operation: a pid names our own child until we reap it. Of any other process it is only
a hint, because the kernel hands numbers out again. An `Identity` adds what does not come back:
the boot, the start time in clock ticks, and on kernels that have it (6.9) the inode of the pidfd,
which is never reused while the system runs. Signals to anything but an unreaped child of ours go
through a pidfd whose identity was checked after it was opened, so that no number can change hands
between check and signal.
"""

from __future__ import annotations

import errno
import functools
import os
import re
import select
import signal
import time
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from msgspec import Struct

_GONE = {errno.ESRCH, errno.ENOENT, errno.EINVAL}
"""EINVAL: what pidfd_open may say of a process that is just ending."""
_UNSEEN = _GONE | {errno.EACCES, errno.EPERM}
_AT_ONCE = 1 << 16
_TOO_LONG = 11
"""More digits than any pid has."""
_UID = re.compile(rb"^Uid:\t([0-9]{1,10})\t", re.MULTILINE)
_PF_KTHREAD = 0x00200000
_NO_PIDFD = {errno.ENOSYS, errno.EPERM}
"""Kernels before 5.3, and sandboxes that filter the call."""


class Stat(NamedTuple):
    """The fields of /proc/PID/stat that supervision needs; see proc_pid_stat(5)."""

    state: str
    parent: int
    group: int
    session: int
    ticks: int
    """Processor time used, user and system, in clock ticks."""
    start_ticks: int
    """When it started, in clock ticks since boot."""
    resident_pages: int
    exit_status: int
    """Wait status of a zombie; 0 also when the reader may not see it."""
    waited_ticks: int
    """The same as `ticks` of children that have ended and that it has waited for."""
    flags: int
    """The kernel's own; see `is_kernels`."""

    @property
    def is_kernels(self) -> bool:
        """Whether it is a thread of the kernel, which has neither environment nor arguments."""
        return bool(self.flags & _PF_KTHREAD)


def parse_stat(text: bytes) -> Stat:
    """The fields of one /proc/PID/stat. The program's name may hold spaces and parentheses.

    Raises ValueError for text that is none of these, or cut short.
    """
    end = text.rindex(b")")
    # Field 3, the state, is fields[0]: every index is the number in the manual page minus 3.
    fields = text[end + 2 :].split()
    try:
        return Stat(
            fields[0].decode("ascii"),
            int(fields[1]),
            int(fields[2]),
            int(fields[3]),
            int(fields[11]) + int(fields[12]),
            int(fields[19]),
            int(fields[21]),
            int(fields[49]) if len(fields) > 49 else 0,
            int(fields[13]) + int(fields[14]),
            int(fields[6]),
        )
    except IndexError:
        raise ValueError(f"not a whole line of /proc/PID/stat: {text!r}") from None


def read_stat(pid: int) -> Stat | None:
    """What /proc says of a process; None when there is none of that number, or it is not ours to see.

    Raises OSError when we cannot look: no descriptor is left, say.
    """
    try:
        file = os.open(f"/proc/{pid}/stat", os.O_RDONLY | os.O_CLOEXEC)
        try:
            return parse_stat(os.read(file, 4096))
        finally:
            os.close(file)
    except ValueError:
        return None
    except OSError as error:
        if error.errno in _UNSEEN:
            return None
        raise


def read_whole(file: str) -> bytes:
    """A file of /proc, for a third of what a file object costs. Raises OSError."""
    descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    try:
        content = more = os.read(descriptor, _AT_ONCE)
        while more:
            more = os.read(descriptor, _AT_ONCE)
            content += more
        return content
    finally:
        os.close(descriptor)


def pids_in(content: bytes) -> list[int]:
    """The pids in a file of the kernel that lists some."""
    return [int(number) for number in content.split() if number.isdigit() and len(number) < _TOO_LONG]


@functools.cache
def boot_id() -> str:
    """The kernel's name of this boot; with another one, no recorded process is alive."""
    return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()


def start_ticks(pid: int) -> int | None:
    """When a process started, in clock ticks since boot; None when it does not exist."""
    stat = read_stat(pid)
    return stat.start_ticks if stat else None


def age_of(identity: Identity) -> float:
    """Seconds since its start; as the kernel counts them, to a hundredth."""
    ticks = os.sysconf("SC_CLK_TCK")
    return max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - identity.start_ticks / ticks)


def real_uid(pid: int) -> int | None:
    """The real user of a process; None when there is none to be seen. Raises OSError when we cannot look."""
    try:
        found = _UID.search(read_whole(f"/proc/{pid}/status"))
    except OSError as error:
        if error.errno in _UNSEEN:
            return None
        raise
    return int(found[1]) if found else None


@functools.cache
def _pidfds_have_inodes() -> bool:
    """Before kernel 6.9 all pidfds share the one inode of anonymous files, as eventfds still do."""
    try:
        pidfd = os.pidfd_open(os.getpid())
    except OSError:
        return False
    with closing(_Descriptor(pidfd)), closing(_Descriptor(os.eventfd(0))) as anonymous:
        return os.fstat(pidfd).st_dev != os.fstat(anonymous.number).st_dev


class _Descriptor:
    def __init__(self, number: int) -> None:
        self.number = number

    def close(self) -> None:
        os.close(self.number)


def open_pidfd(pid: int) -> int | None:
    """A pidfd (the caller closes it); None when there is no such process.

    Raises OSError when the kernel has none to give: ENOSYS, EPERM (sandbox), EMFILE.
    """
    if pid <= 1:
        return None
    try:
        return os.pidfd_open(pid)
    except OSError as error:
        if error.errno in _GONE:
            return None
        raise


def pidfd_inode(pid: int) -> int:
    """The never reused number of a process; 0 when the kernel has none or the process is gone."""
    if not _pidfds_have_inodes():
        return 0
    pidfd = open_pidfd(pid)
    if pidfd is None:
        return 0
    with closing(_Descriptor(pidfd)):
        return os.fstat(pidfd).st_ino


class Identity(Struct, frozen=True):
    """One process for ever: what is recorded of it and compared before it is touched."""

    pid: int
    start_ticks: int
    boot_id: str
    pidfd_inode: int = 0
    """0: not known; then the start time decides alone."""


def identify(pid: int) -> Identity | None:
    """The identity of a process that exists now; None when there is none."""
    ticks = start_ticks(pid)
    if ticks is None:
        return None
    found = Identity(pid, ticks, boot_id(), pidfd_inode(pid))
    # The number may have changed hands between the two looks.
    return found if start_ticks(pid) == ticks else None


def is_alive(identity: Identity) -> bool:
    """Whether that very process still runs. A zombie does not."""
    stat = _same(identity)
    return stat is not None and runs(identity.pid, stat)


def runs(pid: int, stat: Stat) -> bool:
    """Whether a process that was just read runs. A zombie does not."""
    if stat.state == "X":
        return False
    # A leader thread that ended shows as a zombie while the process's other threads run on.
    return stat.state != "Z" or _threads_run(pid)


def send_signal(identity: Identity, number: int) -> bool:
    """Signal a process that is not our own unreaped child; False when it is gone.

    Raises PermissionError when it may not be signalled, OSError when no pidfd is to be had.
    """
    if identity.pid <= 1:
        return False
    try:
        pidfd = open_pidfd(identity.pid)
    except OSError as error:
        if error.errno not in _NO_PIDFD:
            raise
        return _send_by_number(identity, number)
    if pidfd is None:
        return False
    with closing(_Descriptor(pidfd)):
        # Checked after opening: from here on the pidfd can mean no other process.
        if not means(pidfd, identity):
            return False
        try:
            signal.pidfd_send_signal(pidfd, number)
        except ProcessLookupError:
            return False
        return True


def _send_by_number(identity: Identity, number: int) -> bool:
    # Without pidfds the smallest window that there is: look, then signal at once.
    if not is_alive(identity):
        return False
    try:
        os.kill(identity.pid, number)
    except ProcessLookupError:
        return False
    return True


def means(pidfd: int, identity: Identity) -> bool:
    """Whether a pidfd, once opened by that number, means that very process, alive or ended."""
    if identity.boot_id != boot_id():
        return False
    if identity.pidfd_inode and _pidfds_have_inodes():
        return os.fstat(pidfd).st_ino == identity.pidfd_inode
    return _same(identity) is not None


def _same(identity: Identity) -> Stat | None:
    if identity.pid <= 1 or identity.boot_id != boot_id():
        return None
    stat = read_stat(identity.pid)
    if stat is None or stat.start_ticks != identity.start_ticks:
        return None
    if identity.pidfd_inode and _pidfds_have_inodes() and pidfd_inode(identity.pid) != identity.pidfd_inode:
        return None
    return stat


def _threads_run(pid: int) -> bool:
    try:
        pidfd = open_pidfd(pid)
    except OSError:
        return False
    if pidfd is None:
        return False
    with closing(_Descriptor(pidfd)):
        poll = select.poll()
        poll.register(pidfd, select.POLLIN)
        return not poll.poll(0)
