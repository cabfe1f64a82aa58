"""The files of an input: which were named, what is in them, and where relative paths begin.

Theory of operation: a manifest's relative paths count from its own folder, and it is meant to be kept in the
folder of what was converted, the *home*. What a tool finds from another folder is written as seen from home.
"""

from __future__ import annotations

import glob
import os
import posixpath
import re
from pathlib import Path

from pmon3.converting.settings import CannotConvert
from pmon3_schema.formats.source import Unreadable, decode

STDIN = "-"


class InputFiles:
    """Reads files once each, and knows where paths begin."""

    def __init__(self, home: str) -> None:
        self.home = home or "."
        """The folder that the manifest is to be kept in, as it was named."""
        self.read: set[str] = set()
        """Real paths of what has been read."""

    def bytes_of(self, path: str) -> bytes:
        """The content of a file. Raises CannotConvert, OSError."""
        self.read.add(str(Path(path).resolve()))
        return Path(path).read_bytes()

    def text_of(self, path: str) -> str:
        """The text of a file. Raises CannotConvert, OSError."""
        return text(self.bytes_of(path))

    def matching(self, folder: str, pattern: str) -> list[str]:
        """Files that a pattern of a tool means, seen from a folder, in order."""
        found = glob.glob(posixpath.join(folder, pattern))  # noqa: PTH207 - patterns of tools are of this kind
        return sorted(name for name in found if Path(name).is_file())

    def seen_from_home(self, path: str, *folders: str) -> str:
        """A path as the manifest writes it. It counts from the first of the folders, that one from the next.

        The last one is where a file of the input lies. What is absolute in the input stays so.
        """
        result = posixpath.expanduser(path)
        for folder in folders[:-1]:
            result = posixpath.join(posixpath.expanduser(folder), result) if folder else result
        if result.startswith("/"):
            return result if ".." in result.split("/") else posixpath.normpath(result)
        result = os.path.relpath(posixpath.join(folders[-1] if folders else self.home, result), self.home)
        return result if result.startswith(".") else f"./{result}"


def text(content: bytes) -> str:
    """The text of a file. Raises CannotConvert."""
    try:
        return decode(content).replace("\r\n", "\n")
    except Unreadable as unreadable:
        raise CannotConvert(unreadable.problem.message) from unreadable


def lines_of(written: str) -> list[str]:
    """Lines as files have them: not those that Python sees at other characters, such as U+2028, too."""
    return re.split(r"\r\n|\r|\n", written)
