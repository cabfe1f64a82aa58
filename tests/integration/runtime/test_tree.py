"""Whole trees are found and ended, whatever their processes did to get away."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.support.starting import MARKER, ended, reap, start
from tests.support.waiting import until

from pmond.runtime.processes.descendants import Descendants, become_subreaper, orphans
from pmond.runtime.processes.identity import Identity, identify, is_alive, read_stat, read_whole
from pmond.runtime.processes.process_table import ProcessTable, members
from pmond.runtime.processes.tree import (
    Root,
    TreeMembership,
    kill_members,
    kill_tree,
    signal_group,
    signal_main,
)
from pmond.runtime.processes.tree_claims import own_children

# One process for each way to leave a tree; all of them sleep, and each writes its pid first.
TREE = """
import os, sys, time
def note(what):
    # Written whole and renamed, so that whoever sees the file can read it.
    with open(f"{sys.argv[1]}/{what}.new", "w") as file: file.write(str(os.getpid()))
    os.rename(f"{sys.argv[1]}/{what}.new", f"{sys.argv[1]}/{what}.pid")
def sleep(what):
    note(what); time.sleep(60); os._exit(0)
def child(): return os.fork() == 0
if child(): sleep("plain")
if child(): os.setpgid(0, 0); sleep("group")
if child(): os.setsid(); sleep("session")
if child():
    if child():
        os.setsid()
        if child(): sleep("daemon")
        os._exit(0)
    os._exit(0)
if child():
    if child():
        os.setsid()
        os.execve(sys.executable, [sys.executable, "-I", "-S", "-c", sys.argv[2], sys.argv[1]], {})
    os._exit(0)
sleep("main")
"""
OWN = frozenset({os.geteuid()})
NAMES = ["plain", "group", "session", "daemon", "main"]
BARE = "import os, sys, time; open(sys.argv[1] + '/bare.pid', 'w').write(str(os.getpid())); time.sleep(60)"

WAYS = pytest.mark.parametrize("way", ["descendants", "table"])


def membership(way: str, main: int) -> TreeMembership:
    return Descendants(lambda: {main}, set) if way == "descendants" else ProcessTable()


@contextmanager
def tree(folder: Path) -> Iterator[tuple[Root, dict[str, Identity]]]:
    """A tree of processes, by name; everything of it is gone afterwards."""
    assert become_subreaper()
    child = start(folder, sys.executable, "-I", "-S", "-c", TREE, str(folder), BARE)
    found: dict[str, Identity] = {}
    try:
        for name in [*NAMES, "bare"]:
            file = folder / f"{name}.pid"
            pid = until(lambda file=file: file.exists() and file.read_text(), f"{name} runs")  # type: ignore[misc]
            identity = identify(int(pid))
            assert identity is not None
            found[name] = identity
        yield Root(child.pid, child.start_ticks, MARKER, OWN), found
    finally:
        for identity in found.values():
            if is_alive(identity):
                os.kill(identity.pid, signal.SIGKILL)
        clear()


def clear() -> None:
    """Reap all children, which all have ended or are about to."""

    def none_left() -> bool:
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return True
        return False

    until(none_left, "all children to end")


def pids(identities: frozenset[Identity]) -> set[int]:
    return {identity.pid for identity in identities}


@WAYS
def test_all_that_bear_the_marker_are_members(tmp_path: Path, way: str) -> None:
    with tree(tmp_path) as (root, processes):
        found = pids(membership(way, root.pid).members(root))
        assert found == {processes[name].pid for name in NAMES}


@WAYS
def test_members_are_found_after_the_main_program_ended(tmp_path: Path, way: str) -> None:
    with tree(tmp_path) as (root, processes):
        os.kill(root.pid, signal.SIGKILL)
        reap(root.pid)
        found = pids(membership(way, root.pid).members(root))
        assert found == {processes[name].pid for name in NAMES if name != "main"}


@WAYS
def test_whole_tree_is_killed(tmp_path: Path, way: str) -> None:
    with tree(tmp_path) as (root, processes):
        survivors = asyncio.run(kill_tree(membership(way, root.pid), root))
        assert survivors == frozenset()
        assert [name for name in NAMES if is_alive(processes[name])] == []
        assert is_alive(processes["bare"])


def test_older_processes_are_never_members(tmp_path: Path) -> None:
    with tree(tmp_path) as (root, _):
        assert members(MARKER, root.pid, root.start_ticks + 1_000_000) == frozenset()
        assert members(MARKER[:-1] + "2", 1 << 22, 0) == frozenset()
        assert len(members(MARKER, root.pid, root.start_ticks)) == len(NAMES)


def test_orphans_are_told_by_their_marker(tmp_path: Path) -> None:
    with tree(tmp_path) as (root, processes):
        found = orphans({root.pid})
        assert {marker: [i.pid for i in identities] for marker, identities in found.by_marker.items()} == {
            MARKER: [processes["daemon"].pid],
            "": [processes["bare"].pid],
        }
        assert all(is_alive(identity) for identities in found.by_marker.values() for identity in identities)
        sessions = frozenset(
            stat.session for name in ("daemon", "bare") if (stat := read_stat(processes[name].pid))
        )
        assert (found.sessions, found.settled) == (sessions, True)


# It leaves its session and is replaced by a child of its own, once it is told to.
REPLACED = """
import os, sys, time
if os.fork():
    time.sleep(60)
