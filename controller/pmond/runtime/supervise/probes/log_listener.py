"""Ready probes that are lines: what an instance writes is read until one line matches.

Theory of operation: the end of the log is noted before the program is started, so that nothing which an
earlier run wrote counts. inotify says when to look again. Rotation is followed as readers of logs do
(`log_position`). Matching takes linear time (`patterns`), one look reads no more than a part, and all looks
together have a share of the loop's time: programs can write faster than anybody can read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import IO

from pmon3_schema.patterns import compiled
from pmond.runtime.base.time_share import TimeShare
from pmond.runtime.files import inotify
from pmond.runtime.files.log_files import LogFile
from pmond.runtime.files.log_position import LogPosition, Moved

_LONGEST_LINE = 65536
"""Bytes; of longer lines the end is matched."""
_AT_ONCE = 1 << 18
"""Bytes that one look reads."""


class LogListener:
    """Listens to the logs of one instance, within the time that others share. Made before the start."""

    def __init__(self, logs: Iterable[LogFile], pattern: str, share: TimeShare) -> None:
        self._share = share
        self._pattern = compiled(pattern)
        self._logs = [_Log(log) for log in logs]
        self._inotify: inotify.Inotify | None = None
        self._heard: Callable[[str], None] = lambda line: None

    def listen(self, heard: Callable[[str], None]) -> None:
        """Begin; `heard` is told the first line that matches, and then no more. Raises OSError."""
        self._heard = heard
        self._inotify = inotify.Inotify()
        asyncio.get_running_loop().add_reader(self._inotify.fileno(), self._readable)
        for log in self._logs:
            self._inotify.add(str(log.path.parent), inotify.CREATE | inotify.MOVED_TO)
        self._look()

    def close(self) -> None:
        if self._inotify is not None:
            asyncio.get_running_loop().remove_reader(self._inotify.fileno())
            self._inotify.close()
            self._inotify = None
        for log in self._logs:
            log.close()

    def _readable(self) -> None:
        assert self._inotify is not None
        self._inotify.read()
        self._share.ask(self._look)

    def _look(self) -> None:
        """Read what was added; more of it than one look may read is read in the next turn."""
        if self._inotify is None:
            return
        for log in self._logs:
            if log.open() and not log.is_watched:
                self._inotify.add(log.by_descriptor, inotify.MODIFY)
                log.is_watched = True
            for line in log.lines():
                if self._pattern.search(line) is not None:
                    self.close()
                    self._heard(line.decode("utf-8", "replace"))
                    return
        if any(log.is_behind for log in self._logs):
            self._share.ask(self._look)


class _Log:
    """One file, and how far it was read."""

    def __init__(self, log: LogFile) -> None:
        self.path = log.path
        self.is_behind = False
        self.is_watched = False
        self._log = log
        self._file: IO[bytes] | None = None
        self._place: LogPosition | None = None
        self._rest = b""
        if self.open() and self._place is not None:
            with suppress(OSError, Moved):
                self._place.position = self._place.log_ends()

    def open(self) -> bool:
        """Whether the file is there, and open."""
        if self._file is not None:
            return True
        try:
            self._file = self._log.open()
        except Exception:  # not there yet, or not to be read: then no line of it is ever seen
            return False
        self._place = LogPosition(self._log, self._file)
        return True

    @property
    def by_descriptor(self) -> str:
        """The open file by its descriptor: its name may be another file's."""
        assert self._file is not None
        return f"/proc/self/fd/{self._file.fileno()}"

    def lines(self) -> Iterable[bytes]:
        """Whole lines that were added, as many as one look reads."""
        if self._place is None:
            return
        self.is_behind, read = False, 0
        for chunk in self._place.ahead():
            *lines, rest = (self._rest + chunk).split(b"\n")
            self._rest = rest[-_LONGEST_LINE:]
            yield from (line[-_LONGEST_LINE:] for line in lines)
            read += len(chunk)
            if read >= _AT_ONCE:
                self.is_behind = True
                return

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
