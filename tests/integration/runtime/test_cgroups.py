"""A control group holds all that a program forks, and nobody leaves it alive."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.integration.runtime.test_tree import BARE, NAMES, TREE, reap_all
from tests.support.cgroup import place_or_skip
from tests.support.starting import reap, start
from tests.support.waiting import until

from pmond.runtime.processes.cgroup_root import CgroupRoot, NoCgroups, find_place
from pmond.runtime.processes.cgroups import Cgroups, Grouped
from pmond.runtime.processes.descendants import Descendants, become_subreaper, orphans
from pmond.runtime.processes.identity import Identity, read_stat
from pmond.runtime.processes.tree import Root
from pmond.runtime.processes.tree_claims import children, marker_of, own_children

STATE = str(uuid.uuid4())
MARKER = f"{STATE}:web:1"


@pytest.fixture
def place() -> Iterator[CgroupRoot]:
    found = place_or_skip(STATE)
    yield found
    assert become_subreaper()
    for pid in own_children():
        os.kill(pid, signal.SIGKILL)
    until(nobody_left, "all children to end")
    Cgroups(found).close()
    assert not Path(found.folder).exists(), "groups are left"


def nobody_left() -> bool:
    reap_all()
    return not own_children()


def joined(cgroups: Cgroups, pid: int, marker: str = MARKER) -> str:
    """Move a child into its group and wait until it is there."""

    async def join() -> str:
        group = cgroups.join(pid, marker)
        assert cgroups.holds(pid)
        await cgroups.settle()
        assert not cgroups.holds(pid)
        return group

    return asyncio.run(join())


def pids(cgroups: Cgroups, group: str) -> set[int]:
    return {identity.pid for identity in cgroups.members(group)}


def gate(folder: Path, code: str) -> list[str]:
    """A program that waits for the file `go` before it does anything."""
    waiting = "import os, sys, time\nwhile not os.path.exists(sys.argv[1] + '/go'): time.sleep(0.001)\n"
    return [sys.executable, "-I", "-S", "-c", waiting + code, str(folder), BARE]


def test_all_that_is_forked_is_a_member_and_dies_with_the_group(place: CgroupRoot, tmp_path: Path) -> None:
    assert become_subreaper()
    cgroups = Cgroups(place)
    child = start(tmp_path, *gate(tmp_path, TREE), marker=MARKER)
    group = joined(cgroups, child.pid)
    assert group == f"{place.folder}/web:1"
    (tmp_path / "go").touch()
    files = [tmp_path / f"{name}.pid" for name in (*NAMES, "bare")]
    until(lambda: all(file.exists() and file.read_text() for file in files), "all of them run")
    assert pids(cgroups, group) == {int(file.read_text()) for file in files}
    cgroups.kill(group)
    until(lambda: not cgroups.members(group), "all of them to be gone, the one without a marker too")


# Forty processes, each of which is replaced by its own child again and again: as many as before, never
# the same. A look at them is out of date before it is over.
COMETS = """
import signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
for _ in range(40):
    if os.fork() == 0: break
else: time.sleep(60); os._exit(0)
ends = time.monotonic() + 60
while time.monotonic() < ends:
    if os.fork(): os._exit(0)
    os.setsid()
"""


@pytest.mark.slow
def test_those_that_fork_faster_than_anybody_can_look_die_at_once(place: CgroupRoot, tmp_path: Path) -> None:
    assert become_subreaper()
    cgroups = Cgroups(place)
    child = start(tmp_path, *gate(tmp_path, COMETS), marker=MARKER)
    group = joined(cgroups, child.pid)
    (tmp_path / "go").touch()

    until(lambda: len(cgroups.members(group)) > 20, "they fly")
    cgroups.kill(group)  # this once, and nothing else
    until(nobody_left, "no process to be left at all")
    assert pids(cgroups, group) == set()


def test_a_program_that_forks_nothing_in_its_first_instant_is_enclosed(
    place: CgroupRoot, tmp_path: Path
) -> None:
    assert become_subreaper()
    cgroups = Cgroups(place)
    child = start(tmp_path, *gate(tmp_path, TREE), marker=MARKER)
    group = joined(cgroups, child.pid)
    assert not cgroups.encloses(group), "nobody has looked for orphans yet"
    cgroups.note_orphans(orphans({child.pid}))
    assert cgroups.encloses(group)
    (tmp_path / "go").touch()
    until(lambda: (tmp_path / "bare.pid").exists(), "it forks")
    os.kill(child.pid, signal.SIGKILL)
    root = Root(child.pid, child.start_ticks, MARKER, frozenset({os.geteuid()}))
    alone = Grouped(cgroups, group, Blind())
    assert cgroups.populated(group) and alone.may_live(root)
    cgroups.kill(group)
    until(lambda: not alone.may_live(root), "nothing is left")
    cgroups.left(group, MARKER)
    assert not cgroups.encloses(group), "it is over"


class Blind:
    """A search that must not be asked."""

    def members(self, root: Root) -> frozenset[Identity]:
        raise AssertionError("the group alone knows")

    def may_live(self, root: Root) -> bool:
        raise AssertionError("the group alone knows")


HAS_CHILD = "import os, time\nif os.fork() == 0: os.setsid()\ntime.sleep(60)"
HAS_ORPHAN = """
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork(): os._exit(0)
time.sleep(60)
"""


@pytest.mark.parametrize("code", [HAS_CHILD, HAS_ORPHAN], ids=["a child", "an orphan"])
def test_one_that_forked_before_it_was_moved_is_not_enclosed(
    place: CgroupRoot, tmp_path: Path, code: str
) -> None:
    assert become_subreaper()
    cgroups = Cgroups(place)
    child = start(tmp_path, sys.executable, "-I", "-S", "-c", code, marker=MARKER)
    until(
        lambda: any(has_left(pid, child.pid) for pid in below(child.pid)),
        "what it forked has left its session",
    )
    group = joined(cgroups, child.pid)
    cgroups.note_orphans(orphans({child.pid}))
    assert not cgroups.encloses(group)
    os.kill(child.pid, signal.SIGKILL)
    assert reap(child.pid) == -signal.SIGKILL
    until(lambda: not cgroups.populated(group), "its group is empty")
    root = Root(child.pid, child.start_ticks, MARKER, frozenset({os.geteuid()}))
    assert Grouped(cgroups, group, Descendants(set, set)).may_live(root), "the search finds it all the same"


def below(pid: int) -> set[int]:
    """What it has forked: its own children and those that were left to us."""
    return {*children(pid), *own_children()} - {pid}


def has_left(pid: int, session: int) -> bool:
    stat = read_stat(pid)
    return stat is not None and stat.session != session and stat.state != "Z"


def test_whoever_has_left_something_outside_once_is_never_taken_for_enclosed(
    place: CgroupRoot, tmp_path: Path
) -> None:
    """Root may move a child to a group of somebody else, as a login does."""
    cgroups = Cgroups(place)
    first, second = (start(tmp_path, "/bin/sleep", "60", marker=f"{STATE}:web:{n}") for n in (1, 2))
    until(lambda: marker_of(first.pid), "its environment is there")

    async def story() -> str:
        cgroups.join(first.pid, f"{STATE}:web:1")
        await cgroups.settle()
        Path(place.home, "cgroup.procs").write_text(str(first.pid))
        cgroups.note_orphans(orphans({second.pid}))  # as if its main program had ended
        group = cgroups.join(second.pid, f"{STATE}:web:2")
        await cgroups.settle()
        return group

    group = asyncio.run(story())
    cgroups.note_orphans(orphans({first.pid, second.pid}))
    assert not cgroups.encloses(group)


def test_what_made_groups_of_its_own_is_a_member(place: CgroupRoot, tmp_path: Path) -> None:
    cgroups = Cgroups(place)
    child = start(tmp_path, "/bin/sleep", "60", marker=MARKER)
    group = joined(cgroups, child.pid)
    Path(group, "own").mkdir()
    Path(group, "own/cgroup.procs").write_text(str(child.pid))
    assert pids(cgroups, group) == {child.pid}
    cgroups.kill(group)
    assert reap(child.pid) == -signal.SIGKILL


def test_another_pmond_finds_the_group_by_a_process_of_it(place: CgroupRoot, tmp_path: Path) -> None:
    child = start(tmp_path, "/bin/sleep", "60", marker=MARKER)
    group = joined(Cgroups(place), child.pid)
    other = Cgroups(find_place(STATE))
    assert other.adopt(child.pid, MARKER) == group
    assert other.adopt(child.pid, f"{STATE}:web:2") == "", "of another instance"
    assert other.adopt(os.getpid(), MARKER) == "", "in no group of ours"
    assert other.adopt(1 << 22, MARKER) == "", "gone"


def test_a_pmond_below_an_instance_does_not_take_its_group(place: CgroupRoot, tmp_path: Path) -> None:
    child = start(tmp_path, "/bin/sleep", "60", marker=MARKER)
    group = joined(Cgroups(place), child.pid)
    below = CgroupRoot(place.mount, f"{group}/{Path(place.folder).name}")
    assert Cgroups(below).adopt(child.pid, MARKER) == ""


def test_groups_without_an_instance_hold_strays_and_go_when_they_are_empty(
    place: CgroupRoot, tmp_path: Path
) -> None:
    cgroups = Cgroups(place)
    child = start(tmp_path, "/bin/sleep", "60", marker=MARKER)
    group = joined(cgroups, child.pid)

    async def story() -> None:
        later = Cgroups(place)
        later.find_left({group}, STATE)
        assert later.orphans() == {}
        later.find_left((), STATE)
        assert [(m, [i.pid for i in found]) for m, found in later.orphans().items()] == [
            (MARKER, [child.pid])
        ]
        os.kill(child.pid, signal.SIGKILL)
        reap(child.pid)
        assert later.orphans() == {}
        await later.settle()

    asyncio.run(story())
    assert not Path(group).exists()


def test_a_child_that_ends_before_it_is_moved_does_no_harm(place: CgroupRoot, tmp_path: Path) -> None:
    cgroups = Cgroups(place)
    child = start(tmp_path, "/bin/true", marker=MARKER)
    until(lambda: not is_running(child.pid), "it ends")
    group = joined(cgroups, child.pid)
    assert cgroups.members(group) == frozenset()
    assert cgroups.problem == ""
    cgroups.kill(group)


def is_running(pid: int) -> bool:
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None


def test_what_goes_wrong_with_moving_is_said(place: CgroupRoot, tmp_path: Path) -> None:
    child = start(tmp_path, "/bin/sleep", "60", marker=MARKER)
    no_hierarchy = tmp_path / "groups"
    (no_hierarchy / "web:1" / "cgroup.procs").mkdir(parents=True)
    cgroups = Cgroups(CgroupRoot(place.mount, str(no_hierarchy)))
    joined(cgroups, child.pid)
    assert cgroups.problem.startswith("control groups cannot be used: ")
    assert is_running(child.pid)


def test_without_a_thread_the_loop_moves_processes_itself(
    place: CgroupRoot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    cgroups = Cgroups(place)
    first, second = (start(tmp_path, "/bin/sleep", "60", marker=f"{MARKER}{n}") for n in (1, 2))
    group = joined(cgroups, first.pid)
    assert pids(cgroups, group) == {first.pid}
    monkeypatch.undo()
    other = Cgroups(place)
    joined(other, second.pid, f"{STATE}:other:1")
    assert pids(cgroups, group) == {first.pid}


def test_a_group_that_cannot_be_killed_is_left_to_the_search(tmp_path: Path) -> None:
    """An error would keep the process group from being killed, and set the process aside."""
    (tmp_path / "cgroup.kill").mkdir()  # as without a descriptor left: it cannot be opened
    Cgroups(None).kill(str(tmp_path))
    Cgroups(None).kill(str(tmp_path / "removed"))


def test_without_groups_nothing_is_in_one() -> None:
    cgroups = Cgroups(None, "no control groups: for a test")
    assert cgroups.join(1, MARKER) == cgroups.adopt(os.getpid(), MARKER) == ""
    assert cgroups.members("") == frozenset()
    cgroups.kill("")
    cgroups.left("", MARKER)
    cgroups.find_left((), STATE)
    assert cgroups.orphans() == {}
    cgroups.close()


# --- where groups can be made


@pytest.fixture
def hierarchy(tmp_path: Path) -> Callable[..., CgroupRoot]:
    """A folder that looks like a mounted hierarchy, and a /proc/self that says so."""
    point = tmp_path / "a mount"
    (point / "me").mkdir(parents=True)

    def find(
        own: str = "0::/me\n", root: str = "/", kind: str = "cgroup2", systemd: str = "/no"
    ) -> CgroupRoot:
        (tmp_path / "cgroup").write_text("7:memory:/other\n" + own)
        mounted = str(point).replace(" ", "\\040")
        (tmp_path / "mountinfo").write_text(
            f"29 1 0:26 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
            f"30 1 0:27 {root} {mounted} rw,relatime shared:4 - {kind} none rw\n"
        )
        return find_place("S", str(tmp_path), systemd)

    return find


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"own": ""}, "has no cgroup v2"),
        ({"kind": "cgroup"}, "not mounted"),
        ({"root": "/mee"}, "not mounted"),
        ({"own": "0::/../x\n"}, "not mounted"),
        ({"own": "0::/gone\n"}, "cannot make one in"),
        ({"systemd": "/"}, "Delegate=yes"),
        ({}, "before Linux 5.14"),
    ],
)
def test_why_there_are_none(
    hierarchy: Callable[..., CgroupRoot], arguments: dict[str, str], words: str
) -> None:
    with pytest.raises(NoCgroups, match=words):
        hierarchy(**arguments)


@pytest.mark.parametrize(
    ("own", "root"), [("/me", "/"), ("/box/me", "/box"), ("/box/me", "/box/me"), ("/", "/")]
)
def test_place_below_the_own_group(
    hierarchy: Callable[..., CgroupRoot], tmp_path: Path, own: str, root: str
) -> None:
    inside = own.removeprefix(root.rstrip("/")).rstrip("/")
    folder = tmp_path / "a mount" / inside.lstrip("/") / "pmon3-S"
    folder.mkdir()
    (folder / "cgroup.kill").touch()
    found = hierarchy(f"0::{own}\n", root)
    assert found.folder == str(folder)
    assert found.home == str(folder.parent)


def test_systemd_hands_groups_over_by_an_attribute(place: CgroupRoot, tmp_path: Path) -> None:
    group = place.folder.removeprefix(place.mount.point)
    (tmp_path / "cgroup").write_text(f"0::{place.mount.root.rstrip('/')}{group}\n")
    (tmp_path / "mountinfo").write_text(Path("/proc/self/mountinfo").read_text())
    with pytest.raises(NoCgroups, match="Delegate=yes"):
        find_place("S", str(tmp_path), systemd="/")
    os.setxattr(place.folder, "user.delegate", b"1")
    assert find_place("S", str(tmp_path), systemd="/").folder == f"{place.folder}/pmon3-S"


def test_pmond_in_a_leaf_has_its_groups_beside_it(place: CgroupRoot, tmp_path: Path) -> None:
    """As systemd starts it with DelegateSubgroup=, the group of the unit being what is handed over."""
    unit = f"{place.mount.root.rstrip('/')}{place.folder.removeprefix(place.mount.point)}"
    (tmp_path / "cgroup").write_text(f"0::{unit}/supervisor\n")
    (tmp_path / "mountinfo").write_text(Path("/proc/self/mountinfo").read_text())
    Path(place.folder, "supervisor").mkdir()
    with pytest.raises(NoCgroups, match="Delegate=yes"):
        find_place("S", str(tmp_path), systemd="/")
    os.setxattr(place.folder, "user.delegate", b"1")
    found = find_place("S", str(tmp_path), systemd="/")
    assert (found.home, found.has_leaf, found.systemd) == (place.folder, True, True)
