"""What is wrong with files that pmond believes, or changes in them: faults 36 to 39 and 52."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.chaos.machine import ChaosMachine
from tests.chaos.pair import PATIENCE, fleet, pids
from tests.support.waiting import until

pytestmark = pytest.mark.slow


def give_away(state: Path) -> None:
    os.chown(state, 65534, -1)


def open_to_all(state: Path) -> None:
    state.chmod(0o777)


def lead_astray(state: Path) -> None:
    """A folder of somebody else in its place, by a link."""
    kept = state.rename(state.with_name("kept"))
    trap = state.with_name("trap")
    shutil.copytree(kept, trap)
    os.chown(trap, 65534, -1)
    state.symlink_to(trap)


def give_back(state: Path) -> None:
    if state.is_symlink():
        state.unlink()
        state.with_name("kept").rename(state)
    os.chown(state, os.geteuid(), -1)
    state.chmod(0o700)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give folders away")
@pytest.mark.parametrize(
    ("harm", "why"),
    [
        (give_away, "belongs to user id 65534"),
        (open_to_all, "everybody may write"),
        (lead_astray, "belongs to user id 65534"),
    ],
)
def test_36_a_state_that_may_be_somebody_elses(
    machine: ChaosMachine, harm: Callable[[Path], None], why: str
) -> None:
    before = fleet(machine)
    machine.kill()
    harm(machine.state)
    machine.start(wait=False)
    assert machine.pmond is not None
    assert machine.pmond.wait(PATIENCE) not in (0, None)
    assert why in machine.journal.read_text()
    give_back(machine.state)
    machine.start()
    assert pids(machine) == before, "nothing was signalled or started beside them"


def entry(name: str, more: str = "") -> str:
    return f'{{"name": "{name}", "file": "/bin/true"{more}}}'


HOSTILE = {
    "NUL": b'{"processes": [\0]}',
    "no text": b'{"processes": [{"name": "\xff\xfe"}]}',
    "nested": b'{"processes": ' + b"[" * 200_000,
    "ten megabytes": b'{"processes": [' + b'{"file": 1},' * 850_000,
    "twice": f'{{"processes": [{entry("one")}, {entry("one")}]}}'.encode(),
    "unknown key": f'{{"processes": [{entry("one", ", " + chr(34) + "fle" + chr(34) + ": 1")}]}}'.encode(),
    "wrong type": b'{"processes": [{"name": "one", "file": ["/bin/true"]}]}',
    "cycle": b'{"processes": [{"name": "one", "file": "/bin/true", "dependencies": ["two"]},'
    b'{"name": "two", "file": "/bin/true", "dependencies": ["one"]}]}',
    "half": b'{"processes": [{"name": "one", "fi',
    "empty": b"",
}


def rejected(machine: ChaosMachine) -> list[str]:
    events = machine.client.get("/v1/events?limit=1000")
    return [event["message"] for event in events if event["reason"] == "ManifestRejected"]


def is_refused(machine: ChaosMachine, content: bytes) -> str:
    """Replace the manifest, and wait until it is refused; what is said of it."""
    told = len(rejected(machine))
    fresh = machine.manifest.with_suffix(".new")
    fresh.write_bytes(content)
    fresh.replace(machine.manifest)
    until(lambda: len(rejected(machine)) > told, f"{content[:50]!r} is refused", PATIENCE)
    return rejected(machine)[-1]


def test_37_38_no_wrong_manifest_touches_what_runs(machine: ChaosMachine) -> None:
    before = fleet(machine)
    good = machine.manifest.read_bytes()
    for kind, content in HOSTILE.items():
        assert "manifest.json" in is_refused(machine, content), kind
        assert pids(machine) == before, kind
    machine.manifest.unlink()
    machine.client.post("/v1/reconcile", {})
    assert pids(machine) == before, "a file that is gone takes nothing away"
    machine.manifest.write_bytes(good)
    machine.client.post("/v1/reconcile", {})
    assert pids(machine) == before


def test_39_an_edit_of_everything_at_once_touches_what_it_names(machine: ChaosMachine) -> None:
    names = ("same", "gone", "old", "changed")
    specs = {name: machine.worker(name, "steady") for name in names}
    machine.write_manifest(specs)
    machine.start()
    until(lambda: len(pids(machine)) == 4, "all run", PATIENCE)
    before = pids(machine)
    del specs["gone"], specs["old"]
    specs["new"] = machine.worker("new", "steady", renamed_from="old", log=str(machine.log("old")))
    specs["changed"]["env_vars"] = {"EDITION": "2"}
    machine.write_manifest(specs)
    until(lambda: set(pids(machine)) == {"same", "new", "changed"}, "the edit is in force", PATIENCE)
    expected = {"same": before["same"], "new": before["old"], "changed": before["changed"]}
    assert pids(machine) == expected, "a change that needs a restart waits for one"
    until(lambda: not machine.ledger.is_alive("gone"), "what was removed is ended")
    machine.act("restart", "changed")
    until(lambda: pids(machine).get("changed") not in {None, before["changed"]}, "it is restarted", PATIENCE)
    assert {name: pids(machine)[name] for name in ("same", "new")} == {
        name: expected[name] for name in ("same", "new")
    }


def test_52_what_needs_a_program_that_fails_waits_for_it(machine: ChaosMachine) -> None:
    program = machine.folder / "program"
    restart = {"delay": "5ms", "max_delay": "20ms", "jitter": 0}
    first = {"name": "first", "file": str(program), "args": ["1000"], "restart": restart}
    second = machine.worker("second", "stubborn", dependencies=["first"])
    third = machine.worker("third", "steady", dependencies=["second"])
    machine.write_manifest({"third": third, "second": second, "first": first})
    machine.start()
    until(lambda: "does not exist" in machine.rows()["first"]["reason"], "it fails", PATIENCE)
    machine.kill()
    machine.start()
    until(lambda: "does not exist" in machine.rows()["first"]["reason"], "it fails again", PATIENCE)
    assert {machine.rows()[name]["status"] for name in ("second", "third")} == {"waiting"}
    machine.ledger.read()
    assert machine.ledger.started == 0
    shutil.copy("/bin/sleep", program)
    until(lambda: len(pids(machine)) == 3, "all run", PATIENCE)
    machine.act("stop", "first", "second", "third")
    until(lambda: not pids(machine), "all are stopped, though one does not listen", PATIENCE)
    until(lambda: {row["status"] for row in machine.rows().values()} == {"stopped"}, "all stop", PATIENCE)
    asked = [line["name"] for line in machine.told() if line["event"] == "process.stopping"]
    assert asked == ["third", "second", "first"]
