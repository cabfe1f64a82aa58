"""H4, M1 and their siblings: what a stranger has written into an environment proves nothing."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from tests.support.other_users import ask_as, process_of
from tests.support.pmond import Pmond, alive
from tests.support.programs import python, sleeper
from tests.support.stranger import needs_strangers
from tests.support.waiting import until

pytestmark = [needs_strangers, pytest.mark.slow]

NUMBERS = ["9" * 5000, "\u0661", "-1", "+1", "1_0", " 1", "0x1", "007", "9" * 19, "", "1" * 100_000]
NAMES = ["web", "x", "", ":", "a\nb", "../../etc", "web\udcff", "*"]
STUBBORN = "trap : TERM HUP; echo ready; while :; do sleep 0.1; done"


@pytest.fixture
def uuid(pmond: Pmond) -> str:
    return (pmond.folder / "data" / "uuid").read_text().strip()


@pytest.fixture
def forgeries(pmond: Pmond, uuid: str) -> Iterator[list[int]]:
    """Processes of nobody, with every kind of hostile marker."""
    texts = [f"{uuid}:{name}:{number}" for name in NAMES for number in NUMBERS]
    with ExitStack() as started:
        processes = [
            started.enter_context(
                process_of("nobody", "/bin/sleep", "1000", environment={"PMON3_INSTANCE": text})
            )
            for text in texts
        ]
        yield [process.pid for process in processes]


def orphan(name: str, marker: str, program: str) -> dict[str, Any]:
    """A process of nobody that leaves a child of ours behind, with this marker."""
    code = f"""
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork():
        os._exit(0)
    os.execve("/bin/sh", ["sh", "-c", {program!r}], {{"PMON3_INSTANCE": {marker!r}, "PATH": "/usr/bin:/bin"}})
time.sleep(1000)
"""
    return python(name, code) | {"file": "/usr/bin/python3"}


def submit(pmond: Pmond, spec: dict[str, Any]) -> None:
    assert ask_as("nobody", pmond, "POST", "/v1/processes", {"spec": spec, "cwd": "/"})[0] == 200


def test_no_marker_keeps_pmond_from_starting_or_from_an_upgrade(pmond: Pmond, forgeries: list[int]) -> None:
    """H4."""
    pmond.ok("exec", "/bin/sleep", "--name", "web", "--", "1000")
    pid = pmond.row("web")["pid"]
    pmond.ok("upgrade")
    assert pmond.until("web", "running")["pid"] == pid
    pmond.kill()
    pmond.start()
    assert pmond.until("web", "running")["pid"] == pid
    pmond.ok("ls")


def test_nor_one_of_an_orphan_that_is_our_child(pmond: Pmond, uuid: str) -> None:
    """H4 also: `ls` failed for everybody, and no orphan was ended any more."""
    submit(pmond, orphan("forger", f"{uuid}:x:{'9' * 5000}", STUBBORN))
    pmond.until("forger", "running")
    pmond.ok("ls")
    pmond.ok("restart", "forger")
    pmond.ok("ls")
    assert "loop.failed" not in pmond.journal_file.read_text()
    assert "Traceback" not in pmond.journal_file.read_text()


@pytest.mark.parametrize("pmond_was_killed", [False, True], ids=["own child", "adopted"])
def test_a_marker_of_another_user_delays_nobody(pmond: Pmond, uuid: str, pmond_was_killed: bool) -> None:
    """M1: the restart waited for `stop.timeout`, until what does not belong to it had been killed."""
    pmond.ok("exec", "/bin/sleep", "--name", "rootweb", "--", "1000")
    first = pmond.until("rootweb", "running")["pid"]
    if pmond_was_killed:
        pmond.kill()
        pmond.start()
    log = pmond.folder / "logs" / "forger.log"
    submit(pmond, orphan("forger", f"{uuid}:rootweb:1", f"{STUBBORN.replace('ready', 'ready $$')}"))
    until(lambda: log.exists() and "ready" in log.read_text(), "the forged process to run")
    forged = int(log.read_text().split()[1])
    assert pmond.rows()["rootweb"]["pid"] == first
    pmond.ok("restart", "rootweb")
    assert pmond.until("rootweb", "running")["pid"] != first
    assert alive(forged), "nobody waited for it, nor killed it to be done with it"


def test_it_adds_nothing_to_the_figures_of_somebody_else(pmond: Pmond, uuid: str) -> None:
    """M1's sibling in `usage`: the memory of a stranger's process counted for root's."""
    pmond.ok("exec", "/bin/sleep", "--name", "rootweb", "--", "1000")
    before = pmond.until("rootweb", "running")["memory_bytes"]
    spend = 'import time; x = b"x" * 50_000_000; print("ready", flush=True); time.sleep(1000)'
    program = f"exec /usr/bin/python3 -I -S -c '{spend}'"
    submit(pmond, orphan("forger", f"{uuid}:rootweb:1", program))
    log = pmond.folder / "logs" / "forger.log"
    until(lambda: log.exists() and "ready" in log.read_text(), "the memory to be used", 20)
    (row,) = pmond.ask("GET", "/v1/processes?ref=rootweb&usage=1").body
    assert row["memory_bytes"] < before + 20_000_000


