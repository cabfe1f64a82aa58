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

# Read by programs of their own: nothing but the standard library. Descriptors are the subject.
# ruff: noqa: PTH118, PTH119, PTH120

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

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


def lock_path(path: str) -> str:
    """The file that guards the rotation of a log: its lock, its cut, and its time is that of the last one."""
    return os.path.join(os.path.dirname(path), f".{os.path.basename(path)}.rotate")


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


def listed(folder: int, name: str) -> list[Archive]:
    """The archives of a log, oldest first, each once; those that are being cut too."""
    kind = rf"(?P<plain>)|\.gz|-(?P<end>\d+){re.escape(CUTTING)}"
    pattern = re.compile(rf"{re.escape(name)}\.(?P<stamp>{_TIME})({kind})")
    found = {}
    # Sorted, the compressed one comes after the one it was made of, which is the safer to read.
    for file in sorted(os.listdir(folder)):
        if (match := pattern.fullmatch(file)) and match["stamp"] not in found:
            found[match["stamp"]] = Archive(match["stamp"], file, int(match["end"]) if match["end"] else None)
    return list(found.values())


def archives_of(path: Path) -> list[Archive]:
    """The same, of the log at this path. Raises OSError."""
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        return listed(folder, path.name)
    finally:
        os.close(folder)


def leavings(folder: int, name: str) -> list[str]:
    """Files that are being made, or that their maker left when it was killed."""
    pattern = re.compile(rf"\.{re.escape(name)}\.{_TIME}(\.gz)?{re.escape(PARTIAL)}")
    return [file for file in os.listdir(folder) if pattern.fullmatch(file)]


def is_ours(file: str, log: str) -> bool:
    """Whether a file of this name is an archive that `listed` knows."""
    return re.fullmatch(rf"{re.escape(log)}\.{_TIME}(\.gz|-\d+{re.escape(CUTTING)})?", file) is not None


def first_byte(log: int) -> int:
    """Where the data of the file begin: behind the hole that rotation has left, if it has."""
    try:
        return os.lseek(log, 0, os.SEEK_DATA)
    except OSError:
        return 0  # empty, or a file system without holes


def become_owner(folder: int) -> None:
    """In a folder of somebody else act with the rights of that user, whatever the names there lead to."""
    status = os.fstat(folder)
    if os.geteuid() == 0 and status.st_uid != 0:
        os.setgroups([])
        os.setegid(status.st_gid)
        os.seteuid(status.st_uid)
