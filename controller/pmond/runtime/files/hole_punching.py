"""Taking the beginning of a file away, as far as its file system can.

Theory of operation: a range is punched out (it reads as zeros and takes no room), and a hole at the
beginning is taken out of the file altogether. `mechanism` tries both, since neither names nor
versions of file systems tell what they can.
"""

from __future__ import annotations

import ctypes
import errno
import os

from pmond.runtime.files.archives import first_byte

_KEEP_SIZE, _PUNCH_HOLE, _COLLAPSE_RANGE = 1, 2, 8
UNKNOWN = (errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL)
"""What a file system says of what it cannot do."""


def punch(file: int, length: int) -> None:
    """Free the first `length` bytes; what is read of them is zeros. Raises OSError."""
    _fallocate(file, _PUNCH_HOLE | _KEEP_SIZE, length)


def collapse(file: int, length: int) -> None:
    """Remove the first `length` bytes, which must be whole blocks and not the whole file. Raises OSError."""
    _fallocate(file, _COLLAPSE_RANGE, length)


def _fallocate(file: int, mode: int, length: int) -> None:
    function = ctypes.CDLL(None, use_errno=True).fallocate
    function.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]
    if function(file, mode, 0, length) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def try_hole(file: int) -> None:
    """Make a hole in this empty file, find it, and empty the file. Raises OSError (EOPNOTSUPP)."""
    block = os.fstat(file).st_blksize
    os.pwrite(file, b"x" * block * 2, 0)
    punch(file, block)
    if first_byte(file) != block:
        raise OSError(errno.EOPNOTSUPP, "holes cannot be found")
    os.ftruncate(file, 0)


def mechanism(file: int) -> str:
    """How logs beside this empty file are rotated: ``collapse range``, ``punch hole``, or ``none``."""
    try:
        try_hole(file)
    except (OSError, AttributeError):
        return "none"
    block = os.fstat(file).st_blksize
    os.pwrite(file, b"x" * block * 2, 0)
    try:
        collapse(file, block)
    except OSError:
        return "punch hole"
    return "collapse range"
