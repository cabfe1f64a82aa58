"""Fork bombs, hogs and writers: stopped, told, and nobody else harmed, with what every Linux has."""

from __future__ import annotations

import os
import pwd
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.pmond import Pmond, temporary_pmond
from tests.support.programs import SLEEP
from tests.support.waiting import until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.geteuid() != 0, reason="limits of a user's processes do not hold for root"),
]
HOST = "/usr/bin/python3"
VICTIM = {**SLEEP, "name": "victim"}
FORKS = """
import os, time
made = 0
while True:
    try:
        if os.fork() == 0:
            time.sleep(1000)
            os._exit(0)
        made += 1
    except BlockingIOError:
        print("stopped after", made, flush=True)
        time.sleep(1000)
"""
HOARDS = """
held = []
while True:
    held.append(bytearray(8 << 20))
"""
WRITES = """
import os, sys
done = []
for folder in sys.argv[1:]:
    try:
        open(folder + "/written", "w").close()
        done.append(folder)
    except OSError as error:
        print(error.strerror, flush=True)
print("wrote", done, flush=True)
"""


@pytest.fixture
def pmond() -> Iterator[Pmond]:
    with temporary_pmond() as made:
        made.folder.chmod(0o755)
        made.declare(VICTIM)
        yield made.start()


def beside_the_victim(pmond: Pmond, *more: dict[str, Any]) -> int:
    """Declare them beside it; its pid."""
    pmond.declare(VICTIM, *more)
    pmond.ok("init", "--no-wait")
    return int(pmond.until("victim", "running")["pid"])


def said(pmond: Pmond, name: str) -> str:
    log = pmond.folder / "logs" / f"{name}.log"
    return log.read_text() if log.exists() else ""


def unharmed(pmond: Pmond, pid: int) -> None:
    row = pmond.row("victim")
    assert (row["pid"], row["status"], row["restart_count"]) == (pid, "running", 0)


def test_a_fork_bomb_ends_at_the_limit_and_with_its_process(pmond: Pmond) -> None:
    """`limits.nproc` counts the processes of the user: a user of its own makes it a limit of the process."""
    user = next(name for name in ("uucp", "news", "irc", "list") if _has_nothing_running(name))
    bomb = {
        "name": "bomb", "file": HOST, "args": ["-I", "-S", "-c", FORKS], "user": user, "cwd": "/",
        "limits": {"nproc": 30},
    }  # fmt: skip
    pid = beside_the_victim(pmond, bomb)
    until(lambda: "stopped after" in said(pmond, "bomb"), "the limit to be reached")
    made = int(said(pmond, "bomb").split()[2])
    assert 0 < made <= 30
    unharmed(pmond, pid)
    pmond.ok("stop", "bomb")
    assert _has_nothing_running(user), "all of it has ended"
    unharmed(pmond, pid)


def test_a_hog_runs_out_of_memory_alone(pmond: Pmond) -> None:
    hog = {
        "name": "hog", "file": sys.executable, "args": ["-I", "-S", "-c", HOARDS],
        "limits": {"memory": "256MiB"}, "restart": {"policy": "never"},
    }  # fmt: skip
    pid = beside_the_victim(pmond, hog)
    pmond.until("hog", "failed")
    assert "MemoryError" in said(pmond, "hog")
    assert "code 1" in pmond.row("hog")["reason"]
    unharmed(pmond, pid)


def test_who_writes_outside_writes_nothing(pmond: Pmond) -> None:
    inside, outside = pmond.folder / "inside", pmond.folder / "outside"
    for folder in (inside, outside):
        folder.mkdir()
    writer = {
        "name": "writer", "file": sys.executable, "type": "oneshot",
        "args": ["-I", "-S", "-c", WRITES, str(inside), str(outside), "/etc"],
        "sandbox": {"read_only": ["/"], "writable": [str(inside)]},
    }  # fmt: skip
    pid = beside_the_victim(pmond, writer)
    pmond.until("writer", "completed")
    assert said(pmond, "writer").splitlines() == [*["Read-only file system"] * 2, f"wrote ['{inside}']"]
    assert (inside / "written").exists() and not (outside / "written").exists()
    unharmed(pmond, pid)


def _has_nothing_running(user: str) -> bool:
    try:
        uid = pwd.getpwnam(user).pw_uid
    except KeyError:
        return False
    found = []
    for folder in Path("/proc").iterdir():
        try:
            if folder.name.isdecimal() and folder.stat().st_uid == uid:
                found.append(folder)
        except OSError:
            continue
    return not found
