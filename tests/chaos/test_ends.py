"""Ends of pmond with programs that do not want to, and ends that somebody else reaps: faults 48 to 50."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.chaos.hosts import prepared
from tests.chaos.invariants import checked
from tests.chaos.machine import ChaosMachine
from tests.chaos.pair import PATIENCE, fleet, pids, recovers
from tests.support.pmond import alive
from tests.support.waiting import until

pytestmark = pytest.mark.slow

STUBBORN = 20


def stubborn(machine: ChaosMachine, **more: object) -> dict[str, int]:
    """Programs that ignore SIGTERM, all up; their pids."""
    names = [f"stubborn{number}" for number in range(STUBBORN)]
    machine.write_manifest({name: machine.worker(name, "stubborn", **more) for name in names})
    machine.start()
    until(lambda: len(pids(machine)) == STUBBORN, "all run", PATIENCE)
    until(lambda: all(machine.ledger.is_alive(name) for name in names), "all hold their locks", PATIENCE)
    return pids(machine)


def begins_to_end(machine: ChaosMachine) -> None:
    os.kill(machine.pid, signal.SIGTERM)
    until(lambda: "daemon.ending" in machine.journal.read_text(), "it begins to end", PATIENCE)


def ends(machine: ChaosMachine) -> int:
    assert machine.pmond is not None
    code = machine.pmond.wait(PATIENCE)
    machine.pmond = None
    return code


def test_48_signals_without_number_in_an_end(machine: ChaosMachine) -> None:
    before = stubborn(machine)
    begins_to_end(machine)
    for _ in range(2000):
        for number in (signal.SIGCHLD, signal.SIGPIPE, signal.SIGHUP, signal.SIGUSR1):
            os.kill(machine.pid, number)
    assert ends(machine) == 0
    assert not [pid for pid in before.values() if alive(pid)]
    assert machine.journal.read_text().count('"daemon.ending"') == 1


def test_49_stubborn_programs_are_killed_together(machine: ChaosMachine) -> None:
    before = stubborn(machine)
    begins_to_end(machine)
    assert ends(machine) == 0
    assert not [pid for pid in before.values() if alive(pid)]
    machine.start()
    until(lambda: len(pids(machine)) == STUBBORN, "what ran comes back", PATIENCE)
    assert not set(before.values()) & set(pids(machine).values())


def test_49_a_second_signal_waits_for_nobody(machine: ChaosMachine) -> None:
    before = stubborn(machine, stop={"timeout": "1h"})
    begins_to_end(machine)
    os.kill(machine.pid, signal.SIGTERM)
    assert ends(machine) == 0
    assert all(alive(pid) for pid in before.values())
    machine.start()
    assert {name: row["pid"] for name, row in machine.rows().items()} == before, "they are the next one's"
    machine.act("stop", *before, force=True)
    until(lambda: not any(alive(pid) for pid in before.values()), "force ends them", PATIENCE)


def test_49_an_end_that_a_kill_cuts_short_is_gone_through_or_taken_back(machine: ChaosMachine) -> None:
    stubborn(machine)
    begins_to_end(machine)
    machine.kill()
    machine.start()
    until(lambda: len(pids(machine)) == STUBBORN, "what was wanted runs", PATIENCE)
    assert [row["restart_count"] for row in machine.rows().values()] == [0] * STUBBORN


# A library in pmond's own process that waits for every child: it gets in before pmond's first look.
THIEF = """
import os, pathlib
waitid_, go = os.waitid, pathlib.Path({path!r})
def waitid(*arguments):
    if go.exists():
        go.unlink()
        os.waitpid(-1, 0)
    return waitid_(*arguments)
os.waitid = waitid
"""


@pytest.fixture
def robbed(tmp_path: Path) -> Iterator[ChaosMachine]:
    """A machine whose pmond loses its next exit when there is a file `go`."""
    yield from checked(prepared(tmp_path, THIEF.format(path=str(tmp_path / "go"))))


def test_50_an_end_that_somebody_else_reaped_is_unknown(robbed: ChaosMachine, tmp_path: Path) -> None:
    before, go = fleet(robbed), tmp_path / "go"
    go.touch()
    os.kill(before["one"], signal.SIGKILL)
    until(lambda: not go.exists(), "somebody else has reaped it", PATIENCE)
    robbed.client.post("/v1/reconcile", {})
    recovers(robbed, before)
    (end,) = [line for line in robbed.told() if line["event"] == "process.exited"]
    assert (end["name"], end["exit_code"], end["exit_signal"]) == ("one", None, None)
