"""A system under measurement: its daemon, its workers, and the promise that nothing of it stays.

The benchmark makes itself the subreaper of all it starts, so that whatever a daemon leaves behind
becomes its child. Ending a fleet is then the same for every system: kill descendants until there
are none.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
from benchmarks.reports import ReportReader, WorkerReport
from benchmarks.systems.base import Declaration, System

_PR_SET_CHILD_SUBREAPER = 36
_COMMAND_TIMEOUT = 120.0
_SETTINGS = ("PMON3_", "CONFIGOR_")


class FleetError(Exception):
    """The system did not do what the measurement needs; the message says what."""


def become_subreaper() -> None:
    """Orphans of our descendants become our children (prctl(2)). Raises OSError."""
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "cannot become a subreaper")


class Fleet:
    """One daemon with its workers. `latest` is the newest run of each worker by number."""

    def __init__(self, system: System, declaration: Declaration) -> None:
        self.system = system
        self.declaration = declaration
        self.latest: dict[int, WorkerReport] = {}
        self._reports = ReportReader(declaration.reports)
        self._log = declaration.folder / "daemon.output"
        self._daemon: subprocess.Popen[bytes] | None = None
        self._ended = -1

    def start(self) -> int:
        """Start the daemon; returns CLOCK_MONOTONIC in nanoseconds just before."""
        command = self.system.start_command(self.declaration)
        with self._log.open("wb") as log:
            before = time.monotonic_ns()
            self._daemon = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._environment(),
                cwd=self.declaration.folder,
                # Ctrl-C is for the benchmark; it ends the fleet itself.
                start_new_session=True,
            )
        self._ended = os.pidfd_open(self._daemon.pid)
        return before

    def wait_all_up(self, timeout: float) -> int:
        """Wait for the first report of every worker; returns when the last of these began (ns)."""
        first: dict[int, int] = {}
        deadline = time.monotonic() + timeout
        while len(first) < self.declaration.count:
            for report in self._read(deadline, f"{len(first)} of {self.declaration.count} workers up"):
                first.setdefault(report.index, report.began)
        return max(first.values())

    def wait_first(self, index: int, timeout: float) -> WorkerReport:
        """Wait for the first report of one worker."""
        deadline = time.monotonic() + timeout
        while index not in self.latest:
            self._read(deadline, f"worker {index} not up")
        return self.latest[index]

    def wait_restarted(self, index: int, after: int, timeout: float) -> WorkerReport:
        """Wait until worker `index` reports a run that began after the time `after`, in nanoseconds."""
        deadline = time.monotonic() + timeout
        while self.latest[index].began <= after:
            self._read(deadline, f"worker {index} not restarted")
        return self.latest[index]

    def run(self, command: list[str]) -> float:
        """Run a command of the system; returns its wall time in seconds. Raises FleetError if it fails."""
        before = time.perf_counter()
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=self._environment(),
            timeout=_COMMAND_TIMEOUT,
            check=False,
        )
        elapsed = time.perf_counter() - before
        if done.returncode != 0:
            said = (done.stderr or done.stdout).decode(errors="replace").strip().splitlines()
            program, last = Path(command[0]).name, said[-1] if said else "it said nothing"
            raise FleetError(f"{program}: exit code {done.returncode}: {last}")
        return elapsed

    def supervisor_pids(self) -> list[int]:
        """The daemon and all that it started, without the workers."""
        assert self._daemon is not None
        workers = {report.pid for report in self.latest.values()}
        daemon = psutil.Process(self._daemon.pid)
        pids = [process.pid for process in (daemon, *daemon.children(recursive=True))]
        return [pid for pid in pids if pid not in workers]

    def close(self) -> None:
        """End everything; afterwards nothing of the fleet is alive."""
        # A second Ctrl-C must not leave half a fleet behind.
        waiting = {signal.SIGINT, signal.SIGTERM}
        signal.pthread_sigmask(signal.SIG_BLOCK, waiting)
        try:
            _kill_descendants()
            self._reports.close()
            if self._daemon is not None:
                self._daemon.wait()
                os.close(self._ended)
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, waiting)

    def _read(self, deadline: float, state: str) -> list[WorkerReport]:
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            raise FleetError(f"timeout: {state}")
        reports = self._reports.read(remaining, self._ended)
        self.latest.update((report.index, report) for report in reports)
        if not reports and self._daemon is not None and self._daemon.poll() is not None:
            raise FleetError(f"the daemon ended with {self._daemon.returncode}: {self._last_line()}")
        return reports

    def _last_line(self) -> str:
        lines = self._log.read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else "it said nothing"

    def _environment(self) -> dict[str, str]:
        # Settings of the caller's own pmon3 must not reach the measured one.
        kept = {key: value for key, value in os.environ.items() if not key.startswith(_SETTINGS)}
        return {**kept, **self.system.environment(self.declaration)}


@contextlib.contextmanager
def temporary_fleet(system: System, worker: tuple[str, ...], count: int) -> Iterator[Fleet]:
    """A fleet in a folder of its own, not yet configured or started; both end with the block."""
    with tempfile.TemporaryDirectory(prefix="pmon3-bench-") as name:
        folder = Path(name)
        declaration = Declaration(folder, worker, folder / "reports", count)
        with contextlib.closing(Fleet(system, declaration)) as fleet:
            yield fleet


def _kill_descendants() -> None:
    """Kill until nothing is left: a supervisor that is still alive may start a worker meanwhile."""
    while children := psutil.Process().children(recursive=True):
        for child in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child.pid, signal.SIGKILL)
        # Reap those that are our own; the others become ours when their parent ends.
        with contextlib.suppress(ChildProcessError):
            os.waitpid(-1, 0)
            while os.waitpid(-1, os.WNOHANG)[0] != 0:
                pass
