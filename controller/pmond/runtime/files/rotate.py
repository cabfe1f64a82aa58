"""Rotates one log without losing or repeating a byte: run as a program, it survives pmond's death.

Theory of operation: the process keeps its log open for appending and is never asked to open it
anew. Whole blocks from the beginning of the log are copied to `NAME.TIME.partial` and synced; then
the kernel takes that range out of the log in one step (FALLOC_FL_COLLAPSE_RANGE), while the
process goes on writing at its end; then the copy gets its name. Killed in between, it leaves a
copy without its name: at the next rotation it is either finished or dropped, as the log itself
tells whether the range was taken out. The archives and the log are, one after the other, exactly
what was written. An archive is compressed one rotation later, when no reader can be in it.

ext4, xfs and f2fs have it. Where the file system says no the exit code is 3 and nothing was done.
Only one at a time works on a log: it holds a lock on the folder's `.NAME.rotate`.
"""

# A program of its own: nothing but the standard library, imported by path.
# ruff: noqa: PTH118, PTH119, PTH120, PTH123

from __future__ import annotations

import ctypes
import errno
import fcntl
import gzip
import os
import re
import stat
import sys
import time

COLLAPSE_RANGE = 0x08
NOT_HERE = 3
"""Exit code: this file system cannot do it."""
_CHUNK = 1 << 20
_COMPARED = 1 << 16
PARTIAL = ".partial"


def collapse(file: int, length: int) -> None:
    """Remove the first `length` bytes, which must be whole blocks and not the whole file. Raises OSError."""
    function = ctypes.CDLL(None, use_errno=True).fallocate
    function.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]
    if function(file, COLLAPSE_RANGE, 0, length) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def can_collapse(file: int) -> bool:
    """Whether its file system can do it; `file` is a file to be written over."""
    block = os.fstat(file).st_blksize
    try:
        os.pwrite(file, b"\0" * block * 2, 0)
        collapse(file, block)
    except (OSError, AttributeError):
        return False
    return True


def lock_path(path: str) -> str:
    """The file whose lock guards the rotation of a log, and whose time is that of the last one."""
    return os.path.join(os.path.dirname(path), f".{os.path.basename(path)}.rotate")


def main(path: str, keep: int, compress: bool) -> int:
    """Rotate the log at `path` once; keep so many archives (0: begin to count its age).

    Raises OSError.
    """
    folder = os.open(os.path.dirname(path), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    _become_owner(folder)
    name = os.path.basename(path)
    lock = os.open(f".{name}.rotate", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600, dir_fd=folder)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return 0
    os.utime(lock)
    if keep == 0:
        return 0
    log = os.open(name, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    status = os.fstat(log)
    if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:
        raise OSError(errno.EPERM, "the log is not a plain file of one name")
    _recover(folder, log, name)
    length = (status.st_size - 1) // status.st_blksize * status.st_blksize
    if length > 0:
        _archive(folder, log, name, length, status)
    _tidy(folder, name, keep, compress)
    return 0


def _become_owner(folder: int) -> None:
    """In a folder of somebody else act with the rights of that user, whatever the names there lead to."""
    status = os.fstat(folder)
    if os.geteuid() == 0 and status.st_uid != 0:
        os.setgroups([])
        os.setegid(status.st_gid)
        os.seteuid(status.st_uid)


def _recover(folder: int, log: int, name: str) -> None:
    """Finish or drop what an earlier run left when it was killed."""
    for partial in archives(folder, name, partial=True):
        file = os.open(partial, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=folder)
        recorded = _recorded_size(partial)
        length = os.fstat(file).st_size
        # Smaller than when the copy was whole: the range was taken out. A copy that is not whole says 0.
        whole = recorded > 0
        shrunk = os.fstat(log).st_size < recorded
        if whole and (shrunk or not _same_beginning(log, file, length)):
            os.rename(partial, _final(partial), src_dir_fd=folder, dst_dir_fd=folder)
        else:
            os.unlink(partial, dir_fd=folder)
        os.close(file)


def _archive(folder: int, log: int, name: str, length: int, status: os.stat_result) -> None:
    stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime()) + f"{time.time_ns() // 1000 % 1_000_000:06}"
    growing = f"{name}.{stamp}-0{PARTIAL}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    file = os.open(growing, flags, stat.S_IMODE(status.st_mode), dir_fd=folder)
    os.fchmod(file, stat.S_IMODE(status.st_mode))
    if os.geteuid() == 0:
        os.fchown(file, status.st_uid, status.st_gid)
    try:
        copied = 0
        while copied < length:
            copied += os.copy_file_range(log, file, min(_CHUNK, length - copied), copied, copied)
        os.fsync(file)
        partial = f"{name}.{stamp}-{os.fstat(log).st_size}{PARTIAL}"
        os.rename(growing, partial, src_dir_fd=folder, dst_dir_fd=folder)
        growing = partial
        collapse(log, length)
    except OSError:
        os.unlink(growing, dir_fd=folder)
        raise
    os.rename(partial, _final(partial), src_dir_fd=folder, dst_dir_fd=folder)


def _recorded_size(partial: str) -> int:
    return int(partial.removesuffix(PARTIAL).rpartition("-")[2])


def _final(partial: str) -> str:
    return partial.removesuffix(PARTIAL).rpartition("-")[0]


def _same_beginning(log: int, archive: int, length: int) -> bool:
    position = 0
    while position < length:
        size = min(_COMPARED, length - position)
        if os.pread(log, size, position) != os.pread(archive, size, position):
            return False
        position += size
    return True


def _tidy(folder: int, name: str, keep: int, compress: bool) -> None:
    found = archives(folder, name)
    excess = max(0, len(found) - keep)
    for old in found[:excess]:
        os.unlink(old, dir_fd=folder)
    for plain in found[excess:-1]:
        if compress and not plain.endswith(".gz"):
            _compress(folder, plain)


def _compress(folder: int, name: str) -> None:
    source = os.open(name, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=folder)
    status = os.fstat(source)
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
    fresh = f".{name}.gz{PARTIAL}"
    target = os.open(fresh, flags, stat.S_IMODE(status.st_mode), dir_fd=folder)
    if os.geteuid() == 0:
        os.fchown(target, status.st_uid, status.st_gid)
    with open(source, "rb") as plain, open(target, "wb") as raw:
        with gzip.GzipFile(fileobj=raw, mode="wb", compresslevel=6, mtime=0) as compressed:
            while chunk := plain.read(_CHUNK):
                compressed.write(chunk)
        raw.flush()
        os.fsync(raw.fileno())
    # Readers order archives by their times.
    os.utime(fresh, ns=(status.st_atime_ns, status.st_mtime_ns), dir_fd=folder)
    os.rename(fresh, f"{name}.gz", src_dir_fd=folder, dst_dir_fd=folder)
    os.unlink(name, dir_fd=folder)


def archives(folder: int, name: str, partial: bool = False) -> list[str]:
    """The archives of a log, oldest first; or the copies that have no name yet."""
    end = rf"-\d+{re.escape(PARTIAL)}" if partial else r"(\.gz)?"
    pattern = re.compile(re.escape(name) + r"\.\d{8}T\d{12}" + end)
    return sorted(found for found in os.listdir(folder) if pattern.fullmatch(found))


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1], int(sys.argv[2]), sys.argv[3] == "1"))
    except OSError as problem:
        sys.stderr.write(f"{problem.strerror or problem}\n")
        sys.exit(NOT_HERE if problem.errno in (errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL) else 1)
