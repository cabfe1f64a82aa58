"""Opening regular files to read them, which nothing else is opened for.

A file is looked at first (O_PATH), and what was looked at is what is opened then. Opening alone can mean
something to a device (a watchdog arms a reboot), and to whoever waits at the other end of a named pipe.
"""

from __future__ import annotations

import errno
import os
import stat

from pmon3_schema.trust import belongs
from pmond.runtime.base.guarded import StrangerError, find
from pmond.runtime.base.path_access import PathAccess, Way
from pmond.runtime.base.thread_rights import acting_as

_READ = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY


class NotRegular(OSError):
    """There is something else: a folder, a named pipe, a device."""

    def __init__(self) -> None:
        super().__init__(errno.EINVAL, "it is not a regular file")


def open_regular(path: str, access: PathAccess) -> int:
    """A descriptor of the file at an absolute path, with the rights that there are for it.

    Raises OSError: NotRegular, StrangerError.
    """
    return access.perform(
        lambda way: _open(path) if way.guard is None else _open_guarded(path, way), acting_as
    )


def _open(path: str) -> int:
    look = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        _check_regular(os.fstat(look))
        return os.open(f"/proc/self/fd/{look}", _READ)
    finally:
        os.close(look)


def _open_guarded(path: str, way: Way) -> int:
    assert way.guard is not None
    with find(path, way.guard) as place:
        if place.status is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        _check_regular(place.status)
        if not way.allows(place.status.st_uid):
            raise StrangerError(belongs(path, place.status.st_uid))
        return place.open(_READ)


def _check_regular(status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise NotRegular
