"""`stop`: asked, then killed, with everything that it started."""

from __future__ import annotations

import os
import signal
import time

import pytest
from tests.support.pmond import Pmond, alive, state_of
from tests.support.programs import HAS_GRANDCHILDREN, IGNORES_TERM, python, sleeper, tree_in
from tests.support.waiting import until

pytestmark = pytest.mark.slow


def test_stop_holds_and_start_lifts(pmond: Pmond) -> None:
    pmond.ok("exec", "/bin/sleep", "--name", "a", "--", "1000")
    pmond.ok("stop", "a")
    row = pmond.row("a")
    assert (row["status"], row["pid"], row["exit_signal"]) == ("stopped", 0, "SIGTERM")
    assert row["hold"]["up"] is False and row["hold"]["by"]
    assert pmond.run("stop", "a").returncode == 0  # again: harmless
    pmond.ok("start", "a")
    assert pmond.row("a")["hold"] is None


def test_a_program_that_ignores_term_is_killed_after_its_grace(pmond: Pmond) -> None:
    pmond.declare(python("deaf", IGNORES_TERM, stop={"timeout": "500ms"}))
    pmond.until("deaf", "running")
    until(lambda: "ignoring" in pmond.ok("log", "deaf"), "it to ignore SIGTERM")
    begun = time.monotonic()
    pmond.ok("stop", "deaf")
    assert time.monotonic() - begun >= 0.5
    assert pmond.row("deaf")["exit_signal"] == "SIGKILL"
    assert pmond.reasons("deaf")[-3:] == ["Stopping", "Killed", "Stopped"]


def test_by_force_at_once(pmond: Pmond) -> None:
    pmond.declare(python("deaf", IGNORES_TERM, stop={"timeout": "1h"}))
    pmond.until("deaf", "running")
    pmond.ok("stop", "-f", "deaf")
    assert pmond.row("deaf")["exit_signal"] == "SIGKILL"


def test_force_overtakes_a_patient_stop(pmond: Pmond) -> None:
    pmond.declare(python("deaf", IGNORES_TERM, stop={"timeout": "1h"}))
    pmond.until("deaf", "running")
    until(lambda: "ignoring" in pmond.ok("log", "deaf"), "it to ignore SIGTERM")
    late = pmond.run("stop", "deaf", "--timeout", "300ms")
    assert late.returncode == 4
    assert pmond.row("deaf")["status"] == "stopping"
    pmond.ok("stop", "-f", "deaf")
    assert pmond.row("deaf")["status"] == "stopped"


def test_a_frozen_program_hears_it_too(pmond: Pmond) -> None:
    pmond.ok("exec", "/bin/sleep", "--name", "a", "--stop-timeout", "1h", "--", "1000")
    pid = pmond.row("a")["pid"]
    os.kill(pid, signal.SIGSTOP)
    until(lambda: state_of(pid) == "T", "it to be frozen")
    pmond.ok("stop", "a")
    assert pmond.row("a")["exit_signal"] == "SIGTERM"


@pytest.mark.parametrize("adopted", [False, True])
def test_the_whole_tree_goes(pmond: Pmond, adopted: bool) -> None:
    pmond.declare(python("tree", HAS_GRANDCHILDREN, stop={"timeout": "1h"}))
    pmond.until("tree", "running")
    pids = tree_in(pmond.folder / "logs" / "tree.log")
    if adopted:
        pmond.kill()
        pmond.start()
        assert pmond.until("tree", "running")["pid"] == pids["main"]
    pmond.ok("stop", "tree")
    assert [word for word, pid in pids.items() if alive(pid)] == []
    assert pmond.row("tree")["status"] == "stopped"


@pytest.mark.parametrize("restarted", [False, True])
def test_others_are_left_where_that_is_wanted(pmond: Pmond, restarted: bool) -> None:
    """`kill_group: false`: what the program started is its own affair, for the hunt for orphans too."""
    pmond.declare(python("tree", HAS_GRANDCHILDREN, stop={"kill_group": False}))
    pmond.until("tree", "running")
    pids = tree_in(pmond.folder / "logs" / "tree.log")
    pmond.ok("stop", "tree")
    if restarted:
        pmond.kill()
        pmond.start()
    pmond.ok("exec", "/bin/true", "-n")  # an exit, after which orphans are looked for
    assert pmond.run("exec", "/bin/sleep", "--name", "later", "--", "1000").returncode == 0
    assert (alive(pids["main"]), alive(pids["child"]), alive(pids["away"])) == (False, True, True)


def test_in_reverse_order_of_dependencies(pmond: Pmond) -> None:
    pmond.declare(sleeper("db"), sleeper("app", dependencies=["db"]), sleeper("web", dependencies=["app"]))
    pmond.until("web", "running")
    pmond.ok("stop", "*")
    stops = [event["name"] for event in pmond.events() if event["reason"] == "Stopping"]
    assert stops == ["web", "app", "db"]


def test_several_by_glob_group_label_and_id(pmond: Pmond) -> None:
    pmond.declare(
        sleeper("web1", labels={"tier": "web"}), sleeper("web2", groups=["g"]), sleeper("db"), sleeper("x")
    )
    pmond.until("x", "running")
    pmond.ok("stop", "-l", "tier=web")
    pmond.ok("stop", "-g", "g")
    pmond.ok("stop", str(pmond.row("db")["id"]))
    assert {name for name, row in pmond.rows().items() if row["status"] != "stopped"} == {"x"}
    pmond.ok("start", "web*", "db")
    assert {row["status"] for row in pmond.rows().values()} == {"running"}
    unknown = pmond.run("stop", "web1", "nope")
    assert unknown.returncode == 1 and "nope" in unknown.stderr
    assert pmond.row("web1")["status"] == "running"  # all or nothing
