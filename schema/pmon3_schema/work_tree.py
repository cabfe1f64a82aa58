"""Which commit a file's git work tree is at, read from git's own files.

git itself is not run: a repository may name programs that git would run, and pmond may have
other rights than the owner of the repository. Only what looks like an object name is answered.
"""

from __future__ import annotations

import re
from pathlib import Path

_OBJECT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?\Z")
_MOST_BYTES = 4 * 1024 * 1024
"""Of packed-refs."""


def commit_of(path: str) -> str:
    """The commit that HEAD of the work tree around `path` means; empty where there is none."""
    try:
        for folder in (Path(path), *Path(path).absolute().parents):
            found = folder / ".git"
            if found.exists():
                return _head(_git_folder(found))
    except (OSError, ValueError):
        return ""
    return ""


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
