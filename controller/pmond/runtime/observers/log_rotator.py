"""When to rotate which log: looks at sizes as often as they can matter, and starts `rotate`.

Theory of operation: only logs of processes with `log_rotate` are looked at, at each resync; one
that grows is looked at again when it will have reached its size at the rate it had, at the
earliest after half a second. The work is done by programs of their own, so neither copying nor
compressing holds up the loop, and it is not lost when pmond is killed. Compressing follows each
rotation, and the next rotation does not wait for it, so a log that grows faster than it can be
compressed is kept in size nevertheless.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from msgspec import Struct

from pmon3_schema.process_parts import LogRotateSpec
from pmond.core.model import ExitStatus
from pmond.runtime.base.clock import Clock
from pmond.runtime.base.journal import Journal
from pmond.runtime.files import archives
from pmond.runtime.files.archives import NOT_HERE
from pmond.runtime.processes.short_command import ShortCommand, ShortCommandError

_SOONEST = 0.5
"""Seconds between two looks at a log that grows fast."""
_LATEST = 30.0

_ROOT = str(Path(__file__).parents[3])
_RUN = (
    "import sys; sys.path.append(sys.argv[1]); from pmond.runtime.files import {0}; "
    "sys.exit({0}.program(sys.argv[2:]))"
)
"""Without site-packages, which would cost more than the rest; both programs need nothing of them."""

Logs = Callable[[], Mapping[str, LogRotateSpec]]
"""The logs of running processes that are to be rotated, by path."""


class _Rotator(Struct, frozen=True):
    """A program that is at work on a log."""

    path: str
    handler: ShortCommand
    compresses: bool

    @property
    def which(self) -> tuple[str, bool]:
        """Of one log, one program of each kind is at work at a time."""
        return self.path, self.compresses


class _Failure(Struct, frozen=True):
    why: str
    until: float


class _Seen(Struct):
    size: int
    at: float


class LogRotator:
    """Keeps logs below their sizes."""

    def __init__(self, logs: Logs, environment: Mapping[str, str], clock: Clock, journal: Journal) -> None:
        self._logs = logs
        self._environment = environment
        self._clock = clock
        self._journal = journal
        self._looked = 0.0
        self._seen: dict[str, _Seen] = {}
        self._running: dict[int, _Rotator] = {}
        self._failed: dict[tuple[str, bool], _Failure] = {}
        self._timer: asyncio.TimerHandle | None = None

    def look(self) -> None:
        """Look at all logs now; called at each resync."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        now, soonest = self._clock.now(), _LATEST
        self._looked = now
        logs = self._logs()
        for path, wanted in logs.items():
            if not self._is_busy(path, compresses=False):
                soonest = min(soonest, self._look_at(path, wanted, now))
        self._seen = {path: seen for path, seen in self._seen.items() if path in logs}
        self._failed = {which: failed for which, failed in self._failed.items() if which[0] in logs}
        if soonest < _LATEST:
            self._timer = asyncio.get_running_loop().call_later(soonest, self.look)

    def schedule_check(self, seconds: float = _SOONEST) -> None:
        """Look within this time: pmond or a process with such a log was started, or a rotation has ended."""
        loop = asyncio.get_running_loop()
        if self._timer is not None and self._timer.when() > loop.time() + seconds:
            self._timer.cancel()
            self._timer = None
        if self._timer is None:
            self._timer = loop.call_later(seconds, self.look)

    def exited(self, pid: int, status: ExitStatus) -> bool:
        """A child ended; False when it is none of ours."""
        if (work := self._running.pop(pid, None)) is None:
            return False
        work.handler.ended(status)
        if status.code == 0:
            self._failed.pop(work.which, None)
            self._journal.debug("log.compressed" if work.compresses else "log.rotated", path=work.path)
        elif status.code == NOT_HERE:
            self._fail(work, "this file system cannot make holes (see pmon3 doctor)")
        else:
            # Whoever killed it need not do so again; what it said itself is likely to last.
            patience = 0.0 if status.code is None else _LATEST
            self._fail(work, work.handler.output.strip() or work.handler.problem, patience)
        if not work.compresses:
            self._compress(work.path)
            self.schedule_check(
                max(0.0, self._looked + _SOONEST - self._clock.now())
            )  # it has grown meanwhile
        return True

    def close(self) -> None:
        """Look no more; what is being rotated is ended by itself."""
        if self._timer is not None:
            self._timer.cancel()

    def _fail(self, work: _Rotator, why: str, patience: float = _LATEST) -> None:
        """Told once for each reason, and tried again after a while."""
        before = self._failed.get(work.which)
        self._failed[work.which] = _Failure(why, self._clock.now() + patience)
        if before is None or before.why != why:
            self._journal.warn("log.not_rotated", path=work.path, error=why)

    def _compress(self, path: str) -> None:
        """What rotations have left, this one and those of an earlier pmond."""
        wanted = self._logs().get(path)
        if wanted is not None and wanted.compress and not self._is_busy(path, compresses=True):
            self._start(path, "compress")

    def _is_busy(self, path: str, compresses: bool) -> bool:
        """Whether it is being done, or was tried in vain a moment ago."""
        failed = self._failed.get((path, compresses))
        if failed is not None and self._clock.now() < failed.until:
            return True
        return any(work.which == (path, compresses) for work in self._running.values())

    def _look_at(self, path: str, wanted: LogRotateSpec, now: float) -> float:
        """Rotate it if it is time; else the seconds until it can be."""
        try:
            size = _size(path)
        except OSError:
            return _LATEST
        before = self._seen.get(path)
        if before is None and wanted.size > size:
            self._seen[path] = _Seen(size, now)
            return 2 * _SOONEST
        self._seen[path] = _Seen(size, now)
        if size and (0 < wanted.size <= size or self._is_old(path, wanted)):
            self._start(path, "rotate", str(wanted.keep), str(wanted.total))
            if before is None:
                self._compress(path)
            return _SOONEST
        if before is None or not wanted.size or size <= before.size or now <= before.at:
            return _LATEST
        rate = (size - before.size) / (now - before.at)
        return max(_SOONEST, (wanted.size - size) / rate)

    def _is_old(self, path: str, wanted: LogRotateSpec) -> bool:
        """Whether its last rotation, or the first look for one, is `age` ago."""
        if not wanted.age:
            return False
        mark = archives.lock_path(path)
        try:
            return time.time() - os.stat(mark).st_mtime >= wanted.age  # noqa: PTH116
        except OSError:
            self._start(path, "rotate", "0", "0")
            return False

    def _start(self, path: str, module: str, *numbers: str) -> None:
        program = (sys.executable, "-I", "-S", "-c", _RUN.format(module), _ROOT, path, *numbers)
        try:
            handler = ShortCommand(program[:-1], program[-1], self._environment)
        except (ShortCommandError, OSError) as error:
            self._journal.warn("log.not_rotated", path=path, error=str(error))
            return
        self._running[handler.pid] = _Rotator(path, handler, module == "compress")


def _size(path: str) -> int:
    """Bytes that the log holds; a hole at its beginning is none. Raises OSError."""
    log = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        return os.fstat(log).st_size - archives.first_byte(log)
    finally:
        os.close(log)
