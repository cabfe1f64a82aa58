"""What the paths that a process watches say: files, and folders with all that is below them.

Hidden entries, those that editors leave, and those that the process ignores do not count; links
to folders are not followed, so that a walk ends. A digest is of names and contents, so touching a
file or writing the same again is no change; of a file larger than `MOST_BYTES` it is of its stamp.
"""

# Paths are text here: there are many per look.
# ruff: noqa: PTH112, PTH116, PTH118, PTH123
from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator
from fnmatch import fnmatch
from hashlib import blake2b

from pmond.runtime.files.watch_paths import Places, Signature, follow, is_leftover, stamp

MOST_BYTES = 16 * 1024 * 1024
MOST_FILES = 20_000
"""Files below one path that are looked at; inotify's own limits are of that order."""

Ignore = tuple[str, ...]
MayRead = Callable[[int], bool]
"""Asked with an open descriptor whether what it holds may count."""


def tree_places(sources: Iterable[str], ignored: Callable[[str], Ignore]) -> Places:
    """Everything that decides what these sources (absolute paths) are."""
    found = Places()
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
    whole = blake2b(digest_size=16)
    for path in _files(source, ignore):
        whole.update(os.fsencode(os.path.relpath(path, source)) + b"\0")
        whole.update(_digest_of(path, may_read).encode() + b"\0")
    return whole.hexdigest()


def _files(source: str, ignore: Ignore) -> list[str]:
    found: list[str] = []
    for folder, names in _walk(source, ignore):
        found += (os.path.join(folder, name) for name in names)
        if len(found) >= MOST_FILES:
            break
    return sorted(found[:MOST_FILES])


def _walk(source: str, ignore: Ignore) -> Iterator[tuple[str, list[str]]]:
    def counts(name: str) -> bool:
        return not is_leftover(name) and not any(fnmatch(name, pattern) for pattern in ignore)

    for folder, below, names in os.walk(source):
        below[:] = [name for name in below if counts(name)]
        yield folder, [name for name in names if counts(name)]


def _digest_of(path: str, may_read: MayRead) -> str:
    try:
        # A FIFO or a device must not block us or be disturbed.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
        with open(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode) or not may_read(descriptor):
                return "-"
            if status.st_size > MOST_BYTES:
                return repr(stamp(status))
            return blake2b(file.read(MOST_BYTES), digest_size=16).hexdigest()
    except FileNotFoundError:
        return ""
    except OSError as error:
        return f"errno {error.errno}"


def _stamp_of(path: str) -> tuple[int, int, int, int, int] | int:
    try:
        return stamp(os.stat(path))
    except OSError as error:
        return error.errno or 0
