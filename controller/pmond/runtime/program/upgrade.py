"""Upgrade in place: the same process, with the code that is installed now.

Theory of operation: first a *preflight*: the very command that pmond was started with is run as a
child with `--check-state` and a copy of the state, so that it imports all of the new code, reads
the configuration and brings the copy to its own form. Only if that succeeds does pmond replace
itself by `execve`. Its children stay its children and can be waited for, whatever happens to them
meanwhile; the listening socket and the lock of the state folder are handed over as descriptors,
so clients queue and no other pmond gets in between; signals are blocked until the new code
handles them, in this thread as always in all others (see `threads`). Everything else (see `handover` for the
settings) is read from the state file, as after a crash. When `execve` fails
nothing was given up, and the old code goes on.
"""

from __future__ import annotations

import os
import resource
import shutil
import signal
import sqlite3
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from pmon3_schema.errors import ErrorCode, PmonError
from pmond.core.model import ExitStatus
from pmond.runtime.base.failpoints import FailPoint, reached
from pmond.runtime.base.journal import Journal
from pmond.runtime.observers.exit_on import FORWARDED
from pmond.runtime.processes.short_command import ShortCommand, ShortCommandError
from pmond.runtime.program import handover
from pmond.runtime.program.handover import Handover, in_memory, left_settings
from pmond.runtime.state.store import Store

CHECK_STATE = "--check-state"
_TRIAL = "upgrade-"
"""What the names of folders with a copy of the state begin with."""
PREFLIGHT_LIMIT = 10.0
"""Seconds."""
_HELD_BACK = {
    signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGUSR2, signal.SIGCHLD, *FORWARDED,
}  # fmt: skip


class InPlaceUpgrade:
    """Checks the installed code and becomes it."""

    def __init__(self, store: Store, folder: str, journal: Journal, environ: Mapping[str, str]) -> None:
        self._store = store
        self._folder = folder
        self._journal = journal
        self._environ = {
            name: value for name, value in environ.items() if not name.startswith(handover.PREFIX)
        }
        self._preflight: ShortCommand | None = None
        self._settings = b""
        for left in Path(folder).glob(f"{_TRIAL}*"):  # of a pmond that was killed during one
            shutil.rmtree(left, ignore_errors=True)

    @property
    def command(self) -> list[str]:
        """What pmond was started with."""
        return [sys.executable, *sys.orig_argv[1:]]

    def exited(self, pid: int, status: ExitStatus) -> bool:
        """A child ended; False when it is not the preflight."""
        if self._preflight is None or self._preflight.pid != pid:
            return False
        self._preflight.ended(status)
        return True

    async def check(self) -> None:
        """The preflight. Raises PmonError `conflict` when one is under way, `refused` when it fails."""
        if self._preflight is not None:
            raise PmonError(ErrorCode.CONFLICT, "cannot upgrade: an upgrade is under way", "wait for it")
        try:
            with tempfile.TemporaryDirectory(prefix=_TRIAL, dir=self._folder) as folder:
                copy = Path(folder) / "data.db"
                self._store.copy_to(copy)
                problem = await self._run((*self.command, CHECK_STATE), str(copy))
                self._settings = left_settings(Path(folder))
        except (ShortCommandError, OSError, sqlite3.Error) as error:
            problem = str(error)
        finally:
            self._preflight = None
        if problem:
            self._journal.warn("upgrade.refused", message=problem)
            raise PmonError(
                ErrorCode.REFUSED,
                f"cannot upgrade: {problem}",
                "repair the installation; this pmond goes on as it is",
            )
        reached(FailPoint.UPGRADE_CHECKED)

    async def _run(self, command: tuple[str, ...], copy: str) -> str:
        """What is wrong with the installed code; empty when nothing is."""
        preflight = self._preflight = ShortCommand(command, copy, self._environ)
        if not await preflight.wait(PREFLIGHT_LIMIT):
            preflight.signal(signal.SIGKILL)
            await preflight.wait(None)
            return f"the new code was not ready within {PREFLIGHT_LIMIT:g} s"
        last = preflight.output.strip().rpartition("\n")[2]
        return f"the new code {preflight.problem}: {last}" if preflight.problem else ""

    def become(self, listening: int, lock: int, notify: int | None, open_files: int) -> None:
        """Replace this program by the installed one; returns only when that failed.

        `open_files`: the soft limit that pmond was started with.
        """
        self._store.come_to_rest()
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        handed = Handover(listening, lock, in_memory(self._settings), notify)
        try:
            environ = {**self._environ, **handed.variables()}
            resource.setrlimit(resource.RLIMIT_NOFILE, (open_files, limits[1]))
            self._journal.event("daemon.upgrading", command=self.command)
            reached(FailPoint.UPGRADE_HANDED_OVER)
            os.execve(sys.executable, self.command, environ)
        except OSError as error:
            self._journal.error("upgrade.failed", error)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
            handed.refused()


@contextmanager
def held_back_signals() -> Iterator[None]:
    """Signals wait in the kernel, through `execve` too."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _HELD_BACK)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def release_signals() -> None:
    """Take the signals that came during the change of code; their handlers are in place."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _HELD_BACK)
