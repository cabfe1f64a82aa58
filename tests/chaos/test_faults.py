"""Single faults, each under its number in the list of faults that a supervisor must stand."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.chaos import invariants
from tests.chaos.machine import ChaosMachine
from tests.support.orphans import reap, taking_orphans
from tests.support.waiting import until

from pmond.runtime.processes.adopted_exits import tells_exits

pytestmark = pytest.mark.slow


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[ChaosMachine]:
    machine = ChaosMachine(tmp_path)
    machine.write_manifest({name: machine.worker(name, "steady") for name in ("one", "two")})
    machine.start()
    until(lambda: len(pids(machine)) == 2, "both run")
    try:
        yield machine
        invariants.check(machine)
    finally:
        machine.close()


def pids(machine: ChaosMachine) -> dict[str, int]:
    rows = machine.rows().values()
    return {row["name"]: row["pid"] for row in rows if row["status"] == "running"}


def test_1_survivors_are_adopted_unchanged(machine: ChaosMachine) -> None:
    before = pids(machine)
    machine.kill()
    machine.start()
    assert {name: row["pid"] for name, row in machine.rows().items()} == before
    assert all(row["restart_count"] == 0 for row in machine.rows().values())


def test_5_without_pmond_and_keeper_an_end_is_unknown_and_a_failure(machine: ChaosMachine) -> None:
    before = pids(machine)
    record = machine.state / "keeper"
    keeper = json.loads(record.read_text())["pid"] if record.exists() else 0
    with taking_orphans():
        machine.kill()
        if keeper:
            os.kill(keeper, signal.SIGKILL)
        os.kill(before["one"], signal.SIGKILL)
        reap(before["one"])
    machine.start()
    until(lambda: machine.rows()["one"]["pid"] not in {0, before["one"]}, "a restart")
    row = machine.rows()["one"]
    assert (row["exit_code"], row["exit_signal"], row["restart_count"]) == (None, None, 1)
    assert machine.rows()["two"]["pid"] == before["two"]


def test_6_a_stopped_pmond_sees_all_ends_when_it_goes_on(machine: ChaosMachine) -> None:
    before = pids(machine)
    os.kill(machine.pid, signal.SIGSTOP)
    for pid in before.values():
        os.kill(pid, signal.SIGKILL)
    os.kill(machine.pid, signal.SIGCONT)
    until(lambda: len(pids(machine)) == 2 and not set(pids(machine).values()) & set(before.values()), "again")
    assert [row["restart_count"] for row in machine.rows().values()] == [1, 1]


def test_10_of_several_pmonds_one_runs(machine: ChaosMachine) -> None:
    before, first = pids(machine), machine.pmond
    for _ in range(3):
        machine.start(wait=False)
        assert machine.pmond is not None and machine.pmond.wait(20) != 0
    machine.pmond = first
    assert pids(machine) == before


def test_12_a_stranger_with_a_recorded_pid_is_left_alone(machine: ChaosMachine) -> None:
    machine.kill()
    stranger = subprocess.Popen(["/bin/sleep", "1000"], start_new_session=True)
    try:
        with sqlite3.connect(machine.state / "data.db") as database:
            (text,) = database.execute("SELECT data FROM instances WHERE name = 'one'").fetchone()
            data = json.dumps({**json.loads(text), "pid": stranger.pid})
            database.execute("UPDATE instances SET data = ? WHERE name = 'one'", [data])
        machine.start()
        until(lambda: len(pids(machine)) == 2 and pids(machine)["one"] != stranger.pid, "it runs again", 20.0)
        machine.act("stop", "one")
        until(lambda: machine.rows()["one"]["status"] == "stopped", "it is stopped")
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_35_a_state_file_of_zeros_is_moved_aside_and_nothing_ends(machine: ChaosMachine) -> None:
    before = pids(machine)
    machine.kill()
    database = machine.state / "data.db"
    size = database.stat().st_size
    for file in machine.state.glob("data.db*"):
        file.unlink()
    database.write_bytes(b"\0" * size)
    machine.start()
    assert pids(machine) == before
    assert list(machine.state.glob("data.db.corrupt*"))


def test_48_a_storm_of_signals_ends_nothing(machine: ChaosMachine) -> None:
    before = pids(machine)
    for _ in range(2000):
        os.kill(machine.pid, signal.SIGCHLD)
        os.kill(machine.pid, signal.SIGHUP)
    until(lambda: pids(machine) == before, "it answers and they run", 20.0)


def test_a_renamed_process_outlives_every_pmond_after_that(machine: ChaosMachine) -> None:
    before = pids(machine)
    two = machine.worker("two", "steady")
    machine.write_manifest({"new": machine.worker("new", "steady", renamed_from="one"), "two": two})
    until(lambda: "new" in machine.rows(), "it is renamed")
    for _ in range(3):
        machine.kill()
        machine.start()
        assert pids(machine) == {"new": before["one"], "two": before["two"]}


@pytest.mark.skipif(not tells_exits(), reason="this kernel keeps no exit status")
def test_4_a_new_keeper_keeps_the_exit_statuses_of_the_adopted(machine: ChaosMachine) -> None:
    before = pids(machine)
    with taking_orphans():
        machine.kill()
        os.kill(json.loads((machine.state / "keeper").read_text())["pid"], signal.SIGKILL)
        machine.start()
        until(lambda: pids(machine) == before, "they are adopted")
        machine.kill()
        os.kill(before["one"], signal.SIGKILL)
        reap(before["one"])
    machine.start()
    until(lambda: machine.rows()["one"]["pid"] not in {0, before["one"]}, "a restart")
    assert machine.rows()["one"]["exit_signal"] == "SIGKILL"
