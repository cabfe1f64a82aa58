"""Compresses the archives of a log, all but the newest: a program of its own, in no hurry.

Theory of operation: it takes longer than the log may take to grow, so it is not part of rotating
and has no lock on the log; only on the archive it works on, so that two do not do the same work.
The compressed file is whole and on the disk before it gets its name, and the plain one goes last:
killed in between, both say the same, and readers and `rotate` know that they are one.
"""

# ruff: noqa: PTH119

from __future__ import annotations

import errno
import fcntl
import gzip
import os
import stat
import sys

from pmond.runtime.base.path_access import PathAccess, Way
from pmond.runtime.files.archives import PARTIAL, enter, listed, open_plain

_CHUNK = 1 << 20
_NICE = 10
"""Behind the processes that pmond is for."""


def main(path: str, access: PathAccess) -> None:
    """Compress until all but the newest archive of the log at `path` are. Raises OSError."""
    folder, way = enter(path, access)
    while plain := _oldest(folder, os.path.basename(path), way):
        try:
            source = open_plain(plain, folder, os.O_RDONLY, way)
        except FileNotFoundError:
            continue  # rotated away meanwhile
        try:
            fcntl.flock(source, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _compress(folder, plain, source)
        except BlockingIOError:
            return  # another one is at it, and will go on with the next
        finally:
            os.close(source)


def _oldest(folder: int, name: str, way: Way) -> str | None:
    plain = [one.name for one in listed(folder, name)[:-1] if one.end is None]
    return next((one for one in plain if not one.endswith(".gz") and way.allows(_owner(folder, one))), None)


def _owner(folder: int, name: str) -> int | None:
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False).st_uid
    except FileNotFoundError:
        return None


def _compress(folder: int, name: str, source: int) -> None:
    status = os.fstat(source)
    fresh = f".{name}.gz{PARTIAL}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
    target = os.open(fresh, flags, 0o600, dir_fd=folder)
    try:
        _write(source, target)
        os.fchmod(target, stat.S_IMODE(status.st_mode))
        if os.geteuid() == 0:
            os.fchown(target, status.st_uid, status.st_gid)
        # Readers order archives of others by their times.
        os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))
        os.fsync(target)
    except OSError:
        _unlink(folder, fresh)
        raise
    finally:
        os.close(target)
    try:
        os.rename(fresh, f"{name}.gz", src_dir_fd=folder, dst_dir_fd=folder)
    except FileNotFoundError:
        return  # its archive was removed, and it with it
    _unlink(folder, name)


def _write(source: int, target: int) -> None:
    with (
        open(source, "rb", buffering=0, closefd=False) as plain,
        open(target, "wb", closefd=False) as raw,
        gzip.GzipFile(fileobj=raw, mode="wb", compresslevel=6, mtime=0) as compressed,
    ):
        while chunk := plain.read(_CHUNK):
            compressed.write(chunk)


def _unlink(folder: int, name: str) -> None:
    try:
        os.unlink(name, dir_fd=folder)
    except FileNotFoundError:
        return


def program(arguments: list[str]) -> int:
    """The exit code. `arguments`: path, `PathAccess` as text."""
    os.nice(_NICE)
    try:
        main(arguments[0], PathAccess.decode(arguments[1]))
    except OSError as problem:
        full = " (it is kept as it is)" if problem.errno == errno.ENOSPC else ""
        sys.stderr.write(f"cannot compress: {problem.strerror or problem}{full}\n")
        return 1
    return 0