BECOME_NOBODY = "os.setgroups([]); os.setresgid(65534, 65534, 65534); os.setresuid(65534, 65534, 65534)"


@pytest.mark.parametrize(
    "who, pmond_was_killed", [("the server", False), ("the server", True), ("its worker", False)]
)
def test_what_root_became_still_counts(pmond: Pmond, who: str, pmond_was_killed: bool) -> None:
    """Programs may give up the rights of root: what they leave in a session of its own ends with them."""
    code = f"""
import os, time
if {who == "the server"}: {BECOME_NOBODY}
if os.fork() == 0:
    os.setsid()
    if os.fork():
        os._exit(0)
    {BECOME_NOBODY if who == "its worker" else ""}
    os.fork()
    print("away", os.getpid(), flush=True)
    time.sleep(1000)
time.sleep(1000)
"""
    pmond.declare(python("server", code) | {"file": "/usr/bin/python3"})
    pmond.ok("init")
    log = pmond.folder / "logs" / "server.log"
    until(lambda: log.exists() and log.read_text().count("away") == 2, "the server to have forked away", 10)
    if pmond_was_killed:
        pmond.kill()
        pmond.start()
    pmond.ok("stop", "server")
    assert not [pid for pid in log.read_text().split() if pid.isdecimal() and alive(int(pid))]


def test_a_look_alike_is_not_taken_for_the_main_program(pmond: Pmond, uuid: str) -> None:
    """A record that is lost, and a stranger in a session of its own with the right name and number."""
    pmond.declare(sleeper("web"))
    pmond.ok("init")
    pid = pmond.until("web", "running")["pid"]
    pmond.kill()
    with process_of("nobody", "/bin/sleep", "1000", environment={"PMON3_INSTANCE": f"{uuid}:web:2"}) as other:
        pmond.start()
        assert pmond.until("web", "running")["pid"] == pid != other.pid
        assert os.getpgid(pid) == pid


def test_a_look_alike_of_what_is_stopped_is_no_run_of_it(pmond: Pmond, uuid: str) -> None:
    """It would count as a run that nobody saw end: a failure, with a number of the stranger's choice."""
    pmond.declare(sleeper("web", log="/dev/null"))
    pmond.ok("init")
    pmond.until("web", "running")
    pmond.ok("stop", "web")
    pmond.kill()
    with process_of("nobody", "/bin/sleep", "1000", environment={"PMON3_INSTANCE": f"{uuid}:web:{10**17}"}):
        pmond.start()
        row = pmond.row("web")
        assert (row["status"], row["restart_count"]) == ("stopped", 0)
        assert "TreeLeft" not in pmond.reasons("web")
        pmond.ok("start", "web")
        assert pmond.row("web")["status"] == "running"


@pytest.mark.parametrize("key", ["kept", "lost"])
def test_a_look_alike_gets_neither_the_name_nor_the_place_of_what_a_lost_state_said(
    pmond: Pmond, uuid: str, key: str
) -> None:
    pmond.declare(sleeper("declared"))
    pmond.ok("init")
    pmond.ok("exec", "/bin/sleep", "--name", "mine", "--", "1000")
    before = {name: row["pid"] for name, row in pmond.rows().items()}
    pmond.kill()
    for file in (pmond.folder / "data").glob("data.db*"):
        file.unlink()
    if key == "lost":
        (pmond.folder / "data" / "key").unlink()
    with ExitStack() as started:
        forged = {
            name: started.enter_context(
                process_of(
                    "nobody", "/bin/sleep", "1000", environment={"PMON3_INSTANCE": f"{uuid}:{name}:999"}
                )
            ).pid
            for name in before
        }
        pmond.start()
        rows = pmond.rows()
        assert {name: rows[name]["pid"] for name in before} == before
        assert {name: rows[f"{name}~nobody"]["pid"] for name in before} == forged
        assert {rows[f"{name}~nobody"]["user"] for name in before} == {"nobody"}
