"""Notes how far logs have come and when, so that lines have times although programs write them themselves.

Theory of operation: a log that nobody writes to is watched by the kernel alone. One that is written to is
looked at every two seconds: its size, and when it was written to last, which the file system tells exactly.
That is a mark. After some looks in vain it is left to the kernel again. At each start it is noted where the
run begins. What is known is kept in the state folder at most once a minute, in a thread.
"""

# A thousand logs are looked at every two seconds: their paths stay text, which costs less.
# ruff: noqa: PTH116

from __future__ import annotations

import asyncio
import math
import os
import stat
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from typing import Protocol

from msgspec import Struct

from pmond.core.actions import Action, Start
from pmond.core.events import ProcessEvent
from pmond.core.model import State
from pmond.runtime.base.journal import Journal
from pmond.runtime.base.long_work import cooperative_map, in_thread
from pmond.runtime.files.log_files import LogFile
from pmond.runtime.files.log_index import LogIndex
from pmond.runtime.files.resting_logs import RestingLogs
from pmond.runtime.state.log_times_file import LogTimesFile, StoredLogTimes

BETWEEN_LOOKS = 2.0
"""Seconds; by so much the time of a line can be late."""
TICK = time.clock_getres(5)  # CLOCK_REALTIME_COARSE of include/uapi/linux/time.h
"""Seconds; by so much the time that a file was written at can be too early."""
IN_VAIN = 5
"""Looks until a log is left to the kernel."""
SOON = 0.5
"""Seconds until the log of a process that was touched is looked at."""
BREATH = 0.02
"""Seconds between some logs and the next, when there are many."""
SAVED_AFTER = 60.0
AT_ONCE = 64


class TimedLog(Struct):
    """One log: what is known of it, and how it was found at the last look."""

    times: LogIndex
    owner: str
    """A process that writes to it."""
    identity: tuple[int, int] | None = None
    """Device and inode; None: it was not there."""
    size: int = 0
    in_vain: int = 0


class LogsOfProcesses(Protocol):
    """What is to be known of the logs of a process; of one that there is not, nothing."""

    def paths(self, name: str) -> Sequence[str]: ...

    def end_of(self, name: str, path: str) -> int | None:
        """The position of the end of one of them; None where it cannot be found out."""


