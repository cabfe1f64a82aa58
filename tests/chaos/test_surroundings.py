"""What surrounds pmond and its programs: faults 41, 47, 57 to 59, 61 and 62."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.chaos.hosts import AS_ORDINARY, needs, prepared
from tests.chaos.invariants import checked
from tests.chaos.machine import ChaosMachine
from tests.chaos.pair import PATIENCE, fleet, pids, recovers, stop, submit
from tests.support.pmond import alive
from tests.support.waiting import until

from pmond.runtime.processes.identity import identify, open_pidfd, send_signal

pytestmark = pytest.mark.slow

PAUSE = 1.5
"""Seconds; longer than any delay and grace of the workers."""
TELLS = """
import json, os, time
status = dict(line.split(":\\t", 1) for line in open("/proc/self/status").read().splitlines())
said = {n: status[n] for n in ("SigIgn", "SigBlk")}
said |= {"fds": sorted(int(n) for n in os.listdir("/proc/self/fd") if os.path.exists("/proc/self/fd/" + n))}
said |= {"cwd": os.getcwd(), "ready": os.environ.get("PMON3_READY_FD")}
said |= {"session": os.getsid(0) == os.getpid()}
open("told.new", "w").write(json.dumps(said)); os.rename("told.new", "told"); time.sleep(1000)
"""
INTERNAL = 3 << 31 | 1 << 12 | 1 << 24
"""Signals of the C library itself, and two that Python ignores again: SIGPIPE and SIGXFSZ."""
DIRTY = ("sh", "-c", 'trap "" HUP INT USR2 WINCH; exec "$@" 7</dev/zero 9</dev/zero', "sh")


def test_41_a_machine_that_was_asleep_finds_everything_as_it_was(machine: ChaosMachine) -> None:
    before = fleet(machine)
    asleep = [machine.pid, *before.values()]
    for pid in asleep:
        os.kill(pid, signal.SIGSTOP)
    time.sleep(PAUSE)  # Not a wait for something: the length of the sleep.
    for pid in asleep:
        os.kill(pid, signal.SIGCONT)
    machine.client.post("/v1/reconcile", {})
    assert pids(machine) == before
    assert [row["restart_count"] for row in machine.rows().values()] == [0, 0]


def test_47_a_program_inherits_nothing_of_what_pmond_was_started_with(machine: ChaosMachine) -> None:
    machine.write_manifest({})
    machine.start(around=DIRTY)
    spec = {"name": "one", "file": sys.executable, "args": ["-I", "-S", "-c", TELLS]}
    submit(machine, **spec, cwd=str(machine.folder))
    file = machine.folder / "told"
    until(file.exists, "it tells what it has", PATIENCE)
    told: dict[str, Any] = json.loads(file.read_text())
    assert told["fds"] == [0, 1, 2]
    assert (int(told["SigIgn"], 16) & ~INTERNAL, int(told["SigBlk"], 16)) == (0, 0)
    assert (told["cwd"], told["ready"], told["session"]) == (str(machine.folder), None, True)


def test_57_a_program_with_the_rights_of_another_user_is_adopted_and_stopped(machine: ChaosMachine) -> None:
    needs(*AS_ORDINARY)
    program = machine.folder / "asleep"
    shutil.copy("/bin/sleep", program)
    program.chmod(0o4755)
    machine.write_manifest({})
    machine.start(around=AS_ORDINARY)
    submit(machine, name="one", file=str(program), args=["1000"])
    until(lambda: "one" in pids(machine), "it runs", PATIENCE)
    pid = pids(machine)["one"]
    if os.stat(f"/proc/{pid}").st_uid != 0:  # noqa: PTH116 - a process, not a file
        pytest.skip("this file system gives nobody other rights")
    machine.kill()
    machine.start(around=AS_ORDINARY)
    assert pids(machine) == {"one": pid}
    stop(machine, "one")
    assert not alive(pid)


# The user database of pmond: `guest` is there as long as this file is.
USERS = """
import pathlib, pwd
known, getpwnam_ = pathlib.Path({path!r}), pwd.getpwnam
def getpwnam(name):
    if name != "guest": return getpwnam_(name)
    if not known.exists(): raise KeyError(name)
    return getpwnam_("nobody")
