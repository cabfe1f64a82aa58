"""`top` and `topn` in a pseudo-terminal, against a real pmond."""

from __future__ import annotations

import shutil
import signal
import sys
from pathlib import Path

import pytest
from tests.support.pmond import Pmond
from tests.support.programs import python, sleeper
from tests.support.terminal import Terminal
from tests.support.waiting import until

pytestmark = pytest.mark.slow

BUSY_CHILD = """
import subprocess, sys
subprocess.run([sys.executable, "-I", "-S", "-c", "x = bytearray(60 << 20)\\nwhile True: pass"])
"""


def view(pmond: Pmond, *words: str, columns: int = 80, lines: int = 24) -> Terminal:
    words = (sys.executable, "-P", "-m", "pmon3", *words)
    return Terminal(words, pmond.environment, columns, lines)


@pytest.fixture
def busy(pmond: Pmond) -> Pmond:
    """One process that only its child keeps busy, and one that sleeps."""
    pmond.declare(python("parent", BUSY_CHILD), sleeper("idle", groups=["quiet"]))
    pmond.until("parent", "running")
    pmond.until("idle", "running")
    return pmond


def test_top_measures_whole_trees_and_leaves_the_terminal_as_it_was(busy: Pmond) -> None:
    with view(busy, "top", "--seconds", "0.5") as terminal:
        terminal.until("2 running")

        def measured() -> bool:
            terminal.read(1.0)
            terminal.until("q quit")
            row = next(line for line in terminal.screen().splitlines() if " parent " in line).split()
            cpu, memory, unit = float(row[-4]), float(row[-3]), row[-2]
            return cpu > 20 and unit == "MB" and memory > 60

        until(measured, "the child to count", 20)
        terminal.type("n")
        rows = terminal.until("NAME▴").splitlines()
        assert [line.split()[1] for line in rows[3:5]] == ["idle", "parent"]
        terminal.type("q")
        assert terminal.ended() == 0
        assert terminal.modes() == terminal.before
        assert terminal.written.startswith("\x1b[?1049h")
        assert terminal.written.endswith("\x1b[?7h\x1b[?25h\x1b[?1049l")


@pytest.mark.parametrize("key", ["\x1b", "\x03", "q"])
def test_these_keys_end_it(busy: Pmond, key: str) -> None:
    with view(busy, "top") as terminal:
        terminal.until("q quit")
        terminal.type(key)
        assert terminal.ended() == 0
        assert terminal.modes() == terminal.before


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_signals_end_it_and_the_terminal_is_given_back(busy: Pmond, number: int) -> None:
    with view(busy, "top", "-s", "100") as terminal:
        terminal.until("q quit")
        terminal.process.send_signal(number)
        assert terminal.ended() == 0
        assert terminal.modes() == terminal.before
        assert terminal.written.endswith("\x1b[?1049l")


def test_another_size_is_drawn_at_once(busy: Pmond) -> None:
    with view(busy, "top", "-s", "100") as terminal:
        assert len(terminal.until("q quit").splitlines()) == 24
        terminal.resize(40, 6)
        screen = terminal.until("q: quit").splitlines()
        assert len(screen) == 6
        assert max(map(len, screen)) <= 40
        terminal.resize(120, 30)
        assert len(terminal.until("q quit").splitlines()) == 30


def test_only_those_asked_for(busy: Pmond) -> None:
    with view(busy, "top", "-g", "quiet", "--sort", "name") as terminal:
        screen = terminal.until("q quit")
        assert "idle" in screen
        assert "parent" not in screen
    assert busy.run("top", "nonsense").returncode == 1


def test_top_outlives_pmond(busy: Pmond) -> None:
    with view(busy, "top", "-s", "0.5") as terminal:
        terminal.until("2 running")
        busy.kill()
        assert "idle" in terminal.until("cannot reach pmond")
        busy.start()
        terminal.until("2 running")


@pytest.mark.parametrize("verb", ["top", "topn"])
def test_without_a_terminal_it_says_what_else_there_is(pmond: Pmond, verb: str) -> None:
    done = pmond.run(verb)
    assert done.returncode == 2
    assert "not a terminal (pmon3 ls" in done.stderr
    assert "\x1b" not in done.stdout


@pytest.mark.skipif(not shutil.which("top"), reason="there is no top here")
def test_topn_shows_pmond_and_its_processes_alone(busy: Pmond) -> None:
    with view(busy, "topn", "-s", "1") as terminal:
        terminal.until("COMMAND")
        words = [line.split() for line in terminal.screen().splitlines()]
        shown = {int(row[0]) for row in words if row and row[0].isdecimal()}
        assert shown == {busy.pid, busy.row("parent")["pid"], busy.row("idle")["pid"]}
        assert "to sort by CPU utilization" in terminal.screen()
        terminal.type("s")
        terminal.until("to sort by Memory utilization")
        terminal.type("\x1b")
        assert terminal.ended() == 0
        assert terminal.modes() == terminal.before
    until(lambda: not left_of(terminal.process.pid), "the top of topn to be gone")


@pytest.mark.skipif(not shutil.which("top"), reason="there is no top here")
def test_topn_without_top(busy: Pmond) -> None:
    busy.environment["PATH"] = "/nonexistent"
    with view(busy, "topn") as terminal:
        assert terminal.ended() == 2
        assert "cannot show topn: there is no program top on PATH (install procps" in terminal.screen()
        assert terminal.modes() == terminal.before


def left_of(session: int) -> list[int]:
    """The processes of this session."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            fields = (entry / "stat").read_text().rsplit(")", 1)[1].split() if entry.name.isdecimal() else []
        except OSError:
            continue
        if fields and int(fields[3]) == session and fields[0] != "Z":
            found.append(int(entry.name))
    return found
