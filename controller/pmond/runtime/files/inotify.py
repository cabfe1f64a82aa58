"""inotify through ctypes: the kernel says which directory entries and files changed.

Only what `watch` and `logs` need of inotify(7). A descriptor is made readable by events, so it
is registered with the event loop and costs nothing while nothing changes. Names are bytes: a
file name need not be valid UTF-8.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
import termios

from msgspec import Struct

# include/uapi/linux/inotify.h
MODIFY = 0x0002
ATTRIB = 0x0004
CLOSE_WRITE = 0x0008
MOVED_FROM = 0x0040
MOVED_TO = 0x0080
CREATE = 0x0100
DELETE = 0x0200
DELETE_SELF = 0x0400
MOVE_SELF = 0x0800
UNMOUNT = 0x2000
Q_OVERFLOW = 0x4000
IGNORED = 0x8000
ONLYDIR = 0x01000000
MASK_ADD = 0x20000000
ISDIR = 0x40000000
ONESHOT = 0x80000000

_HEADER = struct.Struct("iIII")
_BUFFER = 65536


class InotifyEvent(Struct, frozen=True):
    """One change. `watch` is -1 when the queue overflowed and events were lost."""

    watch: int
    mask: int
    name: bytes


class Inotify:
    """One inotify instance. Raises OSError: EMFILE (too many instances), ENOSYS (no inotify)."""

    def __init__(self) -> None:
        try:
            import ctypes  # some Pythons are built without it

            libc = ctypes.CDLL(None, use_errno=True)
            init, self._add, self._remove = libc.inotify_init1, libc.inotify_add_watch, libc.inotify_rm_watch
        except (ImportError, AttributeError):
            raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS)) from None
        self._last_errno = ctypes.get_errno
        self._add.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_uint32)
        self._descriptor: int = init(os.O_NONBLOCK | os.O_CLOEXEC)
        if self._descriptor < 0:
            raise self._error()

    def fileno(self) -> int:
        return self._descriptor

    def add(self, path: str, mask: int) -> int:
        """Watch what `path` names; the watch's number, the same one for the same file or folder.

        Raises OSError: ENOENT, ENOTDIR, EACCES, ENOSPC (too many watches).
        """
        number: int = self._add(self._descriptor, os.fsencode(path), mask)
        if number < 0:
            raise self._error(path)
        return number

    def remove(self, watch: int) -> None:
        """End a watch; one that the kernel has ended already is no error."""
        self._remove(self._descriptor, watch)

    def read(self) -> list[InotifyEvent]:
        """The events so far; empty when there are none."""
        try:
            data = os.read(self._descriptor, _BUFFER)
        except BlockingIOError:
            return []
        events, offset = [], 0
        while offset < len(data):
            watch, mask, _cookie, length = _HEADER.unpack_from(data, offset)
            offset += _HEADER.size
            events.append(InotifyEvent(watch, mask, data[offset : offset + length].rstrip(b"\0")))
            offset += length
        return events

    def unread(self) -> bool:
        """Whether the kernel has queued events."""
        answer = fcntl.ioctl(self._descriptor, termios.FIONREAD, b"\0" * 4)
        return any(answer)

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _error(self, path: str | None = None) -> OSError:
        code = self._last_errno()
        return OSError(code, os.strerror(code), path)