pwd.getpwnam = getpwnam
"""


@pytest.fixture
def forgetful(tmp_path: Path) -> Iterator[ChaosMachine]:
    """A machine that knows the user `guest` as long as there is a file `known`."""
    yield from checked(prepared(tmp_path, USERS.format(path=str(tmp_path / "known"))))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root switches users")
def test_57_a_user_that_is_deleted_is_named(forgetful: ChaosMachine, tmp_path: Path) -> None:
    known = tmp_path / "known"
    known.touch()
    before = fleet(forgetful)
    crashing(forgetful, Path("/bin/sleep"), user="guest")
    known.unlink()
    kill(forgetful)
    until(lambda: "no user guest" in forgetful.rows()["three"]["reason"], "it is said", PATIENCE)
    assert pids(forgetful) == before, "nothing runs as somebody else"
    known.touch()
    until(lambda: "three" in pids(forgetful), "the next good start works", PATIENCE)


def crashing(machine: ChaosMachine, program: Path, **more: Any) -> None:
    """A process of this program, killed as soon as it runs."""
    restart = {"delay": "5ms", "max_delay": "20ms", "jitter": 0}
    submit(machine, name="three", file=str(program), args=["1000"], restart=restart, **more)
    until(lambda: "three" in pids(machine), "it runs", PATIENCE)


def kill(machine: ChaosMachine) -> None:
    os.kill(pids(machine)["three"], signal.SIGKILL)


def test_58_a_program_that_is_replaced_while_it_restarts(machine: ChaosMachine) -> None:
    before = fleet(machine)
    program = machine.folder / "program"
    shutil.copy("/bin/sleep", program)
    crashing(machine, program)
    program.unlink()
    kill(machine)
    until(lambda: f"{program} does not exist" in machine.rows()["three"]["reason"], "it is missed", PATIENCE)
    fresh = program.with_suffix(".new")
    fresh.write_text("#!/no/such/interpreter\n")
    fresh.chmod(0o755)
    fresh.replace(program)
    until(lambda: "/no/such/interpreter" in machine.rows()["three"]["reason"], "it is named", PATIENCE)
    shutil.copy("/bin/sleep", fresh)
    fresh.replace(program)
    until(lambda: "three" in pids(machine), "the next good start works", PATIENCE)
    assert {name: pid for name, pid in pids(machine).items() if name != "three"} == before


def test_58_a_working_folder_that_is_removed(machine: ChaosMachine) -> None:
    machine.write_manifest({})
    machine.start()
    folder = machine.folder / "work"
    folder.mkdir()
    crashing(machine, Path("/bin/sleep"), cwd=str(folder))
    folder.rmdir()
    kill(machine)
    missing = f"its working folder {folder} does not exist"
    until(lambda: missing in machine.rows()["three"]["reason"], "it is named", PATIENCE)
    folder.mkdir()
    until(lambda: "three" in pids(machine), "the next good start works", PATIENCE)


def test_59_a_process_that_ends_while_it_is_opened_is_gone_and_no_error() -> None:
    for round_ in range(600):
        pid = os.posix_spawn("/bin/true", ["true"], {})
        identity = identify(pid)
        if round_ % 3 == 0:  # already reaped when it is opened
            os.waitpid(pid, 0)
        pidfd = open_pidfd(pid)
        if identity is not None:
            send_signal(identity, signal.SIGKILL)
        if pidfd is not None:
            os.close(pidfd)
        if round_ % 3:
            os.waitpid(pid, 0)
        assert identify(pid) is None and open_pidfd(pid) is None


def test_61_one_busy_processor_for_all(machine: ChaosMachine) -> None:
    around = ("taskset", "-c", "0", "nice", "-n", "5")
    needs(*around)
    before = fleet(machine, *around, restart={"delay": "5ms", "max_delay": "20ms", "jitter": 0})
    submit(machine, name="busy", file="/bin/sh", args=["-c", "while :; do :; done"])
    until(lambda: "busy" in pids(machine), "the processor is busy", PATIENCE)
    busy = pids(machine)["busy"]
    slowest = 0.0
    for _ in range(10):
        began = time.monotonic()
        os.kill(before["one"], signal.SIGKILL)
        recovers(machine, before)
        slowest = max(slowest, time.monotonic() - began)
        before = {name: pid for name, pid in pids(machine).items() if name in before}
    assert pids(machine)["busy"] == busy
    print(f"slowest restart {slowest:.3f} s")
    assert slowest < 2.0


def test_62_pipes_that_nobody_reads_or_writes_hold_nothing_up(machine: ChaosMachine) -> None:
    before = fleet(machine)
    pipe = machine.folder / "pipe"
    os.mkfifo(pipe)
    submit(machine, name="log", file="/bin/sleep", args=["1000"], log=str(pipe))
    submit(machine, name="env", file="/bin/sleep", args=["1000"], env_file=str(pipe))
    submit(machine, name="program", file=str(pipe))
    submit(machine, name="folder", file="/bin/sleep", args=["1000"], cwd=str(pipe))
    submit(machine, name="watch", file="/bin/sleep", args=["1000"], watch={"paths": [str(pipe)]})

    def refused() -> set[str]:
        return {name for name, row in machine.rows().items() if f"cannot start {name}" in row["reason"]}

    until(lambda: refused() == {"log", "env", "program", "folder"}, "what cannot be is said", PATIENCE)
    os.kill(before["one"], signal.SIGKILL)
    recovers(machine, before)


# A user database that answers nobody any more, as one in a network may.
SILENCE = """
import os, pathlib, pwd, grp, time
silent = pathlib.Path({path!r})
def waiting(ask):
    def answer(*arguments):
        if silent.exists(): time.sleep(1000)
        return ask(*arguments)
    return answer
pwd.getpwnam, pwd.getpwuid, os.getgrouplist = map(waiting, (pwd.getpwnam, pwd.getpwuid, os.getgrouplist))
grp.getgrnam, grp.getgrgid = waiting(grp.getgrnam), waiting(grp.getgrgid)
"""


@pytest.fixture
def cut_off(tmp_path: Path) -> Iterator[ChaosMachine]:
    """A machine whose user database is silent when there is a file `silent`."""
    yield from checked(prepared(tmp_path, SILENCE.format(path=str(tmp_path / "silent"))))


def test_62_a_restart_as_pmond_itself_asks_no_user_database(cut_off: ChaosMachine, tmp_path: Path) -> None:
    before = fleet(cut_off)
    submit(cut_off, name="three", file="/bin/sleep", args=["1000"])
    until(lambda: "three" in pids(cut_off), "it runs", PATIENCE)
    (tmp_path / "silent").touch()
    os.kill(before["one"], signal.SIGKILL)
    recovers(cut_off, before)
    three = pids(cut_off)["three"]
    os.kill(three, signal.SIGKILL)
    until(lambda: pids(cut_off).get("three") not in {None, three}, "it is started again", PATIENCE)
    (tmp_path / "silent").unlink()
