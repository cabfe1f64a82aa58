"""What happens to processes when pmond ends, however it ends, and when the next one comes."""

from __future__ import annotations

import os
import signal

import pytest
from tests.support.pmond import Pmond, alive
from tests.support.programs import python, script, sleeper
from tests.support.waiting import until

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_processes_end_with_it(pmond: Pmond, number: int) -> None:
    pmond.declare(sleeper("db"), sleeper("web", dependencies=["db"]))
    pmond.until("web", "running")
    pmond.signal(number)
    assert pmond.ended() == 0
    assert pmond.survivors() == []
    assert not pmond.socket.exists()
    stops = [line["name"] for line in pmond.journal() if line["event"] == "process.stopping"]
    assert stops == ["web", "db"]
    pmond.start()
    pmond.until("web", "running")


def test_processes_outlive_it_where_that_is_wanted(stopped_pmond: Pmond) -> None:
    pmond = stopped_pmond
    pmond.configure("handle_interrupts: false\n")
    pmond.declare(sleeper("a"))
    pmond.start()
    os.kill(pmond.until("a", "running")["pid"], signal.SIGKILL)
    before = pmond.until("a", "running", restart_count=1)
    pmond.signal(signal.SIGTERM)
    assert pmond.ended() == 0
    assert alive(before["pid"])
    after = pmond.start().until("a", "running")
    assert [after[key] for key in ("pid", "restart_count", "id")] == [
        before[key] for key in ("pid", "restart_count", "id")
    ]
    os.kill(before["pid"], signal.SIGKILL)
    again = pmond.until("a", "running", restart_count=2)
    assert again["pid"] != before["pid"]


def test_killed_it_loses_nothing_and_starts_nothing_twice(pmond: Pmond) -> None:
    pmond.declare(*(sleeper(f"p{number}") for number in range(20)), sleeper("held"), sleeper("gone"))
    for name in ("held", "gone"):
        pmond.until(name, "running")
    pmond.ok("stop", "held")
    pmond.ok("exec", "/bin/sleep", "--name", "mine", "--", "1000")
    until(lambda: all(r["status"] in ("running", "stopped") for r in pmond.rows().values()), "all to be up")
    before = pmond.rows()
    pmond.kill()
    os.kill(before["gone"]["pid"], signal.SIGKILL)
    pmond.start()
    for name, row in before.items():
        if name == "gone":
            assert pmond.until(name, "running")["pid"] != row["pid"]
        else:
            assert pmond.until(name, row["status"])["pid"] == row["pid"], name
    sleeps = [pid for pid in pmond.survivors() if pid != pmond.pid]
    assert len(sleeps) == 22
    assert pmond.row("held")["hold"]["up"] is False


def test_the_end_of_an_adopted_process_is_noticed_with_its_status(pmond: Pmond) -> None:
    go = pmond.folder / "go"
    os.mkfifo(go)
    program = script(pmond.folder / "app", f"#!/bin/sh\nread x < {go}\nexit 3\n")
    pmond.declare({"file": program, "name": "a", "no_auto_restart": True})
    pmond.until("a", "running")
    pmond.kill()
    pmond.start()
    pmond.until("a", "running")
    go.write_text("now\n")
    row = pmond.until("a", "failed")
    # Nobody but its parent may be told how it ended, on older kernels.
    assert row["exit_code"] in (3, None)


def test_only_one_for_each_state_folder(pmond: Pmond) -> None:
    first = pmond.daemon
    said = pmond.try_start()
    assert "another pmond" in said
    assert pmond.ended() == 5
    pmond.daemon = first
    assert pmond.rows() == {}


def test_a_second_signal_ends_it_at_once(pmond: Pmond) -> None:
    code = (
        "import signal, time; signal.signal(15, signal.SIG_IGN); print('deaf', flush=True); time.sleep(1000)"
    )
    pmond.declare(python("deaf", code, stop={"timeout": "1h"}))
    pmond.until("deaf", "running")
    until(lambda: "deaf" in pmond.ok("log", "deaf"), "it to ignore SIGTERM")
    pmond.signal(signal.SIGTERM)
    until(lambda: "daemon.ending" in pmond.journal_file.read_text(), "it to begin to end")
    pmond.signal(signal.SIGTERM)
    assert pmond.ended() == 0


@pytest.mark.parametrize(
    ("text", "place"),
    [("log_level: [\n", "config.yml:"), ("wait: {cmd_exec_response: soon}\n", "config.yml:1:")],
)
def test_a_broken_configuration(stopped_pmond: Pmond, text: str, place: str) -> None:
    stopped_pmond.config_file.write_text(text)
    assert "not valid" in stopped_pmond.try_start()
    assert stopped_pmond.ended() == 2
    assert place in stopped_pmond.journal_file.read_text()


def test_check(stopped_pmond: Pmond) -> None:
    stopped_pmond.declare(sleeper("a"))
    assert stopped_pmond.try_start("--check") == ""
    assert stopped_pmond.ended() == 0
    stopped_pmond.write("processes: [{fil: x}]\n")
    stopped_pmond.try_start("--check")
    assert stopped_pmond.ended() == 2
    assert not stopped_pmond.socket.exists()


def test_what_a_person_stopped_stays_stopped(pmond: Pmond) -> None:
    pmond.declare(sleeper("a"))
    pmond.until("a", "running")
    pmond.ok("stop", "a")
    pmond.signal(signal.SIGTERM)
    pmond.ended()
    pmond.start()
    assert pmond.row("a")["status"] == "stopped"
