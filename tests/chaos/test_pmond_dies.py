"""pmond is killed, by whomever: faults 1, 3, 4, 9, 11, 13 and 29, each under its number."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from tests.chaos import invariants
from tests.chaos.fleet import WorkerFleet
from tests.chaos.machine import ChaosMachine
from tests.support.orphans import reap, taking_orphans
from tests.support.waiting import until

from pmon3_schema.errors import ErrorCode, PmonError
from pmond.runtime.processes.adopted_exits import tells_exits
from pmond.runtime.processes.identity import boot_id, identify

pytestmark = pytest.mark.slow

PATIENCE = 20.0
"""Seconds within which pmond is to have recovered."""


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[ChaosMachine]:
    machine = ChaosMachine(tmp_path)
    machine.write_manifest({})
    try:
        yield machine
        invariants.check(machine)
    finally:
        machine.close()


def pids(machine: ChaosMachine) -> dict[str, int]:
    return {row["name"]: row["pid"] for row in machine.rows().values() if row["status"] == "running"}


def sleeper(name: str) -> dict[str, Any]:
    return {"name": name, "file": "/bin/sleep", "args": ["1000"]}


def begin(machine: ChaosMachine, *specs: dict[str, Any]) -> dict[str, int]:
    """Declare them and start pmond; their pids when all run."""
    machine.write_manifest({spec["name"]: spec for spec in specs})
    machine.start()
    until(lambda: len(pids(machine)) == len(specs), "all run", PATIENCE)
    return pids(machine)


def test_1_a_hundred_are_adopted_unchanged(machine: ChaosMachine) -> None:
    before = begin(machine, *(sleeper(f"p{number}") for number in range(100)))
    machine.kill()
    machine.start()
    rows = machine.rows()
    assert {name: row["pid"] for name, row in rows.items()} == before
    assert {row["restart_count"] for row in rows.values()} == {0}


# --- 3: in the middle of a command --------------------------------------------------------------


def stop(fleet: WorkerFleet) -> None:
    fleet.act("stop", ["one"])


def restart(fleet: WorkerFleet) -> None:
    fleet.act("restart", ["one"])


def delete(fleet: WorkerFleet) -> None:
    fleet.delete("one")


def reload(fleet: WorkerFleet) -> None:
    """It vanishes from the manifest, another one comes."""
    fleet.declared.pop("one")
    fleet.intents["one"] = "gone"
    fleet.declare("three", "steady")
    fleet.machine.write_manifest(fleet.declared)


@pytest.mark.parametrize("command", [stop, restart, delete, reload])
def test_3_what_was_begun_is_finished_by_the_next_pmond(
    tmp_path: Path, command: Callable[[WorkerFleet], None]
) -> None:
    """`one` takes its time to end, so that pmond surely dies between the two ends of the command."""
    fleet = WorkerFleet(machine := ChaosMachine(tmp_path))
    if command is reload:
        fleet.declare("one", "stubborn")
    fleet.declare("two", "steady")
    machine.write_manifest(fleet.declared)
    try:
        machine.start()
        if command is not reload:
            fleet.submit("one", "stubborn")
        fleet.check()
        before = pids(machine)
        command(fleet)
        until(lambda: machine.rows()["one"]["status"] in {"stopping", "restarting"}, "it is asked to end")
        machine.kill()
        machine.start()
        fleet.check()
        after = pids(machine)
        assert after["two"] == before["two"]
        assert after.get("one") != before["one"]
        invariants.check(machine)
    finally:
        machine.close()


# --- 4: ends that no pmond was there to see -----------------------------------------------------

WAITS = 'echo > "$0.up"; read word < "$0"; exit "$1"'
"""Ends with its code when somebody writes to its pipe."""
CODES = {f"code{code}": code for code in (0, 1, 2, 127, 255)}
SIGNALS = {
    f"sig{number}": number for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGUSR1, signal.SIGKILL)
}


@pytest.mark.skipif(not tells_exits(), reason="this kernel keeps no exit status")
def test_4_how_each_ended_while_no_pmond_was_there_is_known(machine: ChaosMachine) -> None:
    pipes = {name: machine.folder / name for name in (*CODES, *SIGNALS)}
    specs = []
    for name, pipe in pipes.items():
        os.mkfifo(pipe)
        specs.append(
            {"name": name, "file": "/bin/sh", "args": ["-c", WAITS, str(pipe), str(CODES.get(name, 0))]}
        )
    with taking_orphans():
        before = begin(machine, *specs)
        until(lambda: all(Path(f"{pipe}.up").exists() for pipe in pipes.values()), "all wait")
        machine.kill()
        for name in CODES:
            pipes[name].write_text("now\n")
        for name, number in SIGNALS.items():
            os.kill(before[name], number)
        for pid in before.values():
            reap(pid)
    machine.start()
    until(lambda: len(pids(machine)) == len(before), "all are started again", PATIENCE)
    rows = machine.rows()
    assert {name: rows[name]["exit_code"] for name in CODES} == CODES
    ended_by = {name: rows[name]["exit_signal"] for name in SIGNALS}
    assert ended_by == {name: signal.Signals(number).name for name, number in SIGNALS.items()}
    assert {row["restart_count"] for row in rows.values()} == {1}


# --- 9, 13: what the state says was written by another version, or in another boot --------------

OLD_STATES = Path(__file__).parents[1] / "contract" / "state"
STATE = "6f1d0c1e-0000-4000-8000-000000000001"
"""The name of the states in that folder."""


def change(machine: ChaosMachine, *statements: str) -> None:
    """Edit the state of a machine without pmond."""
    with closing(sqlite3.connect(machine.state / "data.db", isolation_level=None)) as database:
        for statement in statements:
            database.execute(statement)


@contextmanager
def foreign_sleeper(**environment: str) -> Iterator[tuple[int, str]]:
    """A process that no pmond of this test has started: its pid, and its identity as an SQL expression."""
    process = subprocess.Popen(["/bin/sleep", "1000"], env=environment, start_new_session=True)
    try:
        known = identify(process.pid)
        assert known is not None
        yield (
            process.pid,
            f"'$.pid', {known.pid}, '$.start_ticks', {known.start_ticks}, "
            f"'$.pidfd_inode', {known.pidfd_inode}, '$.boot_id'",
        )
        assert process.poll() is None, "it was signalled"
    finally:
        process.kill()
        process.wait()


def test_9_what_a_newer_pmond_has_recorded_is_adopted(machine: ChaosMachine) -> None:
    before = begin(machine, sleeper("one"), sleeper("two"))
    machine.kill()
    change(
        machine,
        "UPDATE processes SET data = json_set(data, '$.invented', 1, '$.spec.invented', 'x')",
        "UPDATE instances SET data = json_set(data, '$.invented', json('[1]'))",
        "CREATE TABLE inventions (id INTEGER PRIMARY KEY)",
        "PRAGMA user_version = 99",
    )
    machine.start()
    assert pids(machine) == before


@pytest.mark.parametrize("file", sorted(OLD_STATES.glob("v*.db.sql")), ids=lambda file: file.name)
def test_9_what_an_older_pmond_has_recorded_is_adopted(machine: ChaosMachine, file: Path) -> None:
    machine.state.mkdir(parents=True, mode=0o700)
    with closing(sqlite3.connect(machine.state / "data.db")) as database:
        database.executescript(file.read_text())
    (machine.state / "data.db").chmod(0o600)
    with foreign_sleeper(PMON3_INSTANCE=f"{STATE}:web:7") as (pid, identity):
        change(
            machine,
            f"UPDATE instances SET data = json_set(data, {identity}, '{boot_id()}')",
            "UPDATE processes SET data = json_set(data, '$.hold', NULL)",
        )
        machine.start()
        assert machine.rows()["web"]["pid"] == pid


def test_13_of_another_boot_nothing_is_adopted_and_nothing_signalled(machine: ChaosMachine) -> None:
    """Pid, start time and inode are those of a living process, as chance may have it."""
    before = begin(machine, sleeper("one"), sleeper("two"))
    with taking_orphans():
        machine.kill()
        for pid in before.values():
            os.kill(pid, signal.SIGKILL)
            reap(pid)
    with foreign_sleeper() as (stranger, identity):
        change(machine, f"UPDATE instances SET data = json_set(data, {identity}, 'an earlier boot')")
        machine.start()
        until(lambda: len(pids(machine)) == 2, "what ran before the boot runs again", PATIENCE)
        assert stranger not in pids(machine).values()
        machine.act("stop", "one", "two")
        until(lambda: not pids(machine), "they are stopped", PATIENCE)


# --- 11: files that are left, or removed --------------------------------------------------------


def test_11_a_socket_that_a_killed_pmond_left_is_replaced(machine: ChaosMachine) -> None:
    before = begin(machine, sleeper("one"))
    machine.kill()
    assert machine.socket.exists()
    machine.start()
    assert pids(machine) == before


def test_11_a_socket_file_that_was_removed_is_made_anew(machine: ChaosMachine) -> None:
    """At the next look at everything, or when pmond is asked to read its files again."""
    before = begin(machine, sleeper("one"))
    for file in machine.socket.parent.iterdir():
        file.unlink()
    machine.socket.parent.rmdir()
    os.kill(machine.pid, signal.SIGHUP)
    until(machine.socket.exists, "the file is there again")
    assert pids(machine) == before


def test_11_without_its_socket_file_pmond_goes_on_and_no_second_one_starts(machine: ChaosMachine) -> None:
    before = begin(machine, sleeper("one"))
    machine.socket.unlink()
    with pytest.raises(PmonError) as caught:
        machine.rows()
    assert caught.value.code is ErrorCode.UNREACHABLE
    first = machine.pmond
    machine.start(wait=False)
    assert machine.pmond is not None and machine.pmond.wait(PATIENCE) == 5
    machine.pmond = first
    machine.kill()
    machine.start()
    assert pids(machine) == before


# --- 29: for want of memory ---------------------------------------------------------------------

MEMORY = Path("/sys/fs/cgroup/memory")
"""The memory controller of cgroup v1: a group there needs nothing of the one that pmond is in."""


@contextmanager
def memory_limit(pid: int, size: int) -> Iterator[None]:
    """A process that may have so many bytes more."""
    group = MEMORY / f"pmon3-test-{pid}"
    try:
        group.mkdir()
        (group / "memory.limit_in_bytes").write_text(str(size))
        (group / "cgroup.procs").write_text(str(pid))
    except OSError as error:
        pytest.skip(f"no memory limit can be set here: {error}")
    try:
        yield
    finally:
        until(lambda: not (group / "cgroup.procs").read_text(), "the group is empty")
        group.rmdir()


def test_29_a_pmond_that_the_kernel_killed_for_want_of_memory_is_followed_by_the_next(
    machine: ChaosMachine,
) -> None:
    before = begin(machine, sleeper("one"), sleeper("two"))
    document = {"path": "/x.yaml", "text": "a: " + "x" * 4_000_000}
    with memory_limit(machine.pid, 4_000_000):
        for _ in range(10):
            with suppress(PmonError):
                machine.client.post("/v1/plan", {"documents": [document]})
        assert machine.pmond is not None
        assert machine.pmond.wait(PATIENCE) == -signal.SIGKILL
    machine.pmond = None
    machine.start()
    assert pids(machine) == before
    for pid in before.values():
        assert Path(f"/proc/{pid}/oom_score_adj").read_text() == "0\n"
