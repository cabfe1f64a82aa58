"""Cutting the beginning off a file while others append to it: FALLOC_FL_COLLAPSE_RANGE.

Theory of operation: the range, whole blocks from the beginning, is taken out and everything after
it moves down, in one step under the lock of the file; writers that opened it for appending go on
at its new end. ext4, xfs and f2fs have it; others answer EOPNOTSUPP.
"""

from __future__ import annotations

import ctypes
import errno
import functools
import os
from collections.abc import Callable

_COLLAPSE_RANGE = 0x08


def collapse(file: int, length: int) -> None:
    """Remove the first `length` bytes, which must be whole blocks and not the whole file. Raises OSError."""
    _change(file, _COLLAPSE_RANGE, length)


def can_collapse(file: int) -> bool:
    """Whether its file system can do it; `file` is a file to be written over."""
    block = os.fstat(file).st_blksize
    try:
        os.pwrite(file, b"\0" * block * 2, 0)
        collapse(file, block)
    except OSError:
        return False
    return True


def _change(file: int, mode: int, length: int) -> None:
    if _fallocate()(file, mode, 0, length) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


@functools.cache
def _fallocate() -> Callable[[int, int, int, int], int]:
    try:
        function = ctypes.CDLL(None, use_errno=True).fallocate
    except (OSError, AttributeError):
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS)) from None
    function.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]
    function.restype = ctypes.c_int
    return lambda *arguments: int(function(*arguments))
