"""Somebody who listens where a pmond is expected, as another user, and tells what was sent to him."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

INTERPRETER = "/usr/bin/python3"
"""Of the host: that of the virtual environment is not for everybody to run."""

_LISTEN = """
import os, socket, sys
path, uid, place = sys.argv[1], int(sys.argv[2]), sys.argv[3]
listening = socket.socket(socket.AF_UNIX)
if place == "as root":
    listening.bind(path)
    os.chmod(path, 0o666)
os.setgroups([])
os.setgid(65534)
os.setuid(uid)
if place != "as root":
    listening.bind(path)
    os.chmod(path, 0o666)
listening.listen()
print("listening", flush=True)
while True:
    connection, _ = listening.accept()
    said = connection.recv(65536)
    print(f"was told {said!r}", flush=True)
    connection.close()
"""

needs_strangers = pytest.mark.skipif(
    os.geteuid() != 0 or not os.access(INTERPRETER, os.X_OK),
    reason="only root can become somebody else, who needs an interpreter that everybody may run",
)


class Stranger:
    """A listener of another user."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def was_told(self) -> str:
        """All that was sent to it so far; nobody can send anything afterwards."""
        self._process.terminate()
        assert self._process.stdout is not None
        return _rest(self._process.stdout)


def _rest(stream: IO[str]) -> str:
    return stream.read().replace("was told b''\n", "")


@contextmanager
def listening(path: Path, uid: int, *, bound_as_root: bool = False) -> Iterator[Stranger]:
    """A stranger at this path; with `bound_as_root` root has made the file and only listening is his."""
    place = "as root" if bound_as_root else "as himself"
    with subprocess.Popen(
        [INTERPRETER, "-I", "-S", "-c", _LISTEN, str(path), str(uid), place],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, cwd="/", env={},
    ) as process:  # fmt: skip
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "listening\n"
            yield Stranger(process)
        finally:
            process.kill()
