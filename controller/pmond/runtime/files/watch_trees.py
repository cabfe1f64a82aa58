"""What the paths that a process watches say: files, and folders with all that is below them.

Hidden entries, those that editors leave, and those that the process ignores do not count; links
to folders are not followed, so that a walk ends. A digest is of names and contents, so touching a
file or writing the same again is no change. Of a file larger than `MOST_BYTES` it is of its stamp, and so
it is of all others when that much has been read below one path that reading takes a second.
"""

# Paths are text here: there are many per look.
# ruff: noqa: PTH112, PTH116, PTH118, PTH123
from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from fnmatch import fnmatch
from hashlib import blake2b

from pmond.runtime.base.path_access import PathAccess
from pmond.runtime.base.regular_files import NotRegular, open_regular
from pmond.runtime.files.watch_paths import Signature, WatchedEntries, follow, is_leftover, stamp

MOST_BYTES = 16 * 1024 * 1024
MOST_BYTES_TOGETHER = 256 * 1024 * 1024
MOST_FILES = 20_000
"""Files and folders below one path that are looked at; inotify's own limits are of that order."""

Ignore = tuple[str, ...]


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


def digest(source: str, ignore: Ignore) -> str:
    """Of the names and contents of all files at a path; empty where there is nothing.

    What cannot be read with the rights that there are counts as one thing, whatever it is.
    """
    if not os.path.isdir(source):
        return _digest_of(source)
    whole = blake2b(digest_size=16)
    left = MOST_BYTES_TOGETHER
    for path in _files(source, ignore):
        whole.update(os.fsencode(os.path.relpath(path, source)) + b"\0")
        whole.update(_digest_of(path, left).encode() + b"\0")
        left -= _size_of(path)
    return whole.hexdigest()


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


def _digest_of(path: str, most: int = MOST_BYTES) -> str:
    try:
        with open(open_regular(path, PathAccess()), "rb") as file:
            status = os.fstat(file.fileno())
            if status.st_size > min(most, MOST_BYTES):
                return repr(stamp(status))
            return blake2b(file.read(MOST_BYTES), digest_size=16).hexdigest()
    except NotRegular:
        return "-"
    except OSError as error:
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
