"""One pmond per state folder."""

from __future__ import annotations

import os
import select
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.waiting import until

from pmond.runtime.processes.identity import read_stat
from pmond.runtime.processes.tree_claims import children
from pmond.runtime.state.state_lock import LOCK_NAME, lock_state
from pmond.runtime.state.store_error import StoreError

HOLD = """
import sys
from pmond.runtime.processes.identity import read_stat
from pmond.runtime.state.state_lock import lock_state
lock_state(sys.argv[1])
print("locked", flush=True)
sys.stdin.read()
"""


def test_a_second_one_is_refused_by_name(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    descriptor = lock_state(folder)
    with pytest.raises(StoreError, match=f"another pmond \\(pid {os.getpid()}\\) uses {folder}"):
        lock_state(folder)
    os.close(descriptor)
    os.close(lock_state(folder))


def test_a_dead_one_leaves_no_lock(tmp_path: Path) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with child:
        assert child.stdout is not None and child.stdout.readline() == b"locked\n"
        with pytest.raises(StoreError, match=f"pid {child.pid}"):
            lock_state(tmp_path)
        child.kill()
        child.wait()
        os.close(lock_state(tmp_path))


def test_a_removed_lock_file_does_not_let_two_in(tmp_path: Path) -> None:
    first = lock_state(tmp_path)
    (tmp_path / LOCK_NAME).unlink()
    second = lock_state(tmp_path)
    assert not os.path.samestat(os.fstat(first), os.fstat(second))
    with pytest.raises(StoreError):
        lock_state(tmp_path)
    os.close(first)
    os.close(second)


def test_a_folder_that_everybody_may_write_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    with pytest.raises(StoreError, match="everybody may write"):
        lock_state(tmp_path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give folders away")
def test_a_folder_of_another_user_is_refused(tmp_path: Path) -> None:
    os.chown(tmp_path, 65534, -1)
    with pytest.raises(StoreError, match="belongs to user id 65534"):
        lock_state(tmp_path)


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot use the state folder"):
        lock_state(tmp_path / "file")


UNBORN = """
import os, sys
from pmond.runtime.processes.identity import read_stat
from pmond.runtime.state.state_lock import lock_state
folder, gate = sys.argv[1:]
lock_state(folder)
print("locked", flush=True)
os.posix_spawn(  # opening the gate waits for a writer: the child is not its program yet
    "/bin/true", ["true"], {}, file_actions=[(os.POSIX_SPAWN_OPEN, 0, gate, os.O_RDONLY, 0)]
)
"""


@pytest.mark.slow
def test_the_lock_of_a_dead_one_is_free_only_when_its_children_have_become_their_programs(
    tmp_path: Path,
) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    owner = subprocess.Popen(
        [sys.executable, "-c", UNBORN, str(tmp_path), str(gate)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
    )
    with owner:
        assert owner.stdout is not None and owner.stdout.readline() == b"locked\n"
        child = until(lambda: children(owner.pid), "the child is born")[0]
        owner.kill()
        owner.wait()
        next_one = subprocess.Popen(
            [sys.executable, "-c", HOLD, str(tmp_path)],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        with next_one:
            assert next_one.stdout is not None
            assert not select.select([next_one.stdout], [], [], 0.5)[0], "it must wait for the child"
            assert read_stat(child) is not None
            gate.open("w").close()
            assert next_one.stdout.readline() == b"locked\n"
            next_one.kill()
