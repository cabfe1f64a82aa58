"""When to rotate which log: looks at sizes as often as they can matter, and starts `rotate`.

Theory of operation: only logs of processes with `log_rotate` are looked at. How soon again is decided
by how they grow (`log_growth`); one that nobody writes to is looked at when somebody does
(`resting_logs`), and all are at each resync. The work is done by programs of their own
(`rotation_programs`), so neither copying nor compressing holds up the loop, and it is not lost when
pmond is killed. Compressing follows each rotation, and the next rotation does not wait for it, so a log
that grows faster than it can be compressed is kept in size nevertheless.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from msgspec import Struct

from pmon3_schema.errors import PmonError
from pmon3_schema.process_parts import LogRotateSpec
from pmond.core.events import ProcessEvent
from pmond.core.model import ExitStatus, State
from pmond.runtime.base.clock import Clock
from pmond.runtime.base.journal import Journal
from pmond.runtime.files import archives, log_growth
from pmond.runtime.files.log_files import LogFile
from pmond.runtime.files.log_growth import LATEST, SOONEST, Growth
from pmond.runtime.files.resting_logs import RestingLogs
from pmond.runtime.observers.rotation_programs import RotationPrograms


class RotatedLog(Struct, frozen=True):
    """A log, and when to rotate it."""

    file: LogFile
    spec: LogRotateSpec


class LogsToRotate(Protocol):
    """The logs of running processes that are to be rotated."""

    def by_path(self) -> Mapping[str, RotatedLog]: ...

    def any_of(self, names: Iterable[str]) -> bool:
        """Whether one of these processes has such a log."""


class LogRotator:
    """Keeps logs below their sizes."""

    def __init__(
        self, logs: LogsToRotate, environment: Mapping[str, str], clock: Clock, journal: Journal
    ) -> None:
        self._known = logs
        self._clock = clock
        self._logs: Mapping[str, RotatedLog] = {}
        self._grown: dict[str, Growth] = {}
        self._due: dict[str, float] = {}
        """When a log is to be looked at again; those that rest are not there."""
        self._programs = RotationPrograms(environment, clock, journal)
        self._resting = RestingLogs(self._woke)
        self._timer: asyncio.TimerHandle | None = None
        self._gathering: asyncio.TimerHandle | None = None

    def turn_ended(self, before: Mapping[str, State], happened: Sequence[ProcessEvent]) -> None:
        """One that has such a log may have been started."""
        if self._known.any_of(before):
            self.schedule_check()

    def look_again(self) -> None:
        """Look at all logs now."""
        self._gather()
        self._look_at_those(self._logs)

    def schedule_check(self, seconds: float = SOONEST) -> None:
        """Find new logs within this time: pmond or a process with such a log was started."""
        if self._gathering is None:
            self._gathering = asyncio.get_running_loop().call_later(seconds, self._look_for_new)

    def exited(self, pid: int, status: ExitStatus) -> bool:
        """A child ended; False when it is none of ours."""
        ended = self._programs.exited(pid, status)
        if ended is None:
            return False
        if not ended.compresses and ended.path in self._logs:
            self._compress(self._logs[ended.path])
            # It has grown meanwhile.
            seen = self._grown.get(ended.path)
            self._expect(ended.path, max(self._clock.now(), seen.at + SOONEST if seen is not None else 0.0))
        return True

    def close(self) -> None:
        """Look no more; what is being rotated is ended by itself."""
        for timer in (self._timer, self._gathering):
            if timer is not None:
                timer.cancel()
        self._resting.close()

    def _gather(self) -> None:
        """Which logs there are now."""
        if self._gathering is not None:
            self._gathering.cancel()
            self._gathering = None
        self._logs = logs = self._known.by_path()
        self._grown = {path: grown for path, grown in self._grown.items() if path in logs}
        self._due = {path: at for path, at in self._due.items() if path in logs}
        self._programs.forget_all_but(logs)

    def _look_for_new(self) -> None:
        before = {path: log.spec for path, log in self._logs.items()}
        self._gather()
        self._look_at_those([path for path, log in self._logs.items() if before.get(path) != log.spec])

    def _look_at_due(self) -> None:
        self._timer = None
        now = self._clock.now()
        self._look_at_those([path for path, at in self._due.items() if at <= now])

    def _look_at_those(self, paths: Iterable[str]) -> None:
        now = self._clock.now()
        for path in list(paths):
            self._due.pop(path, None)
            again = self._programs.busy_until(path)
            if again is None:
                again = self._look_at(path, self._logs[path], now)
            if again is not None:
                self._due[path] = again
        self._set_timer()

    def _look_at(self, path: str, log: RotatedLog, now: float) -> float | None:
        """Rotate it if it is time; else when to look again, None: when it is written to."""
        try:
            file = log.file.open()
        except FileNotFoundError:
            return None  # whoever makes it is started, and the next resync looks too
        except (OSError, PmonError) as error:
            self._programs.refuse(path, str(error))
            return None
        with file:
            # A hole at its beginning is none of what the log holds.
            length = os.fstat(file.fileno()).st_size
            before, size = self._grown.get(path), length - archives.first_byte(file.fileno())
            seen = log_growth.look(before, size, now, log.spec.size)
            self._grown[path] = seen.growth
            if seen.growth.size and (seen.is_full or self._is_old(log)):
                return self._rotate(log, first=before is None)
            if seen.again_in is not None:
                return now + seen.again_in
            if not log.spec.size:
                return None
            return None if self._resting.rest(path, file.fileno(), length) else now + LATEST

    def _rotate(self, log: RotatedLog, first: bool) -> float | None:
        self._programs.start(log.file, "rotate", str(log.spec.keep), str(log.spec.total))
        if first:
            self._compress(log)  # what an earlier pmond has left
        return self._programs.busy_until(str(log.file.path))

    def _compress(self, log: RotatedLog) -> None:
        """What rotations have left, this one and those of an earlier pmond."""
        if log.spec.compress and self._programs.busy_until(str(log.file.path), compresses=True) is None:
            self._programs.start(log.file, "compress")

    def _is_old(self, log: RotatedLog) -> bool:
        """Whether its last rotation, or the first look for one, is `age` ago."""
        if not log.spec.age:
            return False
        try:
            with log.file.open_lock() as mark:
                return time.time() - os.fstat(mark.fileno()).st_mtime >= log.spec.age
        except (OSError, PmonError):
            self._programs.start(log.file, "rotate", "0", "0")
            return False

    def _woke(self, path: str) -> None:
        """A log that rested is written to."""
        grown = self._grown.get(path)
        if grown is not None and path in self._logs and path not in self._due:
            now = self._clock.now()
            self._grown[path] = log_growth.woken(grown, now)
            self._expect(path, now + SOONEST)

    def _expect(self, path: str, at: float) -> None:
        self._due[path] = at
        self._set_timer()

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._due:
            left = max(0.0, min(self._due.values()) - self._clock.now())
            self._timer = asyncio.get_running_loop().call_later(left, self._look_at_due)
