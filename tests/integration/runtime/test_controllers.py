"""Limits of control groups: written to a tree of plain files, and to the machine's own where it has them."""

from __future__ import annotations

import os
import signal
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from tests.support.cgroup import place_or_skip
from tests.support.fake_cgroup import fake_group, fake_place, limits_of
from tests.support.starting import context, reap, report_of

from pmon3_schema.bounds import ResourcesSpec
from pmon3_schema.group_limits import ALL
from pmon3_schema.process import ProcessSpec
from pmon3_schema.reading import read_value
from pmond.core.model import ExitStatus
from pmond.runtime.processes.cgroup_root import CgroupRoot
from pmond.runtime.processes.cgroups import Cgroups
from pmond.runtime.processes.controllers import Controllers, write_limits
from pmond.runtime.processes.memory import MemoryKills
from pmond.runtime.processes.spawn import Child, prepare, spawn

EVERYTHING = ResourcesSpec(
    memory_max=1 << 30, memory_high=1 << 29, cpu=1.5, cpu_weight=50, tasks_max=100, io_weight=20
)
MARKER = "state:web:1"


def test_each_limit_has_its_file(tmp_path: Path) -> None:
    place = fake_place(tmp_path, on="cpu io memory pids", has_leaf=True)
    group = fake_group(place, "web:1")
    assert Cgroups(place).prepare(MARKER, EVERYTHING) == (str(group), "")
    assert limits_of(group) == {
        "memory.max": str(1 << 30), "memory.high": str(1 << 29), "cpu.max": "150000 100000",
        "cpu.weight": "50", "pids.max": "100", "io.weight": "default 20",
    }  # fmt: skip


def test_a_change_writes_what_differs_and_what_is_said_no_more_goes_back(tmp_path: Path) -> None:
    place = fake_place(tmp_path, on="memory pids", has_leaf=True)
    group = fake_group(place, "web:1")
    before = ResourcesSpec(memory_max=1000, tasks_max=10)
    assert write_limits(str(group), ResourcesSpec(memory_max=2000), before) == ""
    assert (group / "memory.max").read_text() == "2000" and (group / "pids.max").read_text() == "max"
    (group / "cpu.max").unlink()
    assert write_limits(str(group), ResourcesSpec(memory_max=2000), None) == "", "nothing is bounded by it"
    assert write_limits(str(group), ResourcesSpec(cpu=1), None) == "cpu: there is no cpu.max"


def test_the_least_of_a_processor_is_what_the_kernel_takes(tmp_path: Path) -> None:
    group = fake_group(fake_place(tmp_path), "web:1")
    write_limits(str(group), ResourcesSpec(cpu=0.01), ResourcesSpec())
    assert (group / "cpu.max").read_text() == "1000 100000"


def test_controllers_are_switched_on_when_somebody_asks(tmp_path: Path) -> None:
    place = fake_place(tmp_path, has_leaf=True)
    controllers = Controllers(place)
    assert not controllers.in_use()
    assert controllers.switch_on({"memory"}) == {}
    for group in (place.home, place.folder):
        assert Path(group, "cgroup.subtree_control").read_text().startswith("+memory")


@pytest.mark.parametrize(
    ("place", "why"),
    [
        ({"given": "cpu"}, "the controller is "),
        ({"systemd": True}, "DelegateSubgroup=supervisor needs systemd 254"),
    ],
)
def test_what_is_not_to_be_had_is_said(tmp_path: Path, place: dict[str, Any], why: str) -> None:
    found = fake_place(tmp_path, **place)
    group, problem = Cgroups(found).prepare(MARKER, ResourcesSpec(memory_max=1))
    assert group == "" and problem.startswith("memory_max: ") and why in problem
    assert Path(found.home, "cgroup.subtree_control").read_text() == "\n"


def test_without_groups_the_reason_is_theirs() -> None:
    cgroups = Cgroups(None, "no control groups: cgroup v2 is not mounted")
    said = "cpu and cpu_weight: no control groups: cgroup v2 is not mounted"
    assert cgroups.unkept(ResourcesSpec(cpu=1, cpu_weight=5)) == said
    assert cgroups.unkept(ResourcesSpec()) == ""


