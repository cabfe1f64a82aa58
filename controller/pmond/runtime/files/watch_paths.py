"""What a path means: the directory entries that decide it, and the state of the files behind it.

A *source* is a manifest, a folder of manifests or any other file; it need not exist. `WatchedEntries`
names every directory entry whose change can change a source, through any chain of symbolic
links: the ``..data`` of a ConfigMap, the ``current`` of a release, the first component that is
missing. `signature` then tells whether anything did change.
"""

# Paths are text here: there are many per look, and links stay as they are written.
# ruff: noqa: PTH112, PTH114, PTH115, PTH116, PTH118, PTH120, PTH208
from __future__ import annotations

import os
import stat
from collections.abc import Iterable

from msgspec import Struct, field

from pmon3_schema.discovery import is_leftover, is_manifest_name

__all__ = [
    "Signature",
    "WatchedEntries",
    "follow",
    "is_leftover",
    "manifest_names",
    "places",
    "signature",
    "stamp",
]

_MOST_LINKS = 40  # the kernel's own limit, path_resolution(7)

Stamp = tuple[int, int, int, int, int]
"""Of one file: device, inode, size, mtime and ctime in nanoseconds."""

Signature = Stamp | int | tuple[tuple[str, Stamp | int], ...]
"""Of a file, or of each manifest in a folder; an errno says why there is none."""


class WatchedEntries(Struct):
    """Where to look for changes. All directories are free of symbolic links."""

    names: dict[str, set[str]] = field(default_factory=dict)
    """Directory -> the entries in it that count."""
    folders: set[str] = field(default_factory=set)
    """Directories in which every manifest counts."""
    holders: set[str] = field(default_factory=set)
    """Directories in which it matters what is written to the files, not only their names."""
    turns: set[str] = field(default_factory=set)
    """Directories in which an entry that counts is a link, is missing, or is the source itself.

    Anywhere else the entry is a directory, which tells of its own removal; what else happens there,
    perhaps a thousand times a second as in /tmp, need not wake anybody.
    """

    whole: set[str] = field(default_factory=set)
    """Directories in which everything counts."""

    def counts(self, directory: str, name: str) -> bool:
        """Whether a change of this entry may change a source."""
        if name in self.names.get(directory, ()) or directory in self.whole:
            return True
        return directory in self.folders and is_manifest_name(name)


def places(sources: Iterable[str]) -> WatchedEntries:
    """Everything that decides what these sources (absolute paths) are."""
    found = WatchedEntries()
    for source in sources:
        end = follow(source, found)
        if end is None or not os.path.isdir(end):
            continue
        found.folders.add(end)
        found.holders.add(end)
        found.turns.add(end)
        found.names.setdefault(end, set())
        for name in manifest_names(end):
            if os.path.islink(os.path.join(end, name)):
                follow(os.path.join(end, name), found)
    return found


def follow(path: str, found: WatchedEntries) -> str | None:
    """Note each entry on the way of `path`; where the way ends, or None where a part of it is missing."""
    directory, left, links = "/", _parts(path), 0
    while left:
        name = left.pop()
        if name == "..":
            directory = os.path.dirname(directory)
            continue
        found.names.setdefault(directory, set()).add(name)
        if not left:
            found.holders.add(directory)
            found.turns.add(directory)
        here = os.path.join(directory, name)
        try:
            target = os.readlink(here)
        except OSError:
            # Not a link (EINVAL), or not there.
            if not os.path.isdir(here):
                found.turns.add(directory)
                if left or not os.path.lexists(here):
                    return None
            directory = here
            continue
        found.turns.add(directory)
        links += 1
        if links > _MOST_LINKS:
            return None
        directory = "/" if target.startswith("/") else directory
        left.extend(_parts(target))
    return directory


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part not in ("", ".")][::-1]


def manifest_names(folder: str) -> list[str]:
    """The manifests of a folder, sorted by name. Raises OSError."""
    return sorted(name for name in os.listdir(folder) if is_manifest_name(name))


def signature(source: str) -> Signature:
    """Differs from an earlier one when the source may have other content."""
    try:
        status = os.stat(source)
        if not stat.S_ISDIR(status.st_mode):
            return stamp(status)
        return tuple((name, _stamp_of(os.path.join(source, name))) for name in manifest_names(source))
    except OSError as error:
        return error.errno or 0


def stamp(status: os.stat_result) -> Stamp:
    """What changes whenever a file is written or replaced, even with its size and mtime restored."""
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _stamp_of(path: str) -> Stamp | int:
    try:
        return stamp(os.stat(path))
    except OSError as error:
        return error.errno or 0
