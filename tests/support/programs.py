"""Small real programs for tests: what they do is said by their names."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from tests.support.waiting import until

SLEEP: dict[str, Any] = {"file": "/bin/sleep", "args": ["1000"]}

NICER = min(19, os.getpriority(os.PRIO_PROCESS, 0) + 3)
"""A nice value that an ordinary account may ask for, also where it runs the tests under `nice`."""

IGNORES_TERM = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ignoring", flush=True)
while True:
    time.sleep(1000)
"""

FORKS_AWAY = """
import os, sys, time
there, said = os.pipe()
if os.fork():
    os.read(there, 1)
    sys.exit(0)
os.setsid()
if os.fork():
    os._exit(0)
print("daemon", os.getpid(), flush=True)
os.write(said, b".")
time.sleep(1000)
"""
"""The main program ends once a daemon in a session of its own is there, which stays behind."""

HAS_GRANDCHILDREN = """
import os, time
def run_away():
    if os.fork():
        os.waitpid(-1, 0)
        return
    os.setsid()
    if os.fork():
        os._exit(0)
    print("away", os.getpid(), flush=True)
    time.sleep(1000)
run_away()
if os.fork() == 0:
    print("child", os.getpid(), flush=True)
    time.sleep(1000)
print("main", os.getpid(), flush=True)
time.sleep(1000)
"""
"""Stays, with a child of its group and a double-forked grandchild in another session."""


def python(name: str, code: str, **fields: Any) -> dict[str, Any]:
    """A declaration of a Python program."""
    return {"name": name, "file": sys.executable, "args": ["-I", "-S", "-c", code], **fields}


def sleeper(name: str, **fields: Any) -> dict[str, Any]:
    """A declaration of a program that does nothing, for long."""
    return SLEEP | {"name": name} | fields


def script(path: Path, text: str, mode: int = 0o755) -> str:
    """A file with this text; its path."""
    path.write_text(text)
    path.chmod(mode)
    return str(path)


def pids_in(log: Path) -> dict[str, int]:
    """The `word pid` lines that the programs above print."""
    lines = log.read_text().splitlines() if log.exists() else []
    return {word: int(pid) for word, pid in (line.split() for line in lines if len(line.split()) == 2)}


def tree_in(log: Path) -> dict[str, int]:
    """The three processes of `HAS_GRANDCHILDREN`, once they are all there."""
    until(lambda: len(pids_in(log)) == 3, "the tree to be there")
    return pids_in(log)
