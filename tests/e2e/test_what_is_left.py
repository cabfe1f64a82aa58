"""What a main program leaves behind is gone before its successor starts, and before any verb answers.

The children here do what leaves a process group: sessions and groups of their own, two forks, a fork
that comes late. Each holds a lock that it has from the main program, so that the next main program can
tell by itself that it is not alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from tests.chaos.hosts import WITHOUT_GROUPS, needs
from tests.support.pmond import PATIENCE, Pmond, alive, temporary_pmond
from tests.support.programs import python
from tests.support.waiting import until

pytestmark = pytest.mark.slow

LEAVES = """
import fcntl, os, signal, sys, time
way, folder, wait = sys.argv[1], sys.argv[2], float(sys.argv[3])
lock = os.open(folder + "/lock", os.O_RDWR | os.O_CREAT, 0o600)
ledger = os.open(folder + "/ledger", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
try: fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError: os.write(ledger, b"double 0\\n")
def stay():
    os.write(ledger, b"child %d\\nabove %d\\n" % (os.getpid(), main))
    time.sleep(1000)
    os._exit(0)
time.sleep(wait)
main = os.getpid()
if sys.argv[5:]: signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork() == 0:
    if way == "group": os.setpgid(0, 0)
    else: os.setsid()
    if way in ("session", "group"): stay()
    if way == "daemon":
        if os.fork() == 0: stay()
        os._exit(0)
    # Late: it forks again and ends, once nobody is above it any more.
    while os.getppid() == main: time.sleep(0.0005)
    if os.fork() == 0:
        os.setsid()
        stay()
    os._exit(0)
def said(): return open(folder + "/ledger").read()
while way != "late" and f"above {main}" not in said(): time.sleep(0.001)
os.write(ledger, b"main %d\\n" % os.getpid())
os._exit(int(sys.argv[4]))
"""
WAYS = ("session", "group", "daemon", "late")


@pytest.fixture(params=["groups", "search"])
def pmond(request: pytest.FixtureRequest) -> Iterator[Pmond]:
    """A pmond of this machine, and one on a machine where no control groups are mounted."""
    around = WITHOUT_GROUPS if request.param == "search" else ()
    if around:
        needs(*around)
    with temporary_pmond(around=around) as pmond:
        pmond.declare()
        yield pmond.start()


SELDOM = {"delay": "1h", "max_delay": "1h", "jitter": 0, "stable_after": "1ms"}
"""The first restart is at once, the second an hour later."""


def leaver(
    pmond: Pmond, way: str, *more: str, wait: float = 0.3, code: int = 3, **fields: Any
) -> dict[str, Any]:
    """The declaration of such a program, `deaf` if its children do not listen to SIGTERM."""
    spec = python("one", LEAVES, **fields)
    spec["args"] += [way, str(pmond.folder), str(wait), str(code), *more]
    return spec


def written(pmond: Pmond, word: str) -> list[int]:
    file = pmond.folder / "ledger"
    lines = file.read_text().splitlines() if file.exists() else []
    return [int(line.split()[1]) for line in lines if line.startswith(word)]


def left(pmond: Pmond) -> list[int]:
    return [pid for pid in written(pmond, "child") if alive(pid)]


@pytest.mark.parametrize("wait", [0.0, 0.3], ids=["at once", "later"])
@pytest.mark.parametrize("way", WAYS)
def test_nothing_of_a_run_lives_beside_the_next(pmond: Pmond, way: str, wait: float) -> None:
    restart = {"delay": "10ms", "max_delay": "10ms", "jitter": 0}
    pmond.declare(leaver(pmond, way, wait=wait, restart=restart, stop={"timeout": "5s"}))
    until(lambda: len(written(pmond, "main")) >= 4, "four runs", PATIENCE)
    assert written(pmond, "double") == []
    assert "TreeLeft" in pmond.reasons("one")


VERBS = {
    "stop": ("stop", "one"),
    "stop by force": ("stop", "-f", "one"),
    "hold": ("hold", "one"),
    "kill": ("kill",),
    "del": ("del", "one"),
    "drop": ("drop",),
    "wait": ("wait", "one", "--for", "stopped"),
    "down": ("down",),
}


@pytest.mark.parametrize("way", ["session", "late"])
@pytest.mark.parametrize("verb", VERBS)
def test_when_a_verb_answers_nothing_is_left(pmond: Pmond, verb: str, way: str) -> None:
    """The children do not listen, so they are there until their time is over."""
    never = {"policy": "never"}
    pmond.declare(leaver(pmond, way, "deaf", restart=never, stop={"timeout": "700ms"}))
    (child,) = until(lambda: written(pmond, "child"), "a child is left", PATIENCE)
    until(lambda: written(pmond, "main"), "the main program ends", PATIENCE)
    pmond.ok(*VERBS[verb])
    assert not alive(child)


def test_what_is_left_is_said(pmond: Pmond) -> None:
    pmond.declare(leaver(pmond, "session", "deaf", restart={"policy": "never"}, stop={"timeout": "300ms"}))
    pmond.until("one", "failed")
    assert pmond.reasons("one") == ["Started", "Running", "TreeLeft", "Stopping", "Killed", "Exited"]
    assert left(pmond) == []
