"""Opening the log that a process writes to, and making it where there is none."""

# Descriptors are the subject here, and a start is in the event loop.
# ruff: noqa: PTH102, PTH112, PTH120

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING

from pmon3_schema.trust import belongs
from pmond.runtime.base.guarded import GuardedPlace, StrangerError, find
from pmond.runtime.base.thread_rights import acting_as

if TYPE_CHECKING:
    from pmond.runtime.base.path_access import PathAccess, Way

_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK
_NEW = _FLAGS | os.O_CREAT | os.O_EXCL


class NewLog:
    """What a file and the folders above it get that are made; those that exist stay as they are."""

    __slots__ = ("file_mode", "folder_mode", "owner")

    def __init__(self, file_mode: int, folder_mode: int, owner: tuple[int, int] | None) -> None:
        self.file_mode = file_mode
        self.folder_mode = folder_mode
        self.owner = owner
        """uid and gid that a file is given to which was made with pmond's rights; None: nobody."""


def open_log(path: str, new: NewLog, access: PathAccess) -> int:
    """A descriptor that appends to a log.

    Raises OSError, in the words of `guarded` where a stranger could lead it astray; a named pipe without a
    reader is ENXIO, instead of waiting for one.
    """

    def open_on(way: Way) -> int:
        owner = new.owner if way.lent or access.user is None else None
        if way.guard is None:
            return _open_anywhere(path, new, owner)
        with find(path, way.guard, new.folder_mode) as place:
            if place.status is not None:
                return _open_checked(place, way, path)
            try:
                return _given(place.open(_NEW, new.file_mode), new, owner)
            except FileExistsError:
                pass  # another process of that log has made it just now
        with find(path, way.guard) as place:
            return _open_checked(place, way, path)

    log = access.perform(open_on, acting_as)
    os.set_blocking(log, True)
    return log


def _open_checked(place: GuardedPlace, way: Way, path: str) -> int:
    """What is there, if it may be a log on these terms."""
    status = place.status
    if status is None:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
    if not stat.S_ISREG(status.st_mode):
        if way.lent:
            raise OSError(errno.EINVAL, "it is not a regular file")
        return place.open(_FLAGS)  # /dev/null, or where /dev/stdout leads
    if way.lent and status.st_nlink > 1:
        raise PermissionError(errno.EPERM, "the file has several names")
    if not way.allows(status.st_uid):
        raise StrangerError(belongs(path, status.st_uid))
    return place.open(_FLAGS)


def _given(log: int, new: NewLog, owner: tuple[int, int] | None) -> int:
    """A file that was just made, with its mode, whatever the umask, and its owner."""
    try:
        os.fchmod(log, new.file_mode)
        if owner is not None:
            os.fchown(log, *owner)
    except OSError:
        os.close(log)
        raise
    return log


def _open_anywhere(path: str, new: NewLog, owner: tuple[int, int] | None) -> int:
    try:
        return os.open(path, _FLAGS)
    except FileNotFoundError:
        _make_folders(os.path.dirname(path), new.folder_mode)
    try:
        return _given(os.open(path, _NEW, new.file_mode), new, owner)
    except FileExistsError:
        return os.open(path, _FLAGS)  # somebody else created it just now


def _make_folders(folder: str, mode: int) -> None:
    if not folder or os.path.isdir(folder):
        return
    _make_folders(os.path.dirname(folder), mode)
    try:
        os.mkdir(folder, mode)
    except FileExistsError:
        return
    os.chmod(folder, mode)  # noqa: PTH101
