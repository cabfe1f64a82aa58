"""Upgrade in place (faults 7, 8 and 9): same pid, same children, no exit lost; a broken install refused."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.chaos import invariants
from tests.chaos.machine import ChaosMachine
from tests.support.waiting import until

from pmon3_schema.errors import ErrorCode, PmonError

pytestmark = pytest.mark.slow

PACKAGES = ("schema/pmon3_schema", "controller/pmond")


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[ChaosMachine]:
    """Runs from a copy of the code, which a test may break."""
    code = tmp_path / "code"
    for package in PACKAGES:
        source = Path(__file__).parents[2] / package
        shutil.copytree(source, code / Path(package).name, ignore=shutil.ignore_patterns("__pycache__"))
    machine = ChaosMachine(tmp_path / "machine", PYTHONPATH=str(code))
    machine.write_manifest({})
    try:
        machine.start()
        yield machine
        invariants.check(machine, at_rest=False)
    finally:
        machine.close()


def submit(machine: ChaosMachine, name: str, mode: str) -> None:
    machine.client.post("/v1/processes", {"spec": machine.worker(name, mode), "cwd": "/", "replace": False})


def running(machine: ChaosMachine, name: str) -> int:
    return int(
        until(lambda: machine.rows()[name]["status"] == "running" and machine.rows()[name]["pid"], name)
    )


def upgrade(machine: ChaosMachine) -> None:
    before = machine.client.get("/v1/version")
    machine.client.post("/v1/upgrade", {})
    after = machine.client.get("/v1/version")
    assert after["pid"] == before["pid"]
    assert after["started_at"] != before["started_at"]


def test_7_children_and_counters_stay(machine: ChaosMachine) -> None:
    for number in range(3):
        submit(machine, f"steady{number}", "steady")
    pids = {f"steady{number}": running(machine, f"steady{number}") for number in range(3)}
    upgrade(machine)
    assert {name: row["pid"] for name, row in machine.rows().items()} == pids
    os.kill(pids["steady0"], signal.SIGKILL)
    until(lambda: machine.rows()["steady0"]["pid"] not in {0, pids["steady0"]}, "it is started again")
    row = machine.rows()["steady0"]
    assert (row["exit_signal"], row["restart_count"]) == ("SIGKILL", 1)
    machine.act("stop", "steady1")
    until(lambda: machine.rows()["steady1"]["status"] == "stopped", "an adopted child is stopped")
    assert machine.rows()["steady1"]["exit_code"] == 0


ENDS_WITH_ITS_PARENT = (
    "import ctypes, time; ctypes.CDLL(None).prctl(1, 15); open('%s', 'w'); time.sleep(1000)"
)
"""PR_SET_PDEATHSIG, SIGTERM: the kernel takes the thread that started it for its parent."""


def test_7_no_parent_of_a_program_dies(machine: ChaosMachine, tmp_path: Path) -> None:
    names = [f"p{number}" for number in range(8)]
    entries = [
        {"name": name, "file": sys.executable, "args": ["-c", ENDS_WITH_ITS_PARENT % (tmp_path / name)]}
        for name in names
    ]
    text = json.dumps({"processes": entries})
    machine.client.post("/v1/apply", {"documents": [{"path": "/p.json", "text": text}]})
    until(lambda: all((tmp_path / name).exists() for name in names), "all have asked for the signal", 10.0)
    pids = {name: running(machine, name) for name in names}
    upgrade(machine)
    assert {name: row["pid"] for name, row in machine.rows().items()} == pids
    assert [line for line in machine.told() if line["event"] == "process.exited"] == []


def test_7_no_exit_code_is_lost_under_many_exits(machine: ChaosMachine) -> None:
    for number in range(6):
        submit(machine, f"quick{number}", "quick")
    for _ in range(2):
        upgrade(machine)
    told, ledger = machine.told(), machine.ledger
    exits = [line for line in told if line["event"] == "process.exited"]
    ledger.read()
    assert len(exits) > 10
    assert not ledger.doubles and not ledger.repeated
    assert [line for line in exits if line["exit_code"] is None] == []
    wrong = [
        line for line in exits if line["exit_code"] not in ledger.endings[line["name"], line["instance"]]
    ]
    assert wrong == []


def test_7_clients_queue_while_the_code_changes(machine: ChaosMachine) -> None:
    times: list[float] = []
    failures: list[str] = []
    over = threading.Event()

    def ask() -> None:
        while not over.is_set():
            began = time.monotonic()
            try:
                machine.client.get("/v1/groups")
            except PmonError as error:
                failures.append(error.message)
            times.append(time.monotonic() - began)

    asking = threading.Thread(target=ask)
    asking.start()
    upgrade(machine)
    over.set()
    asking.join()
    assert failures == []
    print(f"longest answer across the upgrade: {max(times) * 1000:.0f} ms")


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("pmond/runtime/supervise/perform.py", "def broken(:\n", "SyntaxError"),
        ("pmond/runtime/supervise/perform.py", "import not_there_at_all\n", "ModuleNotFoundError"),
        ("pmon3_schema/settings.py", "raise SystemExit(3)\n", "exited with code 3"),
    ],
)
def test_8_a_broken_install_is_refused(machine: ChaosMachine, file: str, content: str, said: str) -> None:
    submit(machine, "steady0", "steady")
    pid = running(machine, "steady0")
    before = machine.client.get("/v1/version")
    (machine.folder.parent / "code" / file).write_text(content)
    with pytest.raises(PmonError) as caught:
        machine.client.post("/v1/upgrade", {})
    assert caught.value.code is ErrorCode.REFUSED
    assert said in caught.value.message
    assert machine.client.get("/v1/version") == before
    assert machine.rows()["steady0"]["pid"] == pid


def test_sigusr2_upgrades_too(machine: ChaosMachine) -> None:
    before = machine.client.get("/v1/version")["started_at"]
    os.kill(machine.pid, signal.SIGUSR2)
    until(lambda: machine.client.get("/v1/version")["started_at"] != before, "the code changes", 10.0)


def test_signals_in_the_gap_are_kept(machine: ChaosMachine) -> None:
    machine.client.post("/v1/upgrade", {})
    assert machine.pmond is not None
    machine.pmond.send_signal(signal.SIGTERM)
    assert machine.pmond.wait(10) == 0
    machine.pmond = None


def test_what_a_killed_trial_left_is_removed(machine: ChaosMachine) -> None:
    left = machine.state / "upgrade-of-a-killed-pmond"
    left.mkdir()
    (left / "data.db").write_text("a copy of the state")
    machine.kill()
    machine.start()
    assert not left.exists()
