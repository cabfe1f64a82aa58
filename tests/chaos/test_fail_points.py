"""pmond ends at each of its fail-points in turn (fault 34): the next one finds the old state or the new one.

Theory of operation: for each point there is a scene that leads pmond to it, and a pmond that was never
led there fails the test. Then the next pmond is started and all invariants must hold. One fleet goes
through as many tests as it survives; where the state itself is to be lost, it is the last of its line.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from tests.chaos.fleet import WorkerFleet
from tests.chaos.machine import ChaosMachine
from tests.support.cgroup import place_or_skip
from tests.support.waiting import until

from pmon3_schema.errors import PmonError
from pmond.runtime.base.failpoints import FailPoint
from pmond.runtime.processes import descendants, tree_claims
from pmond.runtime.processes.adopted_exits import tells_exits

pytestmark = pytest.mark.slow

Scene = Callable[[WorkerFleet, FailPoint], None]
"""Starts a pmond that will end at the point, and leads it there."""
WORKERS = {"steady0": "steady", "steady1": "steady", "stubborn0": "stubborn", "tree0": "tree"}
_PR_SET_CHILD_SUBREAPER = 36
_DEATH = 15.0
"""Seconds within which pmond must have come to the point."""


def new_fleet(folder: Path) -> WorkerFleet:
    """All workers up, under a pmond that is killed by the first test."""
    fleet = WorkerFleet(ChaosMachine(folder))
    for number in range(2):
        fleet.declare(f"file{number}", "steady")
    fleet.machine.write_manifest(fleet.declared)
    fleet.machine.start()
    revive(fleet)
    return fleet


def revive(fleet: WorkerFleet) -> None:
    """Bring up what a test has left stopped or deleted."""
    for name, mode in WORKERS.items():
        if fleet.intents.get(name, "gone") == "gone":
            fleet.submit(name, mode)
    down = [name for name, intent in fleet.intents.items() if intent == "down"]
    if down:
        fleet.act("start", down)
    fleet.check()


@pytest.fixture(scope="module")
def fleets() -> Iterator[list[WorkerFleet]]:
    """The fleet that the last test has left; none at the beginning, and after a failure."""
    left: list[WorkerFleet] = []
    yield left
    for fleet in left:
        fleet.machine.close()


@pytest.fixture
def fleet(fleets: list[WorkerFleet], tmp_path: Path) -> Iterator[WorkerFleet]:
    """All workers up, and no pmond."""
    fleet = fleets.pop() if fleets else new_fleet(tmp_path / "machine")
    fleet.machine.kill()
    yield fleet
    if fleet not in fleets:
        fleet.machine.close()


def attempt(command: Callable[[], object]) -> None:
    """A command whose answer may be lost with pmond."""
    with suppress(PmonError):
        command()


def come_up(fleet: WorkerFleet, point: FailPoint) -> None:
    fleet.machine.start(wait=False, fail_point=point)


def stop(*names: str, count: int = 1) -> Scene:
    def scene(fleet: WorkerFleet, point: FailPoint) -> None:
        fleet.machine.start(fail_point=f"{point}:{count}")
        attempt(lambda: fleet.act("stop", list(names)))

    return scene


def restart(fleet: WorkerFleet, point: FailPoint) -> None:
    fleet.machine.start(fail_point=point)
    attempt(lambda: fleet.act("restart", ["steady0"]))


def in_group(fleet: WorkerFleet, point: FailPoint) -> None:
    restart(fleet, point)
    ended_at(fleet, point)
    fleet.machine.start()
    fleet.check()
    fleet.act("stop", ["steady0"])  # it is in no group, and its tree must be found all the same
    fleet.machine.kill()


def crash(fleet: WorkerFleet, point: FailPoint) -> None:
    """A child of this very pmond ends."""
    fleet.machine.start(fail_point=point)
    before = fleet.machine.rows()["steady0"]["pid"]
    fleet.act("restart", ["steady0"])
    until(lambda: fleet.machine.rows()["steady0"]["pid"] not in {0, before}, "the restart")
    os.kill(fleet.machine.rows()["steady0"]["pid"], signal.SIGKILL)


def delete(fleet: WorkerFleet, point: FailPoint) -> None:
    fleet.machine.start(fail_point=point)
    attempt(lambda: fleet.delete("steady1"))


def edit_manifest(fleet: WorkerFleet, point: FailPoint) -> None:
    """While pmond is there, so that this is a hot reload, which the point must survive: the second one."""
    fleet.machine.start(fail_point=f"{point}:2")
    fleet.intents["file1"] = "gone" if fleet.intents["file1"] == "up" else "up"
    if fleet.intents["file1"] == "up":
        fleet.declare("file1", "steady")
    present = {name: spec for name, spec in fleet.declared.items() if fleet.intents[name] == "up"}
    fleet.machine.write_manifest(present)


def roll_out(fleet: WorkerFleet, point: FailPoint) -> None:
    """A change of several processes, one at a time."""
    fleet.machine.start(fail_point=point)
    for spec in fleet.declared.values():
        spec["env_vars"] = {"EDITION": str(int(spec.get("env_vars", {}).get("EDITION", 0)) + 1)}
    present = {name: spec for name, spec in fleet.declared.items() if fleet.intents[name] == "up"}
    path = str(fleet.machine.manifest)
    text = json.dumps({"processes": list(present.values())})
    body = {"documents": [{"path": path, "text": text}], "set": f"file:{path}", "max_parallel": 1}
    attempt(lambda: fleet.machine.client.post("/v1/apply", body))
    fleet.machine.manifest.write_text(text)


def declare_many(fleet: WorkerFleet, point: FailPoint) -> None:
    """More than is written in one turn: nothing of it counts before the last."""
    fleet.machine.start(fail_point=f"{point}:2")
    entries = [{"name": f"many{number}", "file": "/bin/true", "autostart": False} for number in range(1200)]
    document = {"path": "/srv/many.json", "text": json.dumps({"processes": entries})}
    attempt(lambda: fleet.machine.client.post("/v1/apply", {"documents": [document], "set": "many"}))
    ended_at(fleet, point)
    fleet.machine.start()
    assert not any(name.startswith("many") for name in fleet.machine.rows())
    fleet.machine.kill()


def fail_to_roll_out(fleet: WorkerFleet, point: FailPoint) -> None:
    """A rollout failed that is to be undone: the next pmond does that."""
    fleet.machine.start(fail_point=point)
    fleet.intents["undone"] = "gone"

    def apply(*processes: dict[str, Any], **options: str) -> None:
        document = {"path": "/srv/undone.json", "text": json.dumps({"processes": processes})}
        fleet.machine.client.post("/v1/apply", {"documents": [document], "set": "undone", **options})

    good = {"name": "undone", "file": "/bin/sleep", "args": ["1000"]}
    apply(good)
    until(lambda: fleet.machine.rows()["undone"]["status"] == "running", "the good one to run")
    apply({**good, "file": "/no/such/program", "restart": {"policy": "never"}}, on_failure="rollback")
    ended_at(fleet, point)
    fleet.machine.start()
    until(lambda: fleet.machine.rows()["undone"]["file"] == "/bin/sleep", "it to be rolled back")
    fleet.machine.client.post("/v1/actions/delete", {"refs": ["undone"]})
    until(lambda: "undone" not in fleet.machine.rows(), "it to be gone")
    fleet.machine.kill()


def with_stray(fleet: WorkerFleet, point: FailPoint) -> None:
    """Something bears our marker and belongs to no instance."""
    marker = {"PMON3_INSTANCE": f"{fleet.machine.ledger.uuid()}:nobody:1"}
    subprocess.Popen(["/bin/sleep", "1000"], env=marker, start_new_session=True)
    fleet.intents["nobody"] = "gone"
    come_up(fleet, point)


def without_keeper(fleet: WorkerFleet, point: FailPoint) -> None:
    file = fleet.machine.state / "keeper"
    os.kill(json.loads(file.read_text())["pid"], signal.SIGKILL)
    file.unlink()
    before = set(tree_claims.own_children())
    with subreaper():  # nothing but its parent tells whose the keeper is that no file names
        come_up(fleet, point)
        ended_at(fleet, point)
    for pid in set(tree_claims.own_children()) - before:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


@contextmanager
def subreaper() -> Iterator[None]:
    """What a killed pmond leaves behind becomes ours."""
    assert descendants.become_subreaper()
    yield
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


def without_uuid(fleet: WorkerFleet, point: FailPoint) -> None:
    (fleet.machine.state / "uuid").unlink()
    come_up(fleet, point)


def upgrade(fleet: WorkerFleet, point: FailPoint) -> None:
    fleet.machine.start(fail_point=point)
    attempt(lambda: fleet.machine.client.post("/v1/upgrade", {}))


def placed_again(fleet: WorkerFleet, point: FailPoint) -> None:
    """Another program has the state file, so that pmond goes on with a copy."""
    with closing(sqlite3.connect(fleet.machine.state / "data.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        come_up(fleet, point)
        ended_at(fleet, point)


def begin_anew(fleet: WorkerFleet, point: FailPoint) -> None:
    """What lives is found again, at the second try too."""
    for file in fleet.machine.state.glob("data.db*"):
        file.unlink()
    come_up(fleet, point)


def damaged(fleet: WorkerFleet, point: FailPoint) -> None:
    for file in fleet.machine.state.glob("data.db*"):
        file.write_bytes(b"no database" * 1000)
    come_up(fleet, point)


SCENES: dict[FailPoint, Scene] = {
    FailPoint.STATE_CREATED: come_up,
    FailPoint.STATE_MIGRATING: begin_anew,
    FailPoint.STATE_MOVING_ASIDE: damaged,
    FailPoint.STATE_COPIED: placed_again,
    FailPoint.STATE_REPLACING: placed_again,
    FailPoint.UUID_WRITTEN: without_uuid,
    # The manifest is brought in before.
    FailPoint.INTENT_WRITTEN: stop("steady0", count=2),
    FailPoint.INTENT_COMMITTED: stop("steady0", count=2),
    FailPoint.ANSWER_READY: stop("steady0"),
    FailPoint.ANSWER_SENT: stop("steady0"),
    FailPoint.MANY_BEGUN: declare_many,
    FailPoint.FACTS_WRITTEN: come_up,
    FailPoint.FACTS_COMMITTED: come_up,
    FailPoint.MANIFEST_READ: edit_manifest,
    FailPoint.WAVE_RELEASED: roll_out,
    FailPoint.ROLLOUT_FAILED: fail_to_roll_out,
    FailPoint.DELETE_SAVED: delete,
    FailPoint.START_NOTED: restart,
    FailPoint.START_SPAWNED: restart,
    FailPoint.GROUP_MADE: in_group,
    FailPoint.EXIT_SEEN: crash,
    FailPoint.EXIT_TOLD: crash,
    FailPoint.EXIT_REAPED: crash,
    FailPoint.STOP_NOTED: stop("steady0"),
    FailPoint.STOP_SENT: stop("steady0"),
    FailPoint.KILL_SENT: stop("stubborn0"),
    FailPoint.TREE_EMPTY: stop("tree0"),
    FailPoint.ADOPTION_BEGUN: come_up,
    FailPoint.INSTANCE_ADOPTED: come_up,
    FailPoint.ADOPTION_DONE: come_up,
    FailPoint.ORPHAN_ASKED: with_stray,
    FailPoint.FOUND_DECLARED: begin_anew,
    FailPoint.KEEPER_STARTED: without_keeper,
    FailPoint.KEEPER_TAKEN: come_up,
    FailPoint.KEEPER_MARKED: come_up,
    FailPoint.KEEPER_COPIED: come_up,
    FailPoint.KEEPER_REFILLED: come_up,
    FailPoint.SOCKET_BOUND: come_up,
    FailPoint.UPGRADE_CHECKED: upgrade,
    FailPoint.UPGRADE_HANDED_OVER: upgrade,
    FailPoint.UPGRADE_BEGUN: upgrade,
    FailPoint.UPGRADE_ADOPTED: upgrade,
}
RENAMES = (FailPoint.RENAME_SAVED, FailPoint.LOG_RENAMED)
HOOKS = (FailPoint.HOOK_NOTED, FailPoint.HOOK_SPAWNED)
"""`test_once`."""
LAST_OF_THEIR_LINE = (begin_anew, damaged)
OUTCOMES = {FailPoint.INTENT_WRITTEN: "up", FailPoint.INTENT_COMMITTED: "down", FailPoint.ANSWER_SENT: "down"}
"""Where it must be the old state, or the new one."""


def test_34_every_point_has_its_scene() -> None:
    assert SCENES.keys() | {*RENAMES, *HOOKS} == set(FailPoint)


def ended_at(fleet: WorkerFleet, point: FailPoint) -> None:
    """Wait until pmond has ended, and check that it was there."""
    pmond = fleet.machine.pmond
    assert pmond is not None
    with suppress(subprocess.TimeoutExpired):
        pmond.wait(_DEATH)
    assert pmond.poll() == -signal.SIGKILL, f"{point} was never reached"
    assert f"fail-point {point}\n" in fleet.machine.journal.read_text()
    fleet.machine.pmond = None


@pytest.mark.parametrize("point", SCENES, ids=str)
def test_34_after_a_kill_at(point: FailPoint, fleet: WorkerFleet, fleets: list[WorkerFleet]) -> None:
    if point.startswith("keeper") and not tells_exits():
        pytest.skip("this kernel keeps no exit status, so there is no keeper")
    if point is FailPoint.GROUP_MADE:
        place_or_skip(fleet.machine.uuid())
    scene = SCENES[point]
    scene(fleet, point)
    if fleet.machine.pmond is not None:
        ended_at(fleet, point)
    fleet.machine.start()
    fleet.check()
    assert fleet.intents["steady0"] == OUTCOMES.get(point, fleet.intents["steady0"])
    if scene not in LAST_OF_THEIR_LINE:
        revive(fleet)
        fleets.append(fleet)


@pytest.mark.parametrize("point", RENAMES, ids=str)
def test_34_a_renamed_process_lives_on_after_a_kill_at(point: FailPoint, tmp_path: Path) -> None:
    machine = ChaosMachine(tmp_path / "machine")
    old = {key: value for key, value in machine.worker("old", "steady").items() if key != "log"}
    machine.write_manifest({"old": old})
    machine.start(fail_point=point)
    try:
        pid = until(lambda: machine.rows()["old"]["pid"], "it runs")
        until(lambda: machine.ledger.is_alive("old"), "it holds its lock")
        machine.write_manifest({"new": {**old, "name": "new", "renamed_from": "old"}})
        assert machine.pmond is not None and machine.pmond.wait(_DEATH) == -signal.SIGKILL
        for _ in range(2):
            machine.start()
            until(lambda: set(machine.rows()) == {"new"}, "it is renamed")
            assert machine.rows()["new"]["pid"] == pid
            machine.kill()
    finally:
        machine.close()
    machine.ledger.read()
    assert not machine.ledger.doubles and machine.ledger.started == 1
