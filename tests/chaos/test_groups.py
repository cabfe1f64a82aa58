"""With control groups no part of a tree is lost sight of: faults 14 to 16 where a search does not do."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.chaos import invariants
from tests.chaos.hosts import WITHOUT_GROUPS, needs
from tests.chaos.machine import ChaosMachine
from tests.support.cgroup import place_or_skip
from tests.support.pmond import alive
from tests.support.waiting import until

pytestmark = pytest.mark.slow

# It waits until it may begin, then leaves a process that has no marker, no session and no parent of it.
LEAVER = """
import os, sys, time
folder = sys.argv[1]
while not os.path.exists(folder + "/go"): time.sleep(0.001)
bare = "import os, sys, time; open(sys.argv[1] + '/bare', 'w').write(str(os.getpid()) + '.'); time.sleep(60)"
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0: os.execve(sys.executable, [sys.executable, "-I", "-S", "-c", bare, folder], {})
    os._exit(0)
time.sleep(60)
"""
# As many as before, and never the same: each is replaced by its child, in a session of its own.
COMETS = """
import os, signal, sys, time
folder = sys.argv[1]
signal.signal(signal.SIGTERM, signal.SIG_IGN)
while not os.path.exists(folder + "/go"): time.sleep(0.001)
for _ in range(20):
    if os.fork() == 0: break
else: time.sleep(60); os._exit(0)
ends = time.monotonic() + 60
while time.monotonic() < ends:
    if os.fork(): os._exit(0)
    os.setsid()
"""


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[ChaosMachine]:
    folder = Path(place_or_skip("none").folder)
    folder.rmdir()
    machine = ChaosMachine(tmp_path)
    try:
        yield machine
        invariants.check(machine)
    finally:
        (tmp_path / "go").touch()  # should it still wait
        machine.close()


def run(machine: ChaosMachine, code: str) -> int:
    """Have the program run, in its group; its pid."""
    spec = machine.worker("one", "steady", stop={"timeout": "200ms"})
    spec["args"] = ["-I", "-S", "-c", code, str(machine.folder)]
    machine.write_manifest({"one": spec})
    machine.start()
    pid = until(lambda: int(machine.rows()["one"]["pid"]), "it runs")
    until(lambda: "/pmon3-" in Path(f"/proc/{pid}/cgroup").read_text(), "it is in its group")
    (machine.folder / "go").touch()
    return pid


def bare(machine: ChaosMachine) -> int:
    file = machine.folder / "bare"
    until(lambda: file.exists() and file.read_text().endswith("."), "it forks away")
    return int(file.read_text()[:-1])


def stop(machine: ChaosMachine) -> None:
    machine.act("stop", "one")
    until(lambda: machine.rows()["one"]["status"] == "stopped", "it is stopped", 20.0)


def group_of(pid: int) -> Path:
    """The folder of the group of a process, in the hierarchy that this machine has."""
    place = place_or_skip("none")
    Path(place.folder).rmdir()
    return Path(place.group_of(pid))


def test_14_what_left_its_main_program_without_a_trace_is_ended(machine: ChaosMachine) -> None:
    main = run(machine, LEAVER)
    left = bare(machine)
    os.kill(main, signal.SIGKILL)
    until(lambda: not alive(left), "the orphan is ended", 20.0)


def test_15_a_pmond_that_was_killed_finds_again_what_has_no_marker(machine: ChaosMachine) -> None:
    main = run(machine, LEAVER)
    left, group = bare(machine), group_of(main)
    machine.kill()
    machine.start()
    assert machine.rows()["one"]["pid"] == main
    stop(machine)
    assert not alive(left)
    until(lambda: not group.exists(), "the group is removed")


def test_15_what_was_left_while_no_pmond_was_there_is_ended(machine: ChaosMachine) -> None:
    main = run(machine, LEAVER)
    left = bare(machine)
    machine.kill()
    os.kill(main, signal.SIGKILL)
    machine.start()
    until(lambda: not alive(left), "the orphan is ended", 20.0)


def test_15_an_upgrade_knows_the_groups(machine: ChaosMachine) -> None:
    main = run(machine, LEAVER)
    left = bare(machine)
    machine.client.post("/v1/upgrade", {})
    until(
        lambda: any(line.get("event") == "daemon.started" for line in machine.told()[1:]),
        "the new code",
        20.0,
    )
    assert machine.rows()["one"]["pid"] == main
    stop(machine)
    assert not alive(left)


def test_16_comets_are_ended_whole(machine: ChaosMachine) -> None:
    group = group_of(run(machine, COMETS))
    members = group / "cgroup.procs"
    until(lambda: len(members.read_text().split()) > 10, "they fly")
    stop(machine)
    until(lambda: not group.exists(), "nothing is left in their group")
    assert machine.marked() == []
    assert machine.rows()["one"]["reason"] != "StopFailed"


def test_doctor_says_that_trees_are_ended_by_groups(machine: ChaosMachine) -> None:
    machine.write_manifest({})
    machine.start()
    checks = {check["name"]: check for check in machine.client.get("/v1/doctor")["checks"]}
    assert checks["process trees"]["in_use"] == "control groups"


def test_an_orderly_end_leaves_no_groups(machine: ChaosMachine) -> None:
    group = group_of(run(machine, "import time; time.sleep(60)"))
    machine.client.post("/v1/shutdown", {"stop_processes": True})
    assert machine.pmond is not None
    assert machine.pmond.wait(20) == 0
    machine.pmond = None
    assert not group.parent.exists()


def test_without_a_hierarchy_the_search_goes_on_alone(machine: ChaosMachine) -> None:
    """The same machine with nothing mounted, as in a container."""
    needs(*WITHOUT_GROUPS)
    machine.write_manifest({"one": machine.worker("one", "tree")})
    machine.start(around=WITHOUT_GROUPS)
    until(lambda: machine.rows()["one"]["status"] == "running", "it runs")
    checks = {check["name"]: check for check in machine.client.get("/v1/doctor")["checks"]}
    assert checks["process trees"]["in_use"] == "subreaper"
    assert "not mounted" in checks["process trees"]["message"]
    stop(machine)
    assert machine.marked() == []


def test_groups_of_earlier_runs_are_removed(machine: ChaosMachine) -> None:
    machine.write_manifest(
        {"one": machine.worker("one", "steady"), "quick": machine.worker("quick", "quick")}
    )
    machine.start()
    one = until(lambda: int(machine.rows()["one"]["pid"]), "it runs")
    until(lambda: "/pmon3-" in Path(f"/proc/{one}/cgroup").read_text(), "it is in its group")
    until(lambda: machine.rows()["quick"]["restart_count"] > 30, "many restarts", 30.0)
    folder = group_of(one).parent
    machine.act("stop", "quick")
    until(lambda: [entry.name for entry in folder.glob("*:*")] == ["one:1"], "one group to be left", 20.0)
