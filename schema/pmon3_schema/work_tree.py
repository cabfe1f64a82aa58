"""Which commit a file's git work tree is at, and whether the file is as it is there, from git's own files.

git itself is not run: a repository may name programs that git would run, and pmond may have
other rights than the owner of the repository. Only what looks like an object name is answered. What
git's index says of a file (gitformat-index(5)) stands for the commit: files that were changed, or that git
does not know, give the mark that `git describe --dirty` gives; what was staged and not committed does not.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

_OBJECT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?\Z")
_MOST_BYTES = 4 * 1024 * 1024
"""Of packed-refs."""
_MOST_INDEX_BYTES = 256 * 1024
"""Some 2,500 files, looked through in a few milliseconds: pmond does so in its loop, at each reload."""
_FIXED = 40
"""Bytes of an entry of the index before its object name."""
_EXTENDED = 0x4000


def commit_of(path: str, contents: Iterable[tuple[str, bytes]]) -> str:
    """The commit that HEAD of the work tree around `path` means; empty where there is none.

    It ends with ``-dirty`` where one of these files, given with what was read, is not as git knows it.
    """
    try:
        for folder in (Path(path), *Path(path).absolute().parents):
            found = folder / ".git"
            if found.exists():
                git = _git_folder(found)
                commit = _head(git)
                dirty = commit and not _is_known(git, folder.absolute(), len(commit) // 2, contents)
                return f"{commit}-dirty" if dirty else commit
    except (OSError, ValueError):
        return ""
    return ""


def _is_known(git: Path, top: Path, size: int, contents: Iterable[tuple[str, bytes]]) -> bool:
    index = git / "index"
    if not index.exists():
        return False
    with index.open("rb") as file:
        data = file.read(_MOST_INDEX_BYTES + 1)
    if len(data) > _MOST_INDEX_BYTES or data[:4] != b"DIRC" or data[7] not in {2, 3}:
        return True  # too large to look into, or of a form that is not known here: nothing is claimed
    known = dict(_entries(data, size))
    return all(
        known.get(bytes(Path(file).absolute().relative_to(top))) == _object(content, size)
        for file, content in contents
    )


def _entries(data: bytes, size: int) -> Iterator[tuple[bytes, bytes]]:
    """Path and object name of each entry."""
    at = 12
    for _ in range(int.from_bytes(data[8:12], "big")):
        flags = at + _FIXED + size
        extended = int.from_bytes(data[flags : flags + 2], "big") & _EXTENDED
        name = flags + (4 if extended else 2)
        end = data.index(0, name)
        yield data[name:end], data[at + _FIXED : flags]
        at += (end - at) // 8 * 8 + 8  # one to eight zeros, so that each entry takes a multiple of eight


def _object(content: bytes, size: int) -> bytes:
    from hashlib import new  # only here: it takes longer to load than the rest of this to run

    kind = "sha1" if size == 20 else "sha256"
    return new(kind, b"blob %d\0" % len(content) + content, usedforsecurity=False).digest()


def _git_folder(found: Path) -> Path:
    """A linked work tree has a file there that names the folder."""
    if found.is_dir():
        return found
    text = _text(found)
    return found.parent / text.removeprefix("gitdir:").strip() if text.startswith("gitdir:") else found


def _head(folder: Path) -> str:
    head = _text(folder / "HEAD").strip()
    if not head.startswith("ref:"):
        return head if _OBJECT.match(head) else ""
    name = head.removeprefix("ref:").strip()
    common = folder / "commondir"
    places = [folder, folder / _text(common).strip()] if common.exists() else [folder]
    if not name.startswith("refs/") or ".." in name:
        return ""
    for place in places:
        if (place / name).is_file():
            commit = _text(place / name).strip()
            return commit if _OBJECT.match(commit) else ""
    return next((found for place in places if (found := _packed(place / "packed-refs", name))), "")


def _packed(path: Path, name: str) -> str:
    if not path.is_file():
        return ""
    for line in _text(path).splitlines():
        commit, _, ref = line.partition(" ")
        if ref == name and _OBJECT.match(commit):
            return commit
    return ""


def _text(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(_MOST_BYTES).decode("utf-8", "replace")