class Timekeeper:
    """Keeps the times of all logs."""

    def __init__(self, logs: LogsOfProcesses, file: LogTimesFile, journal: Journal) -> None:
        self._known = logs
        self._file = file
        self._journal = journal
        self._left = {one.path: one for one in file.read()}
        self._logs: dict[str, TimedLog] = {}
        self._awake: set[str] = set()
        self._new: dict[str, None] = {}
        """Processes whose logs are to be looked at as soon as there is time."""
        self._queue: list[str] = []
        """Logs that are to be looked at in this round."""
        self._resting = RestingLogs(self._woke)
        self._timer: asyncio.TimerHandle | None = None
        self._saving: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None

    def follow(self, names: Iterable[str]) -> None:
        """Know the logs of these processes from now on."""
        self._new.update(dict.fromkeys(names))
        self._look_later(SOON)

    def turn_ended(self, before: Mapping[str, State], happened: Sequence[ProcessEvent]) -> None:
        """They may have other logs now, and have written to them."""
        self.follow(before)

    def perform(self, action: Action) -> bool:
        """Note where a run begins to write; the start itself is somebody else's."""
        if isinstance(action, Start):
            for path in dict.fromkeys(self._known.paths(action.name)):
                log = self._log(path, action.name)
                self._look_at(path, log)
                log.times.run_began(action.name, action.number, self._known.end_of(log.owner, path) or 0)
                self._save_later()
        return False

    def times(self, name: str, file: LogFile) -> LogIndex:
        """What is known of a log of this process, up to now, for somebody who may read it.

        Raises PmonError, OSError when that is not so.
        """
        path = str(file.path)
        log = self._log(path, name)
        self._look_at(path, log)
        with file.open() as opened:  # a look follows links; what they led to is not told
            is_it = _identity(os.fstat(opened.fileno())) == log.identity
        return log.times if is_it else LogIndex()

    @property
    def is_busy(self) -> bool:
        """Whether any log is to be looked at again; else all of them are left to the kernel."""
        return self._timer is not None

    def close(self) -> None:
        """Look no more, and keep what is known."""
        for timer in (self._timer, self._saving):
            if timer is not None:
                timer.cancel()
        self._resting.close()
        self.save()

    def save(self) -> None:
        """Keep what is known, now."""
        self._write([self._stored(path, log) for path, log in self._logs.items()])

    def _log(self, path: str, name: str) -> TimedLog:
        log = self._logs.get(path)
        if log is not None:
            return log
        log = self._logs[path] = TimedLog(LogIndex(), name)
        left = self._left.pop(path, None)
        if left is not None:
            with suppress(OSError, ValueError):
                if _identity(os.stat(path)) == left.identity:
                    log.times.know(left.positions, left.moments, left.runs)
                    log.identity = left.identity
        return log

    def _look_at(self, path: str, log: TimedLog) -> bool:
        """Note where the log ends; whether it has come further."""
        try:
            status = os.stat(path)
        except OSError:
            if log.identity is not None:
                log.times.forget()
                log.identity = None
            return False
        if log.identity != (identity := _identity(status)):
            if log.identity is not None:
                log.times.forget()
            log.identity, log.size = identity, 0
        elif status.st_size == log.size or not stat.S_ISREG(status.st_mode):
            return False
        end = self._known.end_of(log.owner, path)
        log.size = status.st_size
        if end is None or not log.times.ended_at(end, _written_by(status)):
            return False
        self._save_later()
        return True

    def _woke(self, path: str) -> None:
        log = self._logs.get(path)
        if log is not None:
            log.in_vain = 0
            self._awake.add(path)
            self._look_later(BETWEEN_LOOKS)

    def _look_later(self, seconds: float) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(seconds, self._look)

    def _look(self) -> None:
        """At some of those that are to be looked at."""
        self._timer = None
        if not self._queue and not self._new:
            self._queue = list(self._awake)
        for name in list(islice(self._new, AT_ONCE)):
            del self._new[name]
            for path in dict.fromkeys(self._known.paths(name)):
                self._log(path, name)
                self._queue.append(path)
        for path in self._queue[-AT_ONCE:]:
            self._look_or_rest(path)
        del self._queue[-AT_ONCE:]
        if self._queue or self._new:
            self._look_later(BREATH)
        elif self._awake:
            self._look_later(BETWEEN_LOOKS)

    def _look_or_rest(self, path: str) -> None:
        log = self._logs.get(path)
        if log is None:
            return
        if self._look_at(path, log):
            log.in_vain = 0
            self._awake.add(path)
            return
        log.in_vain += 1
        if path in self._awake and log.in_vain < IN_VAIN:
            return
        # What was written before the watch was there is told by nobody else.
        if log.identity is not None and self._resting.rest_by_name(path) and self._look_at(path, log):
            self._awake.add(path)
        else:
            self._awake.discard(path)

    def _save_later(self) -> None:
        if self._saving is None:
            self._saving = asyncio.get_running_loop().call_later(SAVED_AFTER, self._begin_to_save)

    def _begin_to_save(self) -> None:
        self._saving = None
        self._task = asyncio.get_running_loop().create_task(self._save_slowly())

    async def _save_slowly(self) -> None:
        gone = await cooperative_map(list(self._logs.items()), self._gone)
        for path in filter(None, gone):
            del self._logs[path]
            self._awake.discard(path)
        stored = await cooperative_map(list(self._logs.items()), lambda one: self._stored(*one))
        await in_thread(self._write, stored)

    def _gone(self, one: tuple[str, TimedLog]) -> str:
        """The path of a log that no process has any more."""
        path, log = one
        return "" if path in self._known.paths(log.owner) else path

    def _stored(self, path: str, log: TimedLog) -> StoredLogTimes:
        return StoredLogTimes(path, log.identity or (0, 0), *log.times.written_down())

    def _write(self, logs: Sequence[StoredLogTimes]) -> None:
        try:
            self._file.write(logs)
        except OSError as error:  # such as of a full disk: times become rough, and nothing else
            self._journal.warn("log.times_not_kept", error=str(error))


def _written_by(status: os.stat_result) -> float:
    """When it was written to last, never too early, in whole milliseconds, as times are told."""
    return math.ceil(min(status.st_mtime + TICK, time.time()) * 1000) / 1000


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino
