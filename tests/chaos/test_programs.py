"""Programs that do what no supervisor likes: faults 17 to 24, each under its number."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from tests.chaos import invariants
from tests.chaos.fleet import WorkerFleet
from tests.chaos.machine import ChaosMachine
from tests.support.pmond import alive, state_of
from tests.support.programs import script, sleeper
from tests.support.waiting import until

pytestmark = pytest.mark.slow

PATIENCE = 20.0
"""Seconds within which everything is to have come about."""


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[ChaosMachine]:
    machine = ChaosMachine(tmp_path)
    try:
        yield machine
        invariants.check(machine)
    finally:
        machine.close()


def begin(machine: ChaosMachine, *specs: dict[str, Any]) -> dict[str, int]:
    """Declare them and start pmond; their pids when all run."""
    machine.write_manifest({spec["name"]: spec for spec in specs})
    machine.start()
    until(lambda: len(pids(machine)) == len(specs), "all run", PATIENCE)
    return pids(machine)


def pids(machine: ChaosMachine) -> dict[str, int]:
    return {row["name"]: row["pid"] for row in machine.rows().values() if row["status"] == "running"}


def stop(machine: ChaosMachine, name: str) -> dict[str, Any]:
    machine.act("stop", name)
    until(lambda: machine.rows()[name]["status"] == "stopped", "it is stopped", PATIENCE)
    return machine.rows()[name]


def test_17_one_that_ignores_its_stop_signal_is_killed_after_its_grace(machine: ChaosMachine) -> None:
    begin(machine, machine.worker("one", "stubborn"))
    until(lambda: machine.ledger.is_alive("one"), "it ignores the signal")
    assert stop(machine, "one")["exit_signal"] == "SIGKILL"
    told = machine.client.get("/v1/events?ref=one")[-3:]
    assert [event["reason"] for event in told] == ["Stopping", "Killed", "Stopped"]
    asked, killed, _ = (datetime.fromisoformat(event["time"]) for event in told)
    assert (killed - asked).total_seconds() >= 0.29


@pytest.mark.parametrize("adopted", [False, True], ids=["own", "adopted"])
def test_18_one_that_was_stopped_by_a_signal_ends_in_its_own_way(
    machine: ChaosMachine, adopted: bool
) -> None:
    before = begin(machine, machine.worker("one", "steady", stop={"timeout": "1h"}))
    until(lambda: machine.ledger.is_alive("one"), "it listens to signals")
    os.kill(before["one"], signal.SIGSTOP)
    until(lambda: state_of(before["one"]) == "T", "it is stopped")
    if adopted:
        machine.kill()
        machine.start()
        assert machine.rows()["one"]["pid"] == before["one"]
    assert stop(machine, "one")["exit_code"] == 0


FREEZER = Path("/sys/fs/cgroup/freezer")
"""Of cgroup v1: what is frozen there does not even die, as in an uninterruptible wait."""


@contextmanager
def frozen(pid: int) -> Iterator[Callable[[], None]]:
    """A process that the kernel holds, until what is given is called."""
    group = FREEZER / f"pmon3-test-{pid}"
    state = group / "freezer.state"
    try:
        group.mkdir()
        (group / "cgroup.procs").write_text(str(pid))
        state.write_text("FROZEN")
    except OSError as error:
        pytest.skip(f"nothing can be frozen here: {error}")

    def thaw() -> None:
        state.write_text("THAWED")

    try:
        until(lambda: state.read_text() == "FROZEN\n", "it is frozen")
        yield thaw
    finally:
        thaw()
        until(lambda: not (group / "cgroup.procs").read_text(), "the group is empty", PATIENCE)
        group.rmdir()


def test_19_beside_one_that_cannot_die_no_other_is_started(tmp_path: Path) -> None:
    fleet = WorkerFleet(machine := ChaosMachine(tmp_path))
    machine.write_manifest({})
    try:
        machine.start()
        for name in ("one", "two"):
            fleet.submit(name, "steady")
        fleet.check()
        before = pids(machine)
        with frozen(before["one"]) as thaw:
            fleet.act("stop", ["one"])
            until(lambda: "not yet gone" in machine.rows()["one"]["reason"], "it is said", PATIENCE)
            fleet.act("start", ["one"])
            os.kill(before["two"], signal.SIGKILL)
            until(lambda: pids(machine).get("two") not in {None, before["two"]}, "others are looked after")
            row = machine.rows()["one"]
            assert (row["pid"], row["status"]) == (before["one"], "restarting")
            machine.kill()
            machine.start()
            assert machine.rows()["one"]["pid"] == before["one"]
            thaw()
            fleet.check()
        assert pids(machine)["one"] != before["one"]
        invariants.check(machine)
    finally:
        machine.close()


LEADERLESS = """
import ctypes, threading, time
threading.Thread(target=time.sleep, args=(1000,)).start()
ctypes.CDLL(None).syscall(60, 0)  # exit of this thread alone, on x86-64
"""


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="the number of the system call is that of x86-64")
def test_20_one_whose_first_thread_ended_runs_is_adopted_and_stopped(machine: ChaosMachine) -> None:
    before = begin(machine, {"name": "one", "file": sys.executable, "args": ["-c", LEADERLESS]})
    until(lambda: state_of(before["one"]) == "Z", "its first thread ends")
    assert pids(machine) == before
    machine.kill()
    machine.start()
    assert pids(machine) == before
    row = stop(machine, "one")
    assert (row["restart_count"], row["exit_signal"]) == (0, "SIGTERM")
    assert not alive(before["one"])


def test_21_ends_in_the_first_instant_are_all_seen_and_slow_the_next_start(machine: ChaosMachine) -> None:
    """The second start is at once, the third an hour later."""
    count, restart = 200, {"delay": "1h", "max_delay": "1h"}
    names = [f"p{number}" for number in range(count)]
    machine.write_manifest({name: {"name": name, "file": "/bin/false", "restart": restart} for name in names})
    machine.start()
    until(
        lambda: (
            [(row["status"], row["restart_count"]) for row in machine.rows().values()]
            == [("backoff", 1)] * count
        ),
        "each has ended twice",
        PATIENCE,
    )
    ends = [line for line in machine.told() if line["event"] == "process.exited"]
    assert sorted((line["name"], line["instance"]) for line in ends) == sorted(
        (name, instance) for name in names for instance in (1, 2)
    )
    assert {line["exit_code"] for line in ends} == {1}


def test_23_a_thousand_killed_at_once_come_back_and_pmond_answers_meanwhile(machine: ChaosMachine) -> None:
    before = begin(machine, *(sleeper(f"p{number}") for number in range(1000)))
    for pid in before.values():
        os.kill(pid, signal.SIGKILL)
    slowest = 0.0

    def again() -> bool:
        nonlocal slowest
        asked = time.monotonic()
        machine.client.get("/v1/version")
        slowest = max(slowest, time.monotonic() - asked)
        return [row["restart_count"] for row in machine.rows().values()] == [1] * len(before)

    until(again, "each is started again", PATIENCE)
    until(lambda: len(pids(machine)) == len(before), "all run", PATIENCE)
    assert not set(pids(machine).values()) & set(before.values())
    assert slowest < 1.0
    ends = [line for line in machine.told() if line["event"] == "process.exited"]
    assert sorted(line["name"] for line in ends) == sorted(before)
    assert {line["exit_signal"] for line in ends} == {"SIGKILL"}


def test_24_why_a_program_cannot_be_executed_is_said_and_is_no_exit(machine: ChaosMachine) -> None:
    folder = machine.folder
    (folder / "loop").symlink_to("loop")
    cases = {
        "missing": (str(folder / "none"), "does not exist"),
        "under": (script(folder / "plain", "") + "/none", "not a folder"),
        "forbidden": (script(folder / "forbidden", "#!/bin/sh\n", 0o644), "chmod"),
        "folder": (str(folder), "is a folder"),
        "interpreter": (script(folder / "script", "#!/no/such/sh\n"), "/no/such/sh"),
        "loop": (str(folder / "loop"), "symbolic links"),
        "text": (script(folder / "text", "echo hi\n"), "#!"),
    }
    restart = {"delay": "5ms", "max_delay": "10ms", "max_failures": 3, "stable_after": "1ms"}
    common: dict[str, Any] = {"cwd": "/", "restart": restart}
    busy = folder / "busy"
    busy.write_bytes(Path("/bin/sleep").read_bytes())
    busy.chmod(0o755)
    specs = [{"name": name, "file": file, **common} for name, (file, _) in cases.items()]
    with busy.open("ab"):
        specs.append({"name": "busy", "file": str(busy), "args": ["1000"], **common})
        machine.write_manifest({spec["name"]: spec for spec in specs})
        machine.start()
        for name, (_, words) in cases.items():
            until(lambda: machine.rows()[name]["status"] == "failed", f"{name} is given up")  # noqa: B023
            row = machine.rows()[name]
            assert words in row["reason"], row["reason"]
            assert (row["exit_code"], row["exit_signal"], row["pid"]) == (None, None, 0)
        assert "is open for writing" in machine.rows()["busy"]["reason"]
    until(lambda: "busy" in pids(machine), "what could not be started for the moment is tried again")
    assert not [line for line in machine.told() if line["event"] == "process.exited"]
