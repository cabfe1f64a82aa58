"""Starts real programs the way the daemon does, and sees them end."""

from __future__ import annotations

import os
import signal
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.support.waiting import until

from pmon3_schema import models
from pmon3_schema.process import ProcessSpec
from pmon3_schema.reading import read_value
from pmond.runtime.processes.environment import inheritable
from pmond.runtime.processes.failures import SpawnError
from pmond.runtime.processes.spawn import Child, SpawnContext, prepare, read_report, spawn

models.reader_of(ProcessSpec)  # now: some tests leave no descriptor to load it with

MARKER = f"{uuid.uuid4()}:test:1"
"""Of this test process alone: others run the same tests beside it."""


def context(logs: Path, **changes: Any) -> SpawnContext:
    """What the starts of a test have in common."""
    return SpawnContext(environment=inheritable(os.environ), log_dir=str(logs), **changes)


def start(logs: Path, file: str, *args: str, trusted: bool = True, **fields: Any) -> Child:
    """Start a program and wait until it is the program; raises SpawnError when it cannot be started."""
    surroundings = fields.pop("context", None) or context(logs)
    marker = fields.pop("marker", MARKER)
    spec = read_value(ProcessSpec, {"name": "test", "file": file, "args": list(args), **fields})
    child = spawn(prepare(spec, context=surroundings, marker=marker, trusted=trusted))
    error = report_of(child)
    if error is not None:
        reap(child.pid)
        raise error
    return child


def open_descriptors() -> dict[int, str]:
    """The numbers of this process's open descriptors, and what each of them is open on."""
    found = {}
    for link in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # the one that listed the others
            found[int(link.name)] = str(link.readlink())
    return found


def opened_since(before: dict[int, str]) -> set[tuple[int, str]]:
    """What is open now and was not: what earlier tests left may be closed at any moment."""
    return open_descriptors().items() - before.items()


def report_of(child: Child) -> SpawnError | None:
    """Wait for the launcher, if there is one, to have become the program or to have failed."""
    if child.report_fd is None:
        return None
    answers: list[SpawnError | None] = []

    def decided() -> bool:
        try:
            answers.append(read_report(child))
        except BlockingIOError:
            return False
        return True

    until(decided, "the launcher to become the program or to fail")
    return answers[0]


def reap(pid: int) -> int:
    """Wait for the end of a child; its exit code, or minus its signal."""
    found = until(lambda: ended(pid), f"process {pid} to end", timeout=10)
    assert found is not None
    return os.waitstatus_to_exitcode(found[1])


def ended(pid: int) -> tuple[int, int] | None:
    """The wait status of a child that has ended, reaping it; None while it runs."""
    found, status = os.waitpid(pid, os.WNOHANG)
    return (found, status) if found else None


def output(logs: Path, file: str, *args: str, **fields: Any) -> str:
    """What a program writes until it ends with 0."""
    child = start(logs, file, *args, **fields)
    code = reap(child.pid)
    text = Path(child.launch.stdout).read_text()
    assert code == 0, f"ended with {code}: {text}"
    return text


def python(logs: Path, code: str, **fields: Any) -> str:
    """What a Python program writes until it ends with 0."""
    return output(logs, sys.executable, "-I", "-S", "-c", code, **fields)


@contextmanager
def running(logs: Path, file: str, *args: str, **fields: Any) -> Iterator[Child]:
    """A program that is killed and reaped at the end, with its group."""
    child = start(logs, file, *args, **fields)
    try:
        yield child
    finally:
        os.killpg(child.pid, signal.SIGKILL)
        reap(child.pid)
