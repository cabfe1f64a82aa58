"""Which instances are just being started: written before the start, so that none is unheard of.

Theory of operation: between the start of a program and the record of its instance, pmond may be
killed. A line with name and number is appended before each start, which costs two microseconds and
is not synced: the page cache outlives pmond, and with the machine the processes die too. The lines
are dropped when the turn that started them has been saved. Whatever is found here at the next
start was started, perhaps: it is found alive by its marker, or it has run and ended, unseen. In
neither case is its number used again, nor a program that is to run once run a second time.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_FILE = "starts"
_LONGEST = 1 << 24
"""Bytes read at most; a full turn leaves some thousand lines."""


class Starts:
    """The file in the state folder. A disk that takes nothing costs this protection, not the start."""

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self._path = Path(folder) / _FILE
        self._file: int | None = None
        self._empty = True
        with suppress(OSError):
            flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
            self._file = os.open(self._path, flags, 0o600)

    def left(self) -> list[tuple[str, int]]:
        """Names and numbers that an earlier pmond was starting when it died, oldest first."""
        if self._file is None:
            return []
        self._empty = False
        return list(_parse(os.pread(self._file, _LONGEST, 0)))

    def note(self, name: str, number: int) -> None:
        """It is about to be started."""
        if self._file is not None:
            self._empty = False
            with suppress(OSError):
                os.write(self._file, os.fsencode(f"{name}:{number}\n"))

    def saved(self) -> None:
        """All that was noted is in the state file now."""
        if self._file is not None and not self._empty:
            with suppress(OSError):
                os.ftruncate(self._file, 0)
                self._empty = True

    def close(self) -> None:
        """Give the file back."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


def _parse(content: bytes) -> Iterator[tuple[str, int]]:
    for line in content.split(b"\n")[:-1]:  # what follows the last newline was cut short
        name, _, number = os.fsdecode(line).rpartition(":")
        if name and number.isascii() and number.isdecimal():
            yield name, int(number)
