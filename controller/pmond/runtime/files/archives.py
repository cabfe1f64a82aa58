"""What rotation leaves beside a log, for those who rotate it and those who read it.

Theory of operation: everything that was ever written is the archives, one after the other, and
then the log from its first byte on. That byte is where the data of the file begin: a hole at its
beginning is what was cut out. `.NAME.rotate` holds the *cut*: which archive was cut out last, and
how many bytes in all; one write of it decides that an archive counts. From then until the bytes
are out of the log the archive bears the place in its name where the log goes on:

    .NAME.TIME.partial     being copied; nothing was decided
    NAME.TIME-END.cutting  copied whole; once the cut names it, the log goes on at byte END
    NAME.TIME              cut out of the log
    .NAME.TIME.gz.partial  being compressed
    NAME.TIME.gz           compressed; NAME.TIME may be there a moment longer
"""

# Read by programs of their own: nothing but the standard library, and modules of ours that need no more.
# ruff: noqa: PTH120

from __future__ import annotations

import errno
import os
import re
import stat
from typing import TYPE_CHECKING, NamedTuple

from pmon3_schema.trust import belongs
from pmond.runtime.base.guarded import StrangerError, open_folder
from pmond.runtime.base.path_access import ActingAs, PathAccess, Way

if TYPE_CHECKING:
    from collections.abc import Iterable

PARTIAL = ".partial"
CUTTING = ".cutting"
NOT_HERE = 3
"""Exit code of `rotate`: this file system cannot do it."""
_TIME = r"\d{8}T\d{12}"


class Archive(NamedTuple):
    """Bytes that were taken, or are being taken, out of a log."""

    stamp: str
    """Its time, which orders the archives of a log."""
    name: str
    """Of the file that holds it."""
    end: int | None = None
    """While it is being cut: where the log goes on."""


class Cut(NamedTuple):
    """What was cut out of a log so far."""

    stamp: str = ""
    """Of the newest archive that counts."""
    total: int = 0
    """Bytes, in all archives there ever were."""


def lock_name(log: str) -> str:
    """The file that guards the rotation of a log: its lock, its cut, and its time is that of the last one."""
    return f".{log}.rotate"


def read_cut(lock: int) -> Cut:
    """The cut that this file holds; none when it holds nothing yet."""
    before = None
    # A write may be seen in the making, but not twice the same.
    while (text := os.pread(lock, 64, 0)) != before:
        before = text
    found = re.fullmatch(rb"(\S+) (\d+)\n", text)
    return Cut(found[1].decode(), int(found[2])) if found else Cut()


def write_cut(lock: int, cut: Cut) -> None:
    """Decide, for good. Raises OSError."""
    os.pwrite(lock, b"%s %020d\n" % (cut.stamp.encode(), cut.total), 0)
    os.fsync(lock)


def listed(folder: int, log: str) -> list[Archive]:
    """The archives of a log, oldest first, each once; those that are being cut too."""
    return among(os.listdir(folder), log)


def among(names: Iterable[str], log: str) -> list[Archive]:
    """The same of a folder with these names in it."""
    kind = rf"(?P<plain>)|\.gz|-(?P<end>\d+){re.escape(CUTTING)}"
    pattern = re.compile(rf"{re.escape(log)}\.(?P<stamp>{_TIME})({kind})")
    found = {}
    # Sorted, the compressed one comes after the one it was made of, which is the safer to read.
    for file in sorted(names):
        if (match := pattern.fullmatch(file)) and match["stamp"] not in found:
            found[match["stamp"]] = Archive(match["stamp"], file, int(match["end"]) if match["end"] else None)
    return list(found.values())


def leavings(folder: int, name: str) -> list[str]:
    """Files that are being made, or that their maker left when it was killed."""
    pattern = _being_made(name)
    return [file for file in os.listdir(folder) if pattern.fullmatch(file)]


def _being_made(log: str) -> re.Pattern[str]:
    return re.compile(rf"\.{re.escape(log)}\.{_TIME}(\.gz)?{re.escape(PARTIAL)}")


def is_ours(file: str, log: str) -> bool:
    """Whether a file of this name is an archive that `listed` knows."""
    return re.fullmatch(rf"{re.escape(log)}\.{_TIME}(\.gz|-\d+{re.escape(CUTTING)})?", file) is not None


def is_left_by_rotation(file: str, log: str) -> bool:
    """Whether a file of this name is an archive of the log, in whatever state, or guards its rotation."""
    return is_ours(file, log) or file == lock_name(log) or bool(_being_made(log).fullmatch(file))


def first_byte(log: int) -> int:
    """Where the data of the file begin: behind the hole that rotation has left, if it has."""
    try:
        return os.lseek(log, 0, os.SEEK_DATA)
    except OSError:
        return 0  # empty, or a file system without holes


def enter(path: str, access: PathAccess) -> tuple[int, Way]:
    """The folder of a log that is to be rotated or compressed, and on what terms; for a program of its own.

    From then on this program has the rights of the user of the process for good, unless those of pmond are
    needed. Raises OSError.
    """

    def go(way: Way) -> tuple[int, Way]:
        place = os.path.dirname(path)
        if way.guard is None:
            folder = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        else:
            folder = open_folder(place, way.guard)
        if not os.access(".", os.W_OK | os.X_OK, dir_fd=folder, effective_ids=True):
            raise PermissionError(errno.EACCES, f"cannot write to {place}")
        return folder, way

    folder, way = access.perform(go, ActingAs)
    if access.user is not None and not way.lent:
        access.user.become()
    return folder, way


def open_plain(name: str, folder: int, flags: int, way: Way) -> int:
    """A regular file in a folder, that may be used on these terms. Raises OSError."""
    status = os.stat(name, dir_fd=folder, follow_symlinks=False)
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EPERM, f"{name} is not a plain file")
    if not way.allows(status.st_uid):
        raise StrangerError(belongs(name, status.st_uid))
    file = os.open(name, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise OSError(errno.EPERM, f"{name} is not a plain file any more")
    return file
