"""Which instances are just being started or stopped: written before it is done, so that none is unheard of.

Theory of operation: between the start of a program and the record of its instance, pmond may be
killed, and so it may between a signal and the record that it was sent. A line with name and number
is appended before each start, and one that also says why before each stop; that costs two microseconds and
is not synced: the page cache outlives pmond, and with the machine the processes die too. The lines
are dropped when the turn that they belong to has been saved. Whatever start is found here at the next
start of pmond was done, perhaps: it is found alive by its marker, or it has run and ended, unseen. In
neither case is its number used again, nor a program that is to run once run a second time. And whatever
stop is found here was perhaps asked for: an end of that instance is no end of its own.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from pmond.core.model import Ending

_FILE = "starts"
_ENDINGS = frozenset(Ending)
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
        words = (line.rpartition(":") for line in self._lines())
        return [(name, int(number)) for name, _, number in words if name and _is_number(number)]

    def stops_left(self) -> dict[tuple[str, int], Ending]:
        """What an earlier pmond was stopping when it died, and why."""
        found = {}
        for line in self._lines():
            start, _, why = line.rpartition(":")
            name, _, number = start.rpartition(":")
            if name and _is_number(number) and why in _ENDINGS:
                found[name, int(number)] = Ending(why)
        return found

    def note(self, name: str, number: int) -> None:
        """It is about to be started."""
        self._append(f"{name}:{number}")

    def note_stop(self, name: str, number: int, ending: Ending) -> None:
        """It is about to be asked to end."""
        self._append(f"{name}:{number}:{ending}")

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

    def _append(self, line: str) -> None:
        if self._file is not None:
            self._empty = False
            with suppress(OSError):
                os.write(self._file, os.fsencode(f"{line}\n"))

    def _lines(self) -> Iterator[str]:
        if self._file is None:
            return
        self._empty = False
        content = os.pread(self._file, _LONGEST, 0)
        for line in content.split(b"\n")[:-1]:  # what follows the last newline was cut short
            yield os.fsdecode(line)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal()
