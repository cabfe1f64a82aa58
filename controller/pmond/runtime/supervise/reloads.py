"""Reload commands: programs that tell a running process to read its files again.

Theory of operation: a command runs as a start of its process would (its user, folder, environment
and log), with the pid of the main program in `MAINPID`. Nothing waits for it; its end, reported by
the daemon's one reaper, is told to the loop as success or failure. One that takes too long is
killed, and that is a failure too.
"""

from __future__ import annotations

import asyncio
import os
import signal

from msgspec import Struct
from msgspec.structs import replace

from pmon3_schema.process import ProcessSpec
from pmon3_schema.scalars import format_duration
from pmond.core.case import describe_exit
from pmond.core.facts import ReloadBegun, Reloaded
from pmond.core.model import ExitStatus, Files, Intent
from pmond.runtime.processes import tree
from pmond.runtime.processes.failures import SpawnError
from pmond.runtime.processes.instances import Running
from pmond.runtime.processes.launch import SpawnContext, prepare
from pmond.runtime.processes.spawn import Child, read_report, spawn
from pmond.runtime.supervise.loop import Loop


class _ReloadCommand(Struct):
    """One that runs."""

    name: str
    number: int
    files: Files
    child: Child
    timer: asyncio.TimerHandle
    error: asyncio.Future[str]
    """Whoever asked for it is told what went wrong."""
    late: str = ""
    """That it took too long, for people."""


class Reloads:
    """Runs them, at most one for each process."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._running: dict[int, _ReloadCommand] = {}

    def begin(
        self, running: Running, wanted: Intent, files: Files, context: SpawnContext
    ) -> asyncio.Future[str]:
        """Run the command of a process; the loop is told how that ends. Answers what went wrong."""
        name, number = running.name, running.number
        self._loop.tell(ReloadBegun(name, number, files))
        try:
            spec = _command_of(wanted.spec, running.pid)
            child = spawn(
                prepare(
                    spec,
                    context=context,
                    marker=running.marker,
                    trusted=wanted.trusted,
                    replica=wanted.replica,
                )
            )
        except SpawnError as error:
            said = _said(name, error.message)
            self._loop.tell(Reloaded(name, number, files, said))
            return done(said)
        limit = wanted.spec.reload.timeout
        timer = asyncio.get_running_loop().call_later(limit, self._too_late, child.pid, limit)
        end: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._running[child.pid] = _ReloadCommand(name, number, files, child, timer, end)
        return end

    def exited(self, pid: int, status: ExitStatus) -> bool:
        """A child ended; False when it is none of these."""
        command = self._running.pop(pid, None)
        if command is None:
            return False
        command.timer.cancel()
        failure = read_report(command.child) if command.child.report_fd is not None else None
        error = ""
        if failure is not None:
            error = _said(command.name, failure.message)
        elif status != ExitStatus(code=0):
            error = f"its reload command {command.late or describe_exit(status)}"
        self._loop.tell(Reloaded(command.name, command.number, command.files, error))
        command.error.set_result(error)
        return True

    @property
    def pids(self) -> set[int]:
        """The commands that run."""
        return set(self._running)

    def _too_late(self, pid: int, limit: float) -> None:
        command = self._running.get(pid)
        if command is not None:
            command.late = f"took longer than {format_duration(limit)} and was killed"
            tree.signal_group(pid, signal.SIGKILL)


def done(error: str) -> asyncio.Future[str]:
    """What can be answered at once."""
    future: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    future.set_result(error)
    return future


def _command_of(spec: ProcessSpec, pid: int) -> ProcessSpec:
    """The start of a process with another program in its place."""
    file, *args = spec.reload.command
    return replace(
        spec,
        file=file,
        args=tuple(args),
        argv0="",
        cwd=spec.cwd or os.path.dirname(spec.file),  # noqa: PTH120 - as in `launch`
        priority=None,
        env_vars={**spec.env_vars, "MAINPID": str(pid)},
    )


def _said(name: str, message: str) -> str:
    """The words of a failed start, for a command that is none."""
    return message.replace(f"cannot start {name}:", "cannot run its reload command:", 1)
