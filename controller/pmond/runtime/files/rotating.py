"""When to rotate which log: looks at sizes as often as they can matter, and starts `rotate`.

Theory of operation: only logs of processes with `log_rotate` are looked at, at each resync; one
that grows is looked at again when it will have reached its size at the rate it had, at the
earliest after half a second. The work is done by a program of its own, so neither copying nor
compressing holds up the loop, and it is not lost when pmond is killed.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Callable, Mapping

from msgspec import Struct

from pmon3_schema.process import LogRotate
from pmond.core.model import ExitStatus
from pmond.runtime.clock import Clock
from pmond.runtime.files import rotate
from pmond.runtime.journal import Journal
from pmond.runtime.publish.handler import Handler, HandlerError

_SOONEST = 0.5
"""Seconds between two looks at a log that grows fast."""
_LATEST = 30.0

Logs = Callable[[], Mapping[str, LogRotate]]
"""The logs of running processes that are to be rotated, by path."""


class _Seen(Struct):
    size: int
    at: float


class Rotating:
    """Keeps logs below their sizes."""

    def __init__(self, logs: Logs, environment: Mapping[str, str], clock: Clock, journal: Journal) -> None:
        self._logs = logs
        self._environment = environment
        self._clock = clock
        self._journal = journal
        self._seen: dict[str, _Seen] = {}
        self._running: dict[int, tuple[str, Handler]] = {}
        self._refused: set[str] = set()
        self._timer: asyncio.TimerHandle | None = None

    def look(self) -> None:
        """Look at all logs now; called at each resync."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        now, soonest = self._clock.now(), _LATEST
        busy = {path for path, _ in self._running.values()}
        logs = self._logs()
        for path, wanted in logs.items():
            if path not in busy:
                soonest = min(soonest, self._look_at(path, wanted, now))
        self._seen = {path: seen for path, seen in self._seen.items() if path in logs}
        if soonest < _LATEST:
            self._timer = asyncio.get_running_loop().call_later(soonest, self.look)

    def look_soon(self) -> None:
        """A process whose log is to be rotated was started."""
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_SOONEST, self.look)

    def exited(self, pid: int, status: ExitStatus) -> bool:
        """A child ended; False when it is none of ours."""
        path, handler = self._running.pop(pid, ("", None))
        if handler is None:
            return False
        handler.ended(status)
        if status.code == rotate.NOT_HERE and path not in self._refused:
            self._refused.add(path)
            self._journal.warn("log.not_rotated", path=path, error="this file system cannot do it")
        elif status.code not in {0, rotate.NOT_HERE}:
            self._journal.warn("log.not_rotated", path=path, error=handler.output or handler.problem)
        else:
            self._journal.debug("log.rotated", path=path)
        return True

    def close(self) -> None:
        """Look no more; what is being rotated is ended by itself."""
        if self._timer is not None:
            self._timer.cancel()

    def _look_at(self, path: str, wanted: LogRotate, now: float) -> float:
        """Rotate it if it is time; else the seconds until it can be."""
        try:
            size = os.stat(path).st_size  # noqa: PTH116
        except OSError:
            return _LATEST
        before = self._seen.get(path)
        if before is None and wanted.size > size:
            self._seen[path] = _Seen(size, now)
            return 2 * _SOONEST
        self._seen[path] = _Seen(size, now)
        if path in self._refused:
            return _LATEST
        if size and (0 < wanted.size <= size or self._is_old(path, wanted)):
            self._start(path, wanted)
            return _SOONEST
        if before is None or not wanted.size or size <= before.size or now <= before.at:
            return _LATEST
        rate = (size - before.size) / (now - before.at)
        return max(_SOONEST, (wanted.size - size) / rate)

    def _is_old(self, path: str, wanted: LogRotate) -> bool:
        """Whether its last rotation, or the first look for one, is `age` ago."""
        if not wanted.age:
            return False
        mark = rotate.lock_path(path)
        try:
            return time.time() - os.stat(mark).st_mtime >= wanted.age  # noqa: PTH116
        except OSError:
            self._start(path, wanted, first=True)
            return False

    def _start(self, path: str, wanted: LogRotate, first: bool = False) -> None:
        program = (sys.executable, "-I", "-S", rotate.__file__, path, "0" if first else str(wanted.keep))
        try:
            handler = Handler(program, "1" if wanted.compress else "0", self._environment)
        except (HandlerError, OSError) as error:
            self._journal.warn("log.not_rotated", path=path, error=str(error))
            return
        self._running[handler.pid] = path, handler