os.setsid()
note = lambda what: open(f"{sys.argv[1]}/{what}", "w").write(str(os.getpid()) + ".")
note("first")
while not os.path.exists(sys.argv[1] + "/go"): time.sleep(0.001)
if os.fork(): os._exit(0)
os.setsid()
note("second")
time.sleep(60)
"""


def reaped() -> bool:
    """Reap what has ended."""
    reap_all()
    return True


def noted(file: Path) -> int:
    text = until(lambda: file.exists() and file.read_text().endswith(".") and file.read_text(), file.name)
    return int(str(text)[:-1])


def test_one_that_had_just_ended_has_perhaps_left_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first look sees of a tree only what has ended by now, and what that has left was not ours yet."""
    assert become_subreaper()
    child = start(tmp_path, sys.executable, "-I", "-S", "-c", REPLACED, str(tmp_path))
    first = noted(tmp_path / "first")
    os.kill(child.pid, signal.SIGKILL)
    reap(child.pid)
    (tmp_path / "go").touch()
    second = noted(tmp_path / "second")
    until(lambda: second in own_children(), "it is ours")
    assert first in own_children(), "it has ended and is not reaped"
    before = iter([[pid for pid in own_children() if pid != second]])
    monkeypatch.setattr(
        "pmond.runtime.processes.descendants.own_children", lambda: next(before, None) or own_children()
    )
    root = Root(child.pid, child.start_ticks, MARKER, OWN)
    assert Descendants(set, set).may_live(root)
    os.kill(second, signal.SIGKILL)
    until(lambda: reaped() and not Descendants(set, set).may_live(root), "nothing is left")


def test_one_that_is_just_becoming_another_program_is_looked_at_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For a moment of execve there is neither an environment nor an argument to be read."""
    assert become_subreaper()
    child = start(tmp_path, sys.executable, "-I", "-S", "-c", REPLACED, str(tmp_path))
    first = noted(tmp_path / "first")
    os.kill(child.pid, signal.SIGKILL)
    reap(child.pid)
    unread = {f"/proc/{first}/{name}": b"" for name in ("environ", "cmdline")}
    monkeypatch.setattr(
        "pmond.runtime.processes.tree_claims.read_whole",
        lambda file: unread.pop(file, None) or read_whole(file),
    )
    root = Root(child.pid, child.start_ticks, MARKER, OWN)
    assert Descendants(set, set).may_live(root)
    os.kill(first, signal.SIGKILL)
    until(lambda: reaped() and not Descendants(set, set).may_live(root), "nothing is left")


def test_other_main_programs_are_nobodys_orphans(tmp_path: Path) -> None:
    with tree(tmp_path) as (root, _):
        other = start(tmp_path, "/bin/sleep", "60", name="other")
        found = Descendants(lambda: {root.pid, other.pid}, set).members(root)
        os.kill(other.pid, signal.SIGKILL)
        assert other.pid not in pids(found)


def test_survivors_are_reported(tmp_path: Path) -> None:
    class Immortal:
        """What a process waiting for a device looks like."""

        def members(self, root: Root) -> frozenset[Identity]:
            return frozenset({gone})

        def may_live(self, root: Root) -> bool:
            return True

    child = start(tmp_path, "/bin/sleep", "60")
    gone = Identity(child.pid, child.start_ticks + 1, "another boot")
    root = Root(child.pid, child.start_ticks, MARKER, OWN)
    assert asyncio.run(kill_tree(Immortal(), root, timeout=0.05)) == {gone}
    assert ended(child.pid) is None, "a process of another identity was signalled"
    assert kill_members(ProcessTable(), root)
    assert reap(child.pid) == -signal.SIGKILL


def test_comet_is_caught(tmp_path: Path) -> None:
    """A process that forks, leaves the session and ends, again and again."""
    assert become_subreaper()
    code = (
        "import os, time\n"
        "for _ in range(5000):\n  time.sleep(0.002)\n  if os.fork(): os._exit(0)\n  os.setsid()\n"
    )
    child = start(tmp_path, sys.executable, "-I", "-S", "-c", code)
    root = Root(child.pid, child.start_ticks, MARKER, OWN)
    reap(child.pid)

    async def story() -> frozenset[Identity]:
        killing = asyncio.create_task(kill_tree(Descendants(lambda: (), set), root, timeout=4))
        while not killing.done():
            await asyncio.sleep(0.001)
            reap_all()
        return killing.result()

    assert asyncio.run(story()) == frozenset()
    clear()
    assert orphans(()).by_marker == {}


def reap_all() -> None:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return


def test_stopped_process_sees_the_signal_that_asks_it_to_end(tmp_path: Path) -> None:
    for send in (signal_group, signal_main):
        child = start(tmp_path, "/bin/sleep", "60")
        assert send(child.pid, signal.SIGSTOP)
        until(lambda pid=child.pid: (s := read_stat(pid)) and s.state == "T", "it stops")  # type: ignore[misc]
        assert send(child.pid, signal.SIGTERM, resume=True)
        assert reap(child.pid) == -signal.SIGTERM


def test_groups(tmp_path: Path) -> None:
    child = start(tmp_path, "/bin/sh", "-c", "sleep 60 & exec sleep 60")
    until(lambda: len(members(MARKER, child.pid, child.start_ticks)) == 2, "both run")
    os.kill(child.pid, signal.SIGKILL)
    reap(child.pid)
    assert signal_group(child.pid, signal.SIGKILL)
    until(lambda: reaped() and not signal_group(child.pid, signal.SIGTERM), "nothing is left")


@pytest.mark.parametrize("pid", [1, 0, -1])
def test_numbers_that_mean_more_than_one_process_are_refused(pid: int) -> None:
    assert not signal_group(pid, 0)
    assert not signal_main(pid, 0)


def test_one_look_at_the_children_serves_all_that_end_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[int] = []

    def counted() -> list[int]:
        looks.append(1)
        return own_children()

    monkeypatch.setattr("pmond.runtime.processes.descendants.own_children", counted)

    async def story(root: Root) -> None:
        descendants = Descendants(set, set)
        first = descendants.members(root)
        once = len(looks)
        assert descendants.members(Root(root.pid, root.start_ticks, "another", OWN)) and len(looks) == once
        os.kill(root.pid, signal.SIGKILL)
        reap(root.pid)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert pids(descendants.members(root)) == pids(first) - {root.pid} and len(looks) > once

    with tree(tmp_path) as (root, _):
        asyncio.run(story(root))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes a process that another may not signal")
def test_what_may_not_be_signalled_is_there_all_the_same() -> None:
    code = (
        "import os, sys; from pmond.runtime.processes import tree; os.setresuid(65534, 65534, 65534);"
        "pid = int(sys.argv[1]); print(tree.signal_group(pid, 15, resume=True), tree.signal_main(pid, 9))"
    )
    with subprocess.Popen(["/bin/sleep", "100"], start_new_session=True) as program:
        asked = [sys.executable, "-c", code, str(program.pid)]
        done = subprocess.run(asked, capture_output=True, text=True)
        assert (done.stdout, program.poll()) == ("True True\n", None), done.stderr
        program.kill()
