"""The programs that rotate and compress logs: one of each kind at a time for each log."""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping
from pathlib import Path

from msgspec import Struct

import pmon3_schema
import pmond
from pmond.core.model import ExitStatus
from pmond.runtime.base.clock import Clock
from pmond.runtime.base.journal import Journal
from pmond.runtime.files.archives import NOT_HERE
from pmond.runtime.files.log_files import LogFile
from pmond.runtime.processes.short_command import ShortCommand, ShortCommandError

_PATIENCE = 30.0
"""Seconds until what has failed is tried again."""
_ROOTS = (str(Path(pmond.__file__).parents[1]), str(Path(pmon3_schema.__file__).parents[1]))
_RUN = (
    "import sys; sys.path += sys.argv[1:3]; from pmond.runtime.files import {0}; "
    "sys.exit({0}.program(sys.argv[3:]))"
)
"""Without site-packages, which would cost more than the rest; both programs need nothing of them."""


class RotationProgram(Struct, frozen=True):
    """A program that is at work on a log."""

    path: str
    compresses: bool
    handler: ShortCommand

    @property
    def which(self) -> tuple[str, bool]:
        """Of one log, one program of each kind is at work at a time."""
        return self.path, self.compresses


class _Failure(Struct, frozen=True):
    why: str
    until: float


class RotationPrograms:
    """Starts them and hears how they end."""

    def __init__(self, environment: Mapping[str, str], clock: Clock, journal: Journal) -> None:
        self._environment = environment
        self._clock = clock
        self._journal = journal
        self._running: dict[int, RotationProgram] = {}
        self._failed: dict[tuple[str, bool], _Failure] = {}

    def start(self, log: LogFile, module: str, *numbers: str) -> None:
        """Begin with a log. `module`: ``rotate``, with numbers for `keep` and `total`, or ``compress``."""
        path, access = str(log.path), log.access.encode()
        python = (sys.executable, "-I", "-S", "-c", _RUN.format(module), *_ROOTS)
        program = (*python, path, access, *numbers)
        try:
            handler = ShortCommand(program[:-1], program[-1], self._environment)
        except (ShortCommandError, OSError) as error:
            self._fail((path, module == "compress"), str(error))
            return
        self._running[handler.pid] = RotationProgram(path, module == "compress", handler)

    def busy_until(self, path: str, compresses: bool = False) -> float | None:
        """Until when nothing of that kind is to be begun with a log; None: it can be begun now.

        While one is at work, and when it was tried in vain a moment ago.
        """
        failed = self._failed.get((path, compresses))
        if failed is not None and self._clock.now() < failed.until:
            return failed.until
        if any(work.which == (path, compresses) for work in self._running.values()):
            return self._clock.now() + _PATIENCE  # its end is told
        return None

    def exited(self, pid: int, status: ExitStatus) -> RotationProgram | None:
        """A child ended; None when it is none of these."""
        if (work := self._running.pop(pid, None)) is None:
            return None
        work.handler.ended(status)
        if status.code == 0:
            self._failed.pop(work.which, None)
            self._journal.debug("log.compressed" if work.compresses else "log.rotated", path=work.path)
        elif status.code == NOT_HERE:
            self._fail(work.which, "this file system cannot make holes (see pmon3 doctor)")
        else:
            # Whoever killed it need not do so again; what it said itself is likely to last.
            patience = 0.0 if status.code is None else _PATIENCE
            self._fail(work.which, work.handler.output.strip() or work.handler.problem, patience)
        return work

    def forget_all_but(self, paths: Collection[str]) -> None:
        """Only these logs matter from now on."""
        self._failed = {which: failed for which, failed in self._failed.items() if which[0] in paths}

    def refuse(self, path: str, why: str) -> None:
        """A log cannot even be looked at, so nothing is begun with it."""
        self._fail((path, False), why, 0.0)

    def _fail(self, which: tuple[str, bool], why: str, patience: float = _PATIENCE) -> None:
        """Told once for each reason, and tried again after a while."""
        before = self._failed.get(which)
        self._failed[which] = _Failure(why, self._clock.now() + patience)
        if before is None or before.why != why:
            self._journal.warn("log.not_rotated", path=which[0], error=why)
