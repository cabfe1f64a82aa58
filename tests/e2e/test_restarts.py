"""`start`, `restart`, `reset`, `del`, `kill`, `drop`, and what restarts by itself."""

from __future__ import annotations

import os
import signal
from itertools import pairwise

import pytest
from tests.support.pmond import Pmond, alive
from tests.support.programs import FORKS_AWAY, pids_in, python, sleeper
from tests.support.waiting import until

pytestmark = pytest.mark.slow


def test_what_is_killed_comes_back_and_is_counted(pmond: Pmond) -> None:
    pmond.declare(sleeper("a"))
    first = pmond.until("a", "running")["pid"]
    os.kill(first, signal.SIGKILL)
    row = pmond.until("a", "running", restart_count=1)
    assert row["pid"] != first and row["exit_signal"] == "SIGKILL"
    pmond.ok("restart", "a")
    assert pmond.row("a")["restart_count"] == 2
    before = pmond.row("a")["pid"]
    pmond.ok("start", "a")  # a new instance, not counted
    assert (pmond.row("a")["restart_count"], pmond.row("a")["pid"] == before) == (2, False)
    pmond.ok("reset", "a")
    assert pmond.row("a")["restart_count"] == 0
    pmond.ok("restart", "a")
    pmond.ok("stop", "a")
    assert pmond.row("a")["restart_count"] == 0


def test_restart_with_other_values(pmond: Pmond) -> None:
    pmond.ok("exec", "/bin/sleep", "--name", "a", "-e", "X=1", "--", "1000")
    pmond.ok("restart", "a", "-a", "1001", "-e", "Y=2", "-n", "--log-dir", "other")
    row = pmond.row("a")
    assert (row["args"], row["env_keys"]) == (["1001"], ["Y"])
    assert row["log"] == str(pmond.folder / "other" / "a.log")
    assert "Y=2" in open(f"/proc/{row['pid']}/environ").read().split("\0")  # noqa: PTH123, SIM115
    os.kill(row["pid"], signal.SIGKILL)
    pmond.until("a", "failed")  # -n: not restarted by itself
    pmond.ok("restart", "a", "--autorestart")
    os.kill(pmond.row("a")["pid"], signal.SIGKILL)
    pmond.until("a", "running", restart_count=3)  # two were asked for, one came by itself


def test_kill_reaches_what_waits_for_its_next_start(pmond: Pmond) -> None:
    crash = {"name": "crash", "args": ["-c", "exit 3"], "restart": {"delay": "1h", "max_delay": "1h"}}
    missing = {"file": "/bin/sleep", "name": "late", "args": ["1000"], "dependencies": ["crash"]}
    pmond.declare({"file": "/bin/sh", **crash}, missing)
    pmond.until("crash", "backoff")
    pmond.until("late", "waiting")
    pmond.ok("kill")
    assert {row["status"] for row in pmond.rows().values()} == {"stopped"}


def test_the_history_says_why_it_was_stopped(pmond: Pmond) -> None:
    pmond.declare({"file": "/bin/sleep", "name": "web", "args": ["1000"]})
    pmond.until("web", "running")
    user = pmond.row("web")["user"]
    pmond.ok("restart", "web")
    pmond.ok("hold", "web", "--reason", "disk")
    said = [event["message"] for event in pmond.events("web") if event["reason"] == "Stopping"]
    assert said == [
        "asked to end, to be started anew: a restart was asked for",
        f"asked to end: stopped by {user}: disk",
    ]


def test_del_drop_and_kill(pmond: Pmond) -> None:
    pmond.ok("exec", "/bin/sleep", "--name", "a", "-g", "front", "--", "1000")
    pmond.ok("exec", "/bin/sleep", "--name", "b", "--", "1000")
    pid = pmond.row("a")["pid"]
    pmond.ok("kill", "-f")
    assert {row["status"] for row in pmond.rows().values()} == {"stopped"}
    assert not alive(pid)
    pmond.ok("start", "a", "b")
    pid = pmond.row("a")["pid"]
    pmond.ok("del", "a")
    assert (list(pmond.rows()), alive(pid)) == (["b"], False)
    assert pmond.run("del", "a").returncode == 1
    pmond.ok("drop", "-f")
    assert pmond.rows() == {}


def test_one_that_ends_at_once_is_not_hammered(pmond: Pmond) -> None:
    """The first restart is immediate; then 100 ms, doubling, less at most a tenth of jitter."""
    script = pmond.folder / "stamps"
    code = f"import time; open({str(script)!r}, 'a').write(f'{{time.monotonic()}}\\n')"
    pmond.declare(python("quick", code))
    until(lambda: script.exists() and len(script.read_text().splitlines()) >= 6, "six runs", 15)
    stamps = [float(line) for line in script.read_text().splitlines()[:6]]
    gaps = [later - earlier for earlier, later in pairwise(stamps)]
    assert all(gap >= least for gap, least in zip(gaps[1:], (0.09, 0.18, 0.36, 0.72), strict=True)), gaps
    row = pmond.until("quick", "backoff")
    assert row["next_start_at"] and "next restart in" in row["reason"]


def test_one_that_forks_away_leaves_no_copies(pmond: Pmond) -> None:
    pmond.declare(python("away", FORKS_AWAY))
    log = pmond.folder / "logs" / "away.log"
    until(lambda: log.exists() and log.read_text().count("daemon") >= 4, "it to fork away four times", 15)
    pmond.ok("stop", "away")
    pids = [int(line.split()[1]) for line in log.read_text().splitlines()]
    until(lambda: not [pid for pid in pids if alive(pid)], "every copy to be gone")
    assert pids_in(log)


def test_a_process_waits_for_its_dependency(pmond: Pmond) -> None:
    pmond.declare(
        python("db", "import time; time.sleep(1000)", autostart=False), sleeper("web", dependencies=["db"])
    )
    row = pmond.until("web", "waiting")
    assert "db" in row["reason"]
    pmond.ok("start", "db")
    pmond.until("web", "running")


def test_environment_of_a_process(pmond: Pmond) -> None:
    code = "import os, json; print(json.dumps(dict(os.environ)))"
    pmond.declare(python("env", code, env_vars={"A": "1", "B": "two words"}, no_auto_restart=True))
    pmond.until("env", "completed")
    text = pmond.ok("log", "env")
    assert '"A": "1"' in text and '"B": "two words"' in text
    assert "PMON3_READY_FD" not in text


def test_a_program_that_goes_to_the_background_is_told_to_stay(pmond: Pmond) -> None:
    leave = "setsid sleep 1000 & exit 0"
    pmond.declare(
        {"name": "daemon", "file": "/bin/sh", "args": ["-c", leave], "restart": {"policy": "on-failure"}}
    )
    row = pmond.until("daemon", "completed")
    assert "run it in the foreground" in row["reason"]
    (left,) = [event for event in pmond.events("daemon") if event["reason"] == "TreeLeft"]
    assert "foreground" in left["message"]
    pmond.kill()
    pmond.start()
    assert "run it in the foreground" in pmond.row("daemon")["reason"]
