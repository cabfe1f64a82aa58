"""Probes that are commands: run as a start of their process would be, with what they say kept.

A command is a child in a session of its own, with the end of its output in a pipe of which no more is read
than a probe can have to say: one that floods it waits, and is ended at its time limit. What it has left
running in its group ends with it; what leaves that too bears a marker of its own, which no instance has,
so `orphans` ends it.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from contextlib import suppress

from msgspec.structs import replace

from pmon3_schema.process import ProcessSpec
from pmond.core.case import describe_exit
from pmond.core.model import ExitStatus
from pmond.runtime.processes import tree
from pmond.runtime.processes.failures import SpawnError
from pmond.runtime.processes.launch import Launch
from pmond.runtime.processes.spawn import read_report, spawn
from pmond.runtime.supervise.probes.result import MOST_SAID, ProbeResult, said

PROBE = "PMON3_PROBE"
"""The variable that says to a command that it is a probe, and which try."""
_MOST_READ = 1 << 20
"""Bytes of output that are read."""


def command_of(spec: ProcessSpec, words: tuple[str, ...], variables: dict[str, str]) -> ProcessSpec:
    """The start of a process with a command in its place, in the same folder."""
    return replace(
        spec,
        file=words[0],
        args=words[1:],
        argv0="",
        cwd=spec.cwd or os.path.dirname(spec.file),  # noqa: PTH120 - as in `launch`
        priority=None,
        env_vars={**spec.env_vars, **variables},
    )


class ProbeCommand:
    """One that runs. `ended` is called once, with the result."""

    def __init__(self, launch: Launch, ended: Callable[[ProbeResult], None]) -> None:
        """Raises SpawnError."""
        self._ended = ended
        self._output = b""
        self._read_in_all = 0
        self._late = ""
        self._status: ExitStatus | None = None
        read_end, write_end = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        os.set_blocking(write_end, True)
        try:
            self._child = spawn(replace(launch, output=write_end))
        except BaseException:
            os.close(read_end)
            raise
        finally:
            os.close(write_end)
        self._pipe = read_end
        asyncio.get_running_loop().add_reader(read_end, self._read)

    @property
    def pid(self) -> int:
        return self._child.pid

    def end(self, why: str) -> None:
        """Kill it and what it has started; that is its result."""
        if self._status is None:
            self._late = why
            tree.signal_group(self.pid, signal.SIGKILL)

    def exited(self, status: ExitStatus) -> None:
        """The reaper saw its end; called before its number is free."""
        self._status = status
        tree.signal_group(self.pid, signal.SIGKILL)  # what it has left in its group
        failure = self._failure()
        self._read()
        self._close()
        self._ended(self._result(status, failure))

    def _result(self, status: ExitStatus, failure: SpawnError | None) -> ProbeResult:
        if failure is not None:
            return ProbeResult(False, failure.message)
        told = said(self._output)
        if self._late:
            return ProbeResult(False, f"{self._late}: {told}" if told else self._late)
        passed = status == ExitStatus(code=0)
        what = "" if passed else describe_exit(status)
        return ProbeResult(passed, ": ".join(part for part in (what, told) if part))

    def _failure(self) -> SpawnError | None:
        if self._child.report_fd is None:
            return None
        with suppress(BlockingIOError):
            return read_report(self._child)
        os.close(self._child.report_fd)
        return None

    def _read(self) -> None:
        try:
            while self._read_in_all < _MOST_READ and (chunk := os.read(self._pipe, 65536)):
                self._read_in_all += len(chunk)
                self._output = (self._output + chunk)[-MOST_SAID:]
        except BlockingIOError:
            return
        asyncio.get_running_loop().remove_reader(self._pipe)  # its end, or enough

    def _close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._pipe)
        os.close(self._pipe)
