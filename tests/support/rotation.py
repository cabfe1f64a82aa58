"""Rotating by the real programs, and what a log holds with its archives, without pmond's readers."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import pmon3_schema
import pmond
from pmond.runtime.base.path_access import PathAccess
from pmond.runtime.files import hole_punching

ROOTS = [str(Path(package.__file__ or "").parents[1]) for package in (pmond, pmon3_schema)]
_ACCESS = PathAccess()
OWN = _ACCESS.encode()
"""The rights of who runs the tests."""
RUN = """
import sys
sys.path += {0!r}
from pmond.runtime.files import {1} as module
sys.exit(module.program(sys.argv[1:]))
"""
STEPS = """
import os, signal, sys
sys.path += {0!r}
from pmond.runtime.files import archives, compress, rotate

def stepping(function):
    def stepped(*arguments, **named):
        global left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*arguments, **named)
    return stepped

class Stepping:
    path = os.path
    def __getattr__(self, name):
        found = getattr(os, name)
        return stepping(found) if callable(found) else found

def collapse(file, length):
    if holes_only:
        raise OSError(95, "not supported")
    real(file, length)

archives.os = rotate.os = compress.os = Stepping()
rotate._CHUNK = 4096 * 3
rotate.punch = stepping(rotate.punch)
real, rotate.collapse = stepping(rotate.collapse), collapse
for line in sys.stdin:
    steps, holes, program, *arguments = line.rstrip().split("\\t")
    left, holes_only = int(steps), holes == "True"
    if not (pid := os.fork()):
        os._exit((rotate if program == "rotate" else compress).program(arguments))
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
"""


class Steps:
    """Runs the programs up to a step (system call), without the cost of starting Python each time."""

    def __init__(self) -> None:
        code = STEPS.format(ROOTS)
        command = [sys.executable, "-I", "-S", "-c", code]
        self._server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def run(self, program: str, log: Path, steps: int = 1000, holes_only: bool = False) -> bool:
        """Run so many steps of `rotate` or `compress`, then SIGKILL; whether it came to that."""
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        numbers = ("100000", "0") if program == "rotate" else ()
        print(steps, holes_only, program, log, OWN, *numbers, sep="\t", file=self._server.stdin, flush=True)
        code = int(self._server.stdout.readline())
        assert code in {0, -9}
        return code != 0

    def close(self) -> None:
        self._server.communicate()


def start(
    log: Path, keep: int = 100_000, total: int = 0, access: PathAccess = _ACCESS
) -> subprocess.Popen[bytes]:
    """A rotation of this log."""
    return _python(RUN.format(ROOTS, "rotate"), str(log), access.encode(), str(keep), str(total))


def run(log: Path, keep: int = 100_000, total: int = 0) -> int:
    """Rotate this log; the exit code."""
    return start(log, keep, total).wait()


def compress(log: Path) -> subprocess.Popen[bytes]:
    """The compressing of what was rotated."""
    return _python(RUN.format(ROOTS, "compress"), str(log), OWN)


def mechanism(folder: Path) -> str:
    """How logs are rotated there."""
    with tempfile.TemporaryFile(dir=folder) as file:
        return hole_punching.mechanism(file.fileno())


def parts(log: Path) -> Iterator[IO[bytes]]:
    """The archives, oldest first, and the log from its hole on; not while something is half done."""
    names = {file.name.removesuffix(".gz") for file in log.parent.glob(f"{log.name}.2*")}
    for name in sorted(names):
        plain = log.with_name(name)
        opening: Any = open if plain.exists() else gzip.open
        with opening(plain if plain.exists() else f"{plain}.gz", "rb") as archive:
            yield archive
    with log.open("rb") as file:
        file.seek(os.lseek(file.fileno(), 0, os.SEEK_DATA) if log.stat().st_size else 0)
        yield file


def whole(log: Path) -> bytes:
    """Everything that was ever written to it."""
    return b"".join(part.read() for part in parts(log))


def _python(program: str, *arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-I", "-S", "-c", program, *arguments])
