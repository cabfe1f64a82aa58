"""pmond dies in the middle of a stop: the end of the program is still the end that was asked for.

The programs here end only when the test lets them, so that pmond is surely dead by then.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.chaos import invariants
from tests.chaos.machine import ChaosMachine
from tests.support.waiting import until

from pmond.runtime.processes.identity import read_stat

pytestmark = pytest.mark.slow

LINGERS = """
trap 'trap "" TERM; echo asked > asked; read word < release; exit 0' TERM
echo > up
while :; do sleep 60 & wait; done
"""


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[ChaosMachine]:
    machine = ChaosMachine(tmp_path)
    os.mkfifo(tmp_path / "release")
    machine.write_manifest({})
    try:
        machine.start()
        yield machine
        invariants.check(machine)
    finally:
        machine.close()


def submit(machine: ChaosMachine, **more: Any) -> int:
    """A program that, asked to end, waits until it is released; its pid."""
    spec = {"name": "web", "file": "/bin/sh", "args": ["-c", LINGERS], "cwd": str(machine.folder), **more}
    (machine.folder / "up").unlink(missing_ok=True)
    machine.client.post("/v1/processes", {"spec": spec, "cwd": "/", "replace": True})
    until((machine.folder / "up").exists, "the program has its trap")
    return int(machine.rows()["web"]["pid"])


def pmond_dies_after(machine: ChaosMachine) -> None:
    """Wait until the program was asked to end; then pmond is killed."""
    until((machine.folder / "asked").exists, "the program is asked to end")
    machine.kill()


def release(machine: ChaosMachine, pid: int) -> None:
    """Let the program end, and wait until it has."""
    (machine.folder / "release").write_text("now\n")
    until(lambda: (stat := read_stat(pid)) is None or stat.state == "Z", "the program ends")


def started_again(machine: ChaosMachine, pid: int) -> dict[str, Any]:
    """Wait until another program than that runs; the row of the process."""
    until(lambda: machine.rows()["web"]["pid"] not in {0, pid}, "it runs again")
    return machine.rows()["web"]


def last_end(machine: ChaosMachine) -> str:
    """What pmond told last about an end."""
    events = machine.client.get("/v1/events?ref=web")
    return str([event["reason"] for event in events if event["reason"] in {"Exited", "Stopped"}][-1])


def test_3_a_shutdown_that_was_cut_short_brings_everything_back(machine: ChaosMachine) -> None:
    pid = submit(machine, restart={"policy": "on-failure"})
    machine.client.post("/v1/shutdown", {"stop_processes": True})
    pmond_dies_after(machine)
    release(machine, pid)
    machine.start()
    row = started_again(machine, pid)
    assert (row["restart_count"], last_end(machine)) == (0, "Stopped")


def test_3_what_a_person_stopped_did_not_fail(machine: ChaosMachine) -> None:
    pid = submit(machine, restart={"max_failures": 1})
    machine.act("stop", "web")
    pmond_dies_after(machine)
    release(machine, pid)
    machine.start()
    until(lambda: machine.rows()["web"]["status"] == "stopped", "it is stopped")
    assert last_end(machine) == "Stopped"


def test_3_a_stop_that_was_begun_is_finished_though_it_was_taken_back(machine: ChaosMachine) -> None:
    pid = submit(machine, restart={"policy": "on-failure"})
    machine.act("stop", "web")
    machine.act("start", "web")
    pmond_dies_after(machine)
    machine.start()
    assert machine.rows()["web"]["pid"] == pid, "it is adopted"
    release(machine, pid)
    row = started_again(machine, pid)
    assert (row["restart_count"], last_end(machine)) == (0, "Stopped")


def test_4_an_end_of_its_own_is_still_one(machine: ChaosMachine) -> None:
    pid = submit(machine)
    machine.kill()
    os.kill(pid, signal.SIGKILL)
    machine.start()
    row = started_again(machine, pid)
    assert (row["restart_count"], last_end(machine)) == (1, "Exited")


LEAVES_A_CHILD = """
trap 'exit 7' TERM
( trap '' TERM; echo > up; while [ ! -e over ]; do sleep 0.05; done ) &
while :; do sleep 60 & wait; done
"""


def test_4_the_code_of_a_main_program_outlives_two_pmonds_while_its_tree_is_left(
    machine: ChaosMachine,
) -> None:
    spec: dict[str, Any] = {"name": "web", "file": "/bin/sh", "cwd": str(machine.folder)}
    spec |= {"args": ["-c", LEAVES_A_CHILD], "stop": {"timeout": "60s"}}
    machine.client.post("/v1/processes", {"spec": spec, "cwd": "/", "replace": True})
    until((machine.folder / "up").exists, "the program has its trap")
    machine.act("stop", "web")
    for pmonds in (1, 2):
        until(lambda: told_of(machine, "TreeLeft") == pmonds, "its main program ended", 10.0)  # noqa: B023
        machine.kill()
        machine.start()
    (machine.folder / "over").touch()
    until(lambda: machine.rows()["web"]["status"] == "stopped", "all of it ended", 10.0)
    assert machine.rows()["web"]["exit_code"] == 7


def told_of(machine: ChaosMachine, reason: str) -> int:
    events = machine.client.get("/v1/events?ref=web")
    return sum(event["reason"] == reason for event in events)
