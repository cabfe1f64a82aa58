"""Rotates one log without losing or repeating a byte: run as a program, it survives pmond's death.

Theory of operation: the process keeps its log open for appending and is never asked to open it
anew. Whole blocks from the first byte of the log on are copied to an archive and synced; the cut
is written, which decides that they count as archived; then they are punched out of the log
(FALLOC_FL_PUNCH_HOLE), while the process goes on writing at its end; the archive gets its name.
What is a hole at the beginning of the log by then is taken out in one step where the file system
can (FALLOC_FL_COLLAPSE_RANGE: ext4, xfs, f2fs); elsewhere it stays: it takes no room, and `first_byte`
is where the log begins (btrfs, tmpfs, zfs, ext3, nfs 4.2).

Killed between any two steps, the log and its archives read the same (see `archives`), and the
next run goes on where this one stopped. Where holes cannot be made the exit code is 3 and nothing
was done. Only one at a time works on a log: it holds the lock of `.NAME.rotate`.
"""

# ruff: noqa: PTH119, PTH208

from __future__ import annotations

import errno
import fcntl
import os
import stat
import sys
import time

from pmond.runtime.base.path_access import PathAccess, Way
from pmond.runtime.files.archives import (
    CUTTING,
    NOT_HERE,
    PARTIAL,
    Archive,
    Cut,
    enter,
    first_byte,
    leavings,
    listed,
    lock_name,
    open_plain,
    read_cut,
    write_cut,
)
from pmond.runtime.files.hole_punching import UNKNOWN, collapse, punch, try_hole

_CHUNK = 1 << 20
_PARTS = 3
"""Archives that a log becomes which takes all the room there is."""


def main(path: str, access: PathAccess, keep: int, total: int) -> int:
    """Rotate the log at `path` once; keep so many archives (0: begin to count its age).

    `total`: bytes that the log and its archives may take; 0: any. Raises OSError.
    """
    folder, way = enter(path, access)
    name = os.path.basename(path)
    lock = _open_lock(folder, name, way)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return 0
    os.utime(lock)
    if keep > 0:
        log = open_plain(name, folder, os.O_RDWR, way)
        _Rotation(folder, lock, log, name).run(keep, total)
    return 0


def _open_lock(folder: int, name: str, way: Way) -> int:
    """It is of whoever rotates, which is pmond or the user of the process."""
    mark, of_any = lock_name(name), Way(None, None, lent=way.lent)
    try:
        return open_plain(mark, folder, os.O_RDWR, of_any)
    except FileNotFoundError:
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        return os.open(mark, flags, 0o600, dir_fd=folder)


