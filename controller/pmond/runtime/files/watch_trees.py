"""What the paths that a process watches say: files, and folders with all that is below them.

Hidden entries, those that editors leave, and those that the process ignores do not count; links
to folders are not followed, so that a walk ends. A digest is of names and contents, so touching a
file or writing the same again is no change. Of a file larger than `MOST_BYTES` it is of its stamp, and so
it is of all others when that much has been read below one path that reading takes a second.
"""

# Paths are text here: there are many per look.
# ruff: noqa: PTH112, PTH116, PTH118, PTH120, PTH123
from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from fnmatch import fnmatch
from hashlib import blake2b

from pmond.runtime.files.watch_paths import Signature, WatchedEntries, follow, is_leftover, stamp

MOST_BYTES = 16 * 1024 * 1024
MOST_BYTES_TOGETHER = 256 * 1024 * 1024
MOST_FILES = 20_000
"""Files and folders below one path that are looked at; inotify's own limits are of that order."""

Ignore = tuple[str, ...]
MayRead = Callable[[int], bool]
"""Asked with an open descriptor of a file or a folder whether what it holds may count."""


def tree_places(sources: Iterable[str], ignored: Callable[[str], Ignore]) -> WatchedEntries:
    """Everything that decides what these sources (absolute paths) are."""
    found = WatchedEntries()
    for source in sources:
        end = follow(source, found)
        if end is None or not os.path.isdir(end):
            continue
        for folder, _ in _walk(end, ignored(source)):
            found.whole.add(folder)
            found.holders.add(folder)
            found.turns.add(folder)
            found.names.setdefault(folder, set())
    return found


def tree_signature(source: str, ignore: Ignore) -> Signature:
    """Differs from an earlier one when the source may have other content."""
    try:
        status = os.stat(source)
        if not stat.S_ISDIR(status.st_mode):
            return stamp(status)
        return tuple((path, _stamp_of(path)) for path in _files(source, ignore))
    except OSError as error:
        return error.errno or 0


def digest(source: str, ignore: Ignore, may_read: MayRead) -> str:
    """Of the names and contents of all files at a path; empty where there is nothing."""
    if not os.path.isdir(source):
        return _digest_of(source, may_read)
    if not _may_read_folder(source, may_read):
        return "-"
    whole = blake2b(digest_size=16)
    seen: dict[str, bool] = {}
    left = MOST_BYTES_TOGETHER
    for path in _files(source, ignore):
        folder = os.path.dirname(path)
        if folder not in seen:
            seen[folder] = _may_read_folder(folder, may_read)
        if not seen[folder]:
            continue
        whole.update(os.fsencode(os.path.relpath(path, source)) + b"\0")
        whole.update(_digest_of(path, may_read, left).encode() + b"\0")
        left -= _size_of(path)
    return whole.hexdigest()


def _may_know(path: str, may_read: MayRead) -> bool:
    """Whether it may be known that there is nothing: by who may list the last folder on the way."""
    folder = os.path.realpath(path)
    while not os.path.isdir(folder):
        folder = os.path.dirname(folder)
    return _may_read_folder(folder, may_read)


def _may_read_folder(folder: str, may_read: MayRead) -> bool:
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return may_read(descriptor)
    except OSError:
        return False
    finally:
        os.close(descriptor)


def _files(source: str, ignore: Ignore) -> list[str]:
    found: list[str] = []
    for folder, names in _walk(source, ignore):
        found += (os.path.join(folder, name) for name in names)
    return sorted(found[:MOST_FILES])


def _walk(source: str, ignore: Ignore) -> Iterator[tuple[str, list[str]]]:
    def counts(name: str) -> bool:
        return not is_leftover(name) and not any(fnmatch(name, pattern) for pattern in ignore)

    left = MOST_FILES
    for folder, below, names in os.walk(source):
        below[:] = sorted(name for name in below if counts(name))  # the same ones each time, if not all
        found = [name for name in names if counts(name)]
        yield folder, found
        left -= 1 + len(found)
        if left <= 0:
            return


def _digest_of(path: str, may_read: MayRead, most: int = MOST_BYTES) -> str:
    try:
        # A FIFO or a device must not block us, nor be opened at all: that alone may mean something to it.
        if not stat.S_ISREG(os.stat(path).st_mode):
            return "-"
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
        with open(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode) or not may_read(descriptor):
                return "-"
            if status.st_size > min(most, MOST_BYTES):
                return repr(stamp(status))
            return blake2b(file.read(MOST_BYTES), digest_size=16).hexdigest()
    except OSError as error:
        if not _may_know(path, may_read):
            return "-"
        return "" if error.errno == errno.ENOENT else f"errno {error.errno}"


def _stamp_of(path: str) -> tuple[int, int, int, int, int] | int:
    try:
        return stamp(os.stat(path))
    except OSError as error:
        return error.errno or 0


def _size_of(path: str) -> int:
    """What reading it cost, about."""
    try:
        size = os.stat(path).st_size
    except OSError:
        return 0
    return size if size <= MOST_BYTES else 0
