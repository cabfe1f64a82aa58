"""The keeper: exit statuses of processes that nobody of ours was there to reap."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.orphans import reap, taking_orphans

from pmond.core.model import ExitStatus
from pmond.runtime.base.journal import Journal
from pmond.runtime.processes.adopted_exits import tells_exits
from pmond.runtime.processes.exit_status_holder import ExitStatusHolder

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not tells_exits(), reason="the kernel forgets exit statuses"),
]

DYING = """
import os, sys
from pmond.runtime.base.journal import Journal
from pmond.runtime.processes.exit_status_holder import ExitStatusHolder
keeper = ExitStatusHolder(sys.argv[1], Journal())
keeper.take_over()
keeper.start()
for code in map(int, sys.argv[2:]):
    gate = os.pipe()
    pid = os.posix_spawn("/bin/sh", ["sh", "-c", "read line; exit $0", str(code)], {},
        file_actions=[(os.POSIX_SPAWN_DUP2, gate[0], 0)])
    print(pid, keeper.hold(pid), flush=True)
    os.set_inheritable(gate[1], False)
keeper.send(9)
print("kept", flush=True)
sys.stdin.read()
"""


def run_and_kill(folder: Path, *codes: int) -> list[tuple[int, int]]:
    """Pids and inodes of children that end with these codes when their parent is killed."""
    owner = subprocess.Popen(
        [sys.executable, "-c", DYING, str(folder), *map(str, codes)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with taking_orphans(), owner:
        assert owner.stdout is not None
        lines = [owner.stdout.readline().split() for _ in codes]
        assert owner.stdout.readline() == "kept\n"
        owner.kill()
    children = [(int(pid), int(inode)) for pid, inode in lines]
    for pid, _ in children:
        reap(pid)
    return children


def test_statuses_outlive_two_daemons(tmp_path: Path) -> None:
    first = run_and_kill(tmp_path, 3, 0, 255)
    second = run_and_kill(tmp_path, 7)
    keeper = ExitStatusHolder(tmp_path, Journal())
    keeper.take_over()
    assert keeper.identity is not None
    found = [keeper.ended(inode) for _, inode in first + second]
    keeper.release()
    keeper.end()
    assert found == [ExitStatus(code=code) for code in (3, 0, 255, 7)]
    assert keeper.ended(first[0][1]) == ExitStatus()


def test_refilling_forgets_what_has_ended(tmp_path: Path) -> None:
    keeper = ExitStatusHolder(tmp_path, Journal())
    keeper.start()
    assert keeper.problem == ""
    children = [subprocess.Popen(["/bin/sleep", "100"]) for _ in range(3)]
    try:
        gc.collect()  # what earlier tests left open is closed now, and not in between
        before = len(list(Path("/proc/self/fd").iterdir()))
        for _ in range(500):
            for child in children:
                keeper.hold(child.pid)
            keeper.send(len(children))
            if keeper.crowded:
                keeper.refill([child.pid for child in children])
        assert keeper.problem == ""
        assert len(list(Path("/proc/self/fd").iterdir())) == before
    finally:
        for child in children:
            child.kill()
            child.wait()
        keeper.end()


def test_a_keeper_that_was_killed_is_replaced(tmp_path: Path) -> None:
    keeper = ExitStatusHolder(tmp_path, Journal())
    keeper.start()
    assert keeper.identity is not None
    first = keeper.identity.pid
    os.kill(first, signal.SIGKILL)
    os.waitpid(first, 0)
    assert keeper.was(first)
    keeper.start()
    assert keeper.identity is not None and keeper.identity.pid != first
    keeper.end()
    os.waitpid(-1, 0)


@pytest.mark.parametrize("where", ["_send_held", "_drop_oldest"])
def test_a_pmond_that_is_killed_while_it_takes_over_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """Its mark is left in the queue, and perhaps a message twice."""
    ((_, first),) = run_and_kill(tmp_path, 3)
    ((_, second),) = run_and_kill(tmp_path, 5)

    class Killed(Exception):
        pass

    def killed(self: ExitStatusHolder) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(ExitStatusHolder, where, killed)
        with pytest.raises(Killed):
            ExitStatusHolder(tmp_path, Journal()).take_over()
    keeper = ExitStatusHolder(tmp_path, Journal())
    keeper.take_over()
    assert [keeper.ended(first), keeper.ended(second)] == [ExitStatus(code=3), ExitStatus(code=5)]
    keeper.release()
    keeper.end()