class _Rotation:
    """One rotation of one log, under its lock."""

    def __init__(self, folder: int, lock: int, log: int, name: str) -> None:
        self.folder = folder
        self.lock = lock
        self.log = log
        self.name = name
        self.status = os.fstat(log)
        if self.status.st_nlink > 1:
            raise OSError(errno.EPERM, "the log has several names")

    def run(self, keep: int, total: int) -> None:
        """Finish what an earlier one has left, archive, remove what is too much."""
        for file in leavings(self.folder, self.name):
            if not file.endswith(f".gz{PARTIAL}"):
                os.unlink(file, dir_fd=self.folder)
        for archive in listed(self.folder, self.name):
            if archive.end is not None:
                self._cut(archive)
        begin, block = first_byte(self.log), self.status.st_blksize
        size = self.status.st_size
        end = (size - 1) // block * block
        for cut in cuts(begin, end, block, keep, total - (size - end) if total else None):
            # The copy takes as much again until the bytes are cut out.
            self._tidy(keep, total - (size - begin) - (cut - begin) if total else None)
            self._cut(self._copy(begin, cut))
            begin = cut
        self._collapse()
        left = os.fstat(self.log).st_size - first_byte(self.log)
        self._tidy(keep, total - left if total else None)

    def _copy(self, begin: int, end: int) -> Archive:
        """A copy of these bytes of the log, whole and on the disk."""
        stamp = self._stamp()
        growing, final = f".{self.name}.{stamp}{PARTIAL}", f"{self.name}.{stamp}-{end}{CUTTING}"
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        file = os.open(growing, flags, 0o600, dir_fd=self.folder)
        try:
            os.fchmod(file, stat.S_IMODE(self.status.st_mode))
            if os.geteuid() == 0:
                os.fchown(file, self.status.st_uid, self.status.st_gid)
            try_hole(file)
            copied = begin
            while copied < end:
                copied += _copy_some(self.log, file, min(_CHUNK, end - copied), copied, copied - begin)
            os.fsync(file)
            os.rename(growing, final, src_dir_fd=self.folder, dst_dir_fd=self.folder)
        except OSError:
            os.unlink(growing, dir_fd=self.folder)
            raise
        finally:
            os.close(file)
        os.fsync(self.folder)
        return Archive(stamp, final, end)

    def _cut(self, archive: Archive) -> None:
        """Let the archive count, and take its bytes out of the log; again, if it was begun before."""
        file = os.open(archive.name, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=self.folder)
        length, end = os.fstat(file).st_size, archive.end or 0
        cut = read_cut(self.lock)
        if cut.stamp < archive.stamp:
            write_cut(self.lock, Cut(archive.stamp, cut.total + length))
        if os.fstat(self.log).st_size > end and self._is_in_log(file, length, end - length):
            punch(self.log, end)
        os.close(file)
        final = archive.name.rpartition("-")[0]
        os.rename(archive.name, final, src_dir_fd=self.folder, dst_dir_fd=self.folder)

    def _is_in_log(self, file: int, length: int, begin: int) -> bool:
        """Whether the log has these bytes still, or holes; else somebody else has emptied it meanwhile."""
        block = self.status.st_blksize
        for at in range(0, length, block):
            size = min(block, length - at)
            found = os.pread(self.log, size, begin + at)
            if found != os.pread(file, size, at) and found.strip(b"\0"):
                return False
        return True

    def _collapse(self) -> None:
        """Take the hole out of the file, where the file system can: then its size is what it holds."""
        block = self.status.st_blksize
        if length := first_byte(self.log) // block * block:
            try:
                collapse(self.log, length)
            except OSError as error:
                if error.errno not in UNKNOWN:
                    raise

    def _stamp(self) -> str:
        """The time, or a little more than that of the newest archive: clocks are set back."""
        seconds, rest = divmod(time.time_ns(), 1_000_000_000)
        stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime(seconds)) + f"{rest // 1000:06}"
        newest = max((one.stamp for one in listed(self.folder, self.name)), default="")
        newest = max(newest, read_cut(self.lock).stamp)
        if stamp > newest:
            return stamp
        day, _, time_of_day = newest.partition("T")
        return f"{day}T{int(time_of_day) + 1:012}"

    def _tidy(self, keep: int, room: int | None) -> None:
        """Remove the oldest archives beyond so many, and beyond so many bytes."""
        found = listed(self.folder, self.name)
        compressed = {f"{one.name}.gz" for one in found}
        for twice in compressed & set(os.listdir(self.folder)):
            self._unlink(twice.removesuffix(".gz"))
        found = listed(self.folder, self.name)
        sizes = [self._size(one.name) for one in found]
        while found and (len(found) > keep or (room is not None and sum(sizes) > room)):
            self._unlink(found.pop(0).name)
            sizes.pop(0)
        kept = {f".{one.name}.gz{PARTIAL}" for one in found}
        for file in leavings(self.folder, self.name):
            if file not in kept:
                self._unlink(file)

    def _size(self, name: str) -> int:
        try:
            return os.stat(name, dir_fd=self.folder, follow_symlinks=False).st_size
        except FileNotFoundError:  # compressed meanwhile
            return 0

    def _unlink(self, name: str) -> None:
        try:
            os.unlink(name, dir_fd=self.folder)
        except FileNotFoundError:
            return  # compressed meanwhile


def cuts(begin: int, end: int, block: int, keep: int, room: int | None) -> list[int]:
    """The ends of the archives that these bytes of a log become: one, unless it would take most of the room.

    A log may have grown far beyond its total, while no pmond was there, say. Of many archives only the
    oldest go, of one all does.
    """
    if end <= begin:
        return []
    if room is None or room < block or end - begin <= room // _PARTS:
        return [end]
    most = max(block, room // min(keep, _PARTS) // block * block)
    return [*range(end - (end - begin - 1) // most * most, end, most), end]


def _copy_some(log: int, file: int, size: int, begin: int, at: int) -> int:
    try:
        copied = os.copy_file_range(log, file, size, begin, at)
    except OSError as error:
        if error.errno not in (*UNKNOWN, errno.EXDEV):
            raise
        copied = os.pwrite(file, os.pread(log, size, begin), at)
    if copied == 0:
        raise OSError(errno.ESTALE, "the log was emptied meanwhile")
    return copied


def program(arguments: list[str]) -> int:
    """The exit code. `arguments`: path, `PathAccess` as text, keep, total."""
    try:
        path, access, keep, total = arguments
        return main(path, PathAccess.decode(access), int(keep), int(total))
    except OSError as problem:
        sys.stderr.write(f"{problem.strerror or problem}\n")
        return NOT_HERE if problem.errno in (errno.EOPNOTSUPP, errno.ENOSYS) else 1
