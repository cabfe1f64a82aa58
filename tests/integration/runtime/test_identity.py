"""A process is signalled only if it is the one that was meant."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.support.starting import ended, reap, running, start
from tests.support.waiting import until

from pmond.runtime.processes.identity import (
    Identity,
    boot_id,
    identify,
    is_alive,
    open_pidfd,
    pidfd_inode,
    read_stat,
    send_signal,
    start_ticks,
)


def known(pid: int) -> Identity:
    found = identify(pid)
    assert found is not None
    return found


def test_identity_is_stable_and_differs(tmp_path: Path) -> None:
    with running(tmp_path, "/bin/sleep", "60") as first, running(tmp_path, "/bin/sleep", "60") as second:
        one = known(first.pid)
        assert one == known(first.pid)
        assert (one.pid, one.start_ticks, one.boot_id) == (first.pid, first.start_ticks, boot_id())
        assert one.start_ticks == start_ticks(first.pid)
        if one.pidfd_inode:
            assert one.pidfd_inode != known(second.pid).pidfd_inode
        assert is_alive(one)


def test_another_process_with_the_number_is_left_alone(tmp_path: Path) -> None:
    with running(tmp_path, "/bin/sleep", "60") as child:
        true = known(child.pid)
        others = [
            replace(true, start_ticks=true.start_ticks + 1, pidfd_inode=0),
            replace(true, boot_id="another boot"),
        ]
        if true.pidfd_inode:
            # Started within the same hundredth of a second: only the inode tells them apart.
            others.append(replace(true, pidfd_inode=true.pidfd_inode + 1))
        for other in others:
            assert not is_alive(other), other
            assert not send_signal(other, signal.SIGKILL), other
        assert ended(child.pid) is None
        assert is_alive(true)


def test_signal_reaches_the_process_that_is_meant(tmp_path: Path) -> None:
    child = start(tmp_path, "/bin/sleep", "60")
    assert send_signal(known(child.pid), signal.SIGUSR1)
    assert reap(child.pid) == -signal.SIGUSR1


def test_zombies_and_reaped_processes_are_not_alive(tmp_path: Path) -> None:
    child = start(tmp_path, "/bin/sleep", "60")
    identity = known(child.pid)
    os.kill(child.pid, signal.SIGKILL)
    until(lambda: (stat := read_stat(child.pid)) and stat.state == "Z", "it ends")
    assert not is_alive(identity)
    reap(child.pid)
    assert not is_alive(identity)
    assert not send_signal(identity, signal.SIGKILL)
    assert start_ticks(child.pid) is None
    assert identify(child.pid) is None
    assert pidfd_inode(child.pid) == 0
    assert open_pidfd(child.pid) is None


def test_process_whose_first_thread_ended_is_alive(tmp_path: Path) -> None:
    code = (
        "import ctypes, threading, time\n"
        "threading.Thread(target=time.sleep, args=(60,)).start()\n"
        "ctypes.CDLL(None).syscall(60, 0)\n"  # exit of this thread alone, on x86-64
    )
    if os.uname().machine != "x86_64":
        pytest.skip("the number of the system call is that of x86-64")
    with running(tmp_path, sys.executable, "-c", code) as child:
        until(lambda: (stat := read_stat(child.pid)) and stat.state == "Z", "its first thread ends")
        assert is_alive(known(child.pid))


@pytest.mark.parametrize("pid", [1, 0, -1])
def test_numbers_that_are_nobodys_are_refused(pid: int) -> None:
    identity = Identity(pid, 0, boot_id())
    assert not is_alive(identity)
    assert not send_signal(identity, 0)


def test_start_ticks_of_a_program_with_a_misleading_name(tmp_path: Path) -> None:
    program = tmp_path / ") R 1 (a b"
    program.write_bytes(Path("/bin/sleep").read_bytes())
    program.chmod(0o755)
    with running(tmp_path, str(program), "60") as child:
        stat = read_stat(child.pid)
        assert stat is not None
        assert (stat.parent, stat.group, stat.session) == (os.getpid(), child.pid, child.pid)


def test_without_pidfds_the_start_time_decides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    child = start(tmp_path, "/bin/sleep", "60")
    identity = replace(known(child.pid), pidfd_inode=0)

    def refused(pid: int, flags: int = 0) -> int:
        raise PermissionError(1, "filtered")

    monkeypatch.setattr(os, "pidfd_open", refused)
    assert not send_signal(replace(identity, start_ticks=1), signal.SIGKILL)
    assert send_signal(identity, signal.SIGTERM)
    assert reap(child.pid) == -signal.SIGTERM
