"""Signals are the main thread's, which may hold them back through an upgrade."""

from __future__ import annotations

import signal
from pathlib import Path

from tests.support.pmond import Pmond
from tests.support.programs import sleeper
from tests.support.waiting import until

TAKEN = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD, signal.SIGUSR1, signal.SIGUSR2)


def blocked(thread: Path) -> set[signal.Signals]:
    try:
        lines = (thread / "status").read_text().splitlines()
    except OSError:  # it has ended
        return set(TAKEN)
    mask = next(int(line.split()[1], 16) for line in lines if line.startswith("SigBlk"))
    return {number for number in TAKEN if mask >> (number - 1) & 1}


def test_no_thread_takes_a_signal_from_the_main_one(pmond: Pmond, tmp_path: Path) -> None:
    """Groups, files that are followed, the usage that `ls` shows, and the state file have threads."""
    pmond.declare(*(sleeper(f"p{number}", watch={"paths": [str(tmp_path)]}) for number in range(4)))
    for number in range(4):
        pmond.until(f"p{number}", "running")
    pmond.ok("ls")
    main = str(pmond.pid)
    tasks = Path(f"/proc/{main}/task")
    until(lambda: len(list(tasks.iterdir())) > 1, "threads")
    for thread in tasks.iterdir():
        expected = set() if thread.name == main else set(TAKEN)
        until(lambda: blocked(thread) == expected, f"thread {thread.name} to block {expected}")  # noqa: B023