def test_some_limits_are_kept_where_others_are_not(tmp_path: Path) -> None:
    place = fake_place(tmp_path, given="memory", on="memory", has_leaf=True)
    group = fake_group(place, "web:1")
    found, problem = Cgroups(place).prepare(MARKER, ResourcesSpec(memory_max=1000, cpu=1))
    assert found == str(group) and problem.startswith("cpu: the controller is ")


def test_strangers_in_the_group_of_pmond_are_not_moved(tmp_path: Path) -> None:
    place = fake_place(tmp_path)
    Path(place.home, "cgroup.procs").write_text(f"{os.getpid()}\n1\n")
    assert Controllers(place).missing(["memory"]) == {
        "memory": "other processes are in the control group of pmond"
    }
    Path(place.home, "cgroup.procs").write_text(f"{os.getpid()}\n")
    assert Controllers(place).missing(["memory"]) == {}


@pytest.mark.parametrize(
    ("before", "after", "told"), [(0, 0, False), (0, 1, True), (1, 1, False), (1, 2, True)]
)
def test_a_kill_for_want_of_memory_is_told_by_the_counter_of_the_group(
    tmp_path: Path, before: int, after: int, told: bool
) -> None:
    group = fake_group(fake_place(tmp_path), "web:1")
    machine = tmp_path / "vmstat"
    machine.write_text("oom_kill 0\n")
    kills = MemoryKills(str(machine))
    kills.told[str(group)] = before
    (group / "memory.events").write_text(f"oom {after}\noom_kill {after}\n")
    machine.write_text("oom_kill 7\n")  # of strangers
    killed = ExitStatus(signal=signal.SIGKILL)
    assert kills.explained(killed, str(group)).out_of_memory is told
    assert kills.explained(killed, "").out_of_memory
    kills.close()


def started(logs: Path, group: str, code: str) -> Child:
    spec = read_value(ProcessSpec, {"name": "web", "file": sys.executable, "args": ["-I", "-S", "-c", code]})
    child = spawn(replace(prepare(spec, context=context(logs), marker=MARKER), group=group))
    assert report_of(child) is None
    return child


def own_place() -> CgroupRoot:
    return place_or_skip(str(uuid.uuid4()))


def test_its_first_instruction_is_in_the_group_and_no_fork_escapes(tmp_path: Path) -> None:
    place = own_place()
    group = Path(place.folder, "web:1")
    group.mkdir()
    code = "import os; os.fork(); print(open('/proc/self/cgroup').read().split('0::')[1], end='', flush=True)"
    child = started(tmp_path, str(group), code)
    assert reap(child.pid) == 0
    (log,) = tmp_path.glob("*.log")
    cgroups = Cgroups(place)
    cgroups.kill(str(group))
    cgroups.close()
    said = log.read_text().split()
    assert said and all(line.endswith(f"{Path(place.folder).name}/web:1") for line in said)


def test_real_limits_are_kept_by_the_kernel(tmp_path: Path) -> None:
    place = own_place()
    cgroups = Cgroups(place)
    missing = cgroups.controllers.missing(ALL)
    if missing.keys() & {"memory", "pids"}:
        cgroups.close()
        pytest.skip(f"no controllers on this machine: {'; '.join(missing.values())}")
    group, problem = cgroups.prepare(MARKER, ResourcesSpec(memory_max=32 << 20, tasks_max=5))
    assert problem == ""
    hog = started(tmp_path, group, "x = bytearray(b'1') * (256 << 20)")
    assert reap(hog.pid) == -signal.SIGKILL
    assert MemoryKills().explained(ExitStatus(signal=signal.SIGKILL), group).out_of_memory
    cgroups.close()


def test_a_real_controller_is_switched_on_where_there_is_any(tmp_path: Path) -> None:
    """Whichever the machine has, also one that no limit needs: the way through the groups is the same."""
    place = own_place()
    switch = [Path(folder, "cgroup.subtree_control") for folder in (place.folder, place.home)]
    there = Path(place.home, "cgroup.controllers").read_text().split()
    fresh = [name for name in there if name not in switch[1].read_text().split()]
    controllers = Controllers(place)
    if not fresh or controllers.missing(fresh[:1]):
        Cgroups(place).close()
        pytest.skip("no controller on this machine is pmond's to switch on")
    try:
        assert controllers.switch_on(fresh[:1]) == {}
        assert all(fresh[0] in file.read_text().split() for file in switch) and controllers.in_use()
    finally:
        for file in switch:
            file.write_text(f"-{fresh[0]}")
        Cgroups(place).close()
