"""Having the rights of a user for the time of a few system calls, in one thread and no other.

Theory of operation: to open a file the kernel asks for the *file system* user of a thread (setfsuid(2)), its
groups, and the capabilities that go and come with that user being root. All of them belong to the thread
alone, as long as the system calls are made themselves: the functions of the C library would change every
thread. So the loop can open a file as somebody in a few microseconds, and nobody else sees it. Signals, and
what others may do to pmond, follow other users of the thread, which stay as they are.

Nothing may be awaited meanwhile, no generator be left, and no thread or process be begun: whoever comes next,
and they, would have the rights too.
"""

from __future__ import annotations

import ctypes
import errno
import functools
import os
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from pmond.runtime.base.path_access import Rights

_SETGROUPS = {
    "x86_64": 116, "aarch64": 159, "riscv64": 159, "loongarch64": 159,
    "ppc64le": 81, "ppc64": 81, "s390x": 206,
}  # fmt: skip
_SETGROUPS_32 = 206
"""Of arm and x86 with 32 bits, also below a kernel with 64."""


@contextmanager
def acting_as(rights: Rights) -> Iterator[None]:
    """This thread has the rights of a user over files, and those alone. Raises PermissionError."""
    own_uid, own_gid, own_groups = os.geteuid(), os.getegid(), os.getgroups()
    try:
        _set_groups(rights.groups)
        _set_ids(rights.gid, rights.uid)
        yield
    finally:
        _set_ids(own_gid, own_uid)
        _set_groups(own_groups)


def _set_ids(gid: int, uid: int) -> None:
    libc = _libc()
    for change, number in ((libc.setfsgid, gid), (libc.setfsuid, uid)):
        change(number)
        # Neither says whether it did; asked again, each answers with what there was before.
        if change(number) & 0xFFFFFFFF != number:
            why = "pmond may not act as another user (it needs CAP_SETUID and CAP_SETGID)"
            raise PermissionError(errno.EPERM, why)


def _set_groups(groups: Sequence[int]) -> None:
    list_of_groups = (ctypes.c_uint32 * len(groups))(*groups)
    if _libc().syscall(ctypes.c_long(_set_groups_number()), ctypes.c_long(len(groups)), list_of_groups) != 0:
        number = ctypes.get_errno()
        raise PermissionError(number, os.strerror(number))


@functools.cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


@functools.cache
def _set_groups_number() -> int:
    """Of the system call. Raises PermissionError where it is not known."""
    if struct.calcsize("P") == 4:
        return _SETGROUPS_32
    number = _SETGROUPS.get(os.uname().machine)
    if number is None:
        raise PermissionError(errno.ENOSYS, f"pmond cannot act as another user on {os.uname().machine}")
    return number
