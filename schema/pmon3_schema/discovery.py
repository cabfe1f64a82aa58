"""Which files are manifests, by their names alone: nothing that reads one is imported for that."""

from __future__ import annotations

import os
import posixpath
from pathlib import Path

SUFFIXES = {".yaml": "yaml", ".yml": "yaml", ".toml": "toml", ".json": "json"}
"""The format of a file by the end of its name."""
MOST_BYTES = 16 * 1024 * 1024
"""A larger file is no manifest, but something that was taken for one."""
_EDITOR_SUFFIXES = ("~", ".swp", ".swo", ".tmp", ".bak", ".orig", ".rej", ".rpmsave", ".rpmnew")


def is_leftover(name: str) -> bool:
    """Whether a file is hidden, an editor's or a package manager's: nobody means it."""
    return name.startswith((".", "#")) or name.endswith(_EDITOR_SUFFIXES) or ".dpkg-" in name


def is_manifest_name(name: str) -> bool:
    """Whether a file of a manifest folder is read: known suffix, not hidden, not an editor's."""
    return not is_leftover(name) and posixpath.splitext(name)[1].lower() in SUFFIXES


def discover(path: str) -> list[str]:
    """The files of a manifest: the path itself, or the manifest files of that folder, sorted bytewise.

    Raises OSError when the folder cannot be listed.
    """
    if not Path(path).is_dir():
        return [path]
    names = (entry.name for entry in Path(path).iterdir())
    return [posixpath.join(path, name) for name in sorted(filter(is_manifest_name, names), key=os.fsencode)]
