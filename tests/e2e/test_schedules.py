"""Schedules: what runs on time, once for each time, whatever becomes of pmond."""

from __future__ import annotations

import os
import pwd
import signal
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from tests.support.pmond import Pmond
from tests.support.waiting import until

pytestmark = pytest.mark.slow


def shell(name: str, script: str, **fields: Any) -> dict[str, Any]:
    return {"name": name, "file": "/bin/sh", "args": ["-c", script], **fields}


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def test_it_runs_again_and_again_and_is_scheduled_between_runs(pmond: Pmond, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    pmond.declare(shell("job", f"echo run >> {ran}", schedule={"every": "700ms"}))
    row = pmond.until("job", "scheduled")
    assert (row["status_code"], row["ready"], row["pid"]) == (11, True, 0)
    assert datetime.fromisoformat(row["next_run_at"]).tzinfo is not None
    until(lambda: len(lines(ran)) >= 3, "three runs")
    assert pmond.row("job")["restart_count"] == 0


def test_a_night_job_waits_for_its_time_and_runs_when_it_is_asked_for(pmond: Pmond, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    schedule = {"cron": "0 3 1 1 *", "timezone": "Europe/Berlin"}
    pmond.declare(shell("job", f"echo run >> {ran}", schedule=schedule))
    row = pmond.until("job", "scheduled")
    assert row["next_run_at"].endswith("-01-01T02:00:00.000Z")
    pmond.ok("start", "job")
    until(lambda: lines(ran) == ["run"], "the run")
    pmond.until("job", "scheduled")
    pmond.declare(shell("job", f"echo changed >> {ran}", schedule=schedule))
    until(lambda: pmond.row("job")["args"][1].startswith("echo changed"), "the change")
    pmond.ok("apply", "-f", str(pmond.manifest_file))
    assert pmond.row("job")["status"] == "scheduled"
    assert lines(ran) == ["run"], "no change starts it before its time"
    pmond.ok("stop", "job")
    row = pmond.row("job")
    assert (row["status"], row["next_run_at"]) == ("stopped", None)
    pmond.ok("unhold", "job")
    assert pmond.until("job", "scheduled")["next_run_at"] is not None
    assert lines(ran) == ["run"]


@pytest.mark.parametrize(("overlap", "most"), [("skip", 1), ("queue", 1), ("replace", 1)])
def test_a_run_that_is_due_while_one_goes_on(pmond: Pmond, tmp_path: Path, overlap: str, most: int) -> None:
    told, go = tmp_path / "told", tmp_path / "go"
    script = f"echo begin >> {told}; until test -e {go}; do sleep 0.02; done; echo end >> {told}"
    pmond.declare(shell("job", script, schedule={"every": "500ms", "overlap": overlap, "at_start": True}))
    until(lambda: "begin" in lines(told), "the first run")
    first = pmond.until("job", "running")["pid"]
    if overlap == "replace":
        until(lambda: pmond.row("job")["pid"] not in (0, first), "the next run")
        assert "end" not in lines(told)
        return
    next_run = pmond.row("job")["next_run_at"]
    until(lambda: pmond.row("job")["next_run_at"] > next_run, "the time to pass")
    assert pmond.row("job")["pid"] == first
    assert lines(told) == ["begin"]
    go.touch()
    until(lambda: lines(told).count("begin") >= 2, "the run after it")


def test_what_was_missed_without_a_pmond_is_made_up_for_once_where_that_is_said(
    pmond: Pmond, tmp_path: Path
) -> None:
    caught, left = tmp_path / "caught", tmp_path / "left"
    every = {"every": "1500ms"}
    pmond.declare(
        shell("caught", f"echo run >> {caught}", schedule={**every, "catch_up": "one"}),
        shell("left", f"echo run >> {left}", schedule=every),
    )
    until(lambda: lines(caught) and lines(left), "the first runs")
    pmond.until("caught", "scheduled")
    due = datetime.fromisoformat(pmond.row("caught")["next_run_at"])
    pmond.kill()
    before = len(lines(caught)), len(lines(left))
    until(lambda: (datetime.now(due.tzinfo) - due).total_seconds() > 3.2, "some times to pass")
    pmond.start()
    until(lambda: len(lines(caught)) > before[0], "the run that is made up for")
    until(lambda: len(lines(left)) > before[1], "the next run")
    runs = {name: pmond.ask("GET", f"/v1/runs?ref={name}").body for name in ("caught", "left")}
    assert "catch_up" in [run["by"] for run in runs["caught"]]
    assert {run["by"] for run in runs["left"]} == {"schedule"}


def test_a_run_that_goes_on_over_the_death_of_pmond_is_not_made_twice(pmond: Pmond, tmp_path: Path) -> None:
    told, go = tmp_path / "told", tmp_path / "go"
    script = f"echo begin >> {told}; until test -e {go}; do sleep 0.02; done"
    pmond.declare(shell("job", script, schedule={"every": "1h", "at_start": True}))
    pid = pmond.until("job", "running")["pid"]
    pmond.kill()
    pmond.start()
    assert pmond.until("job", "running")["pid"] == pid
    go.touch()
    pmond.until("job", "scheduled")
    assert lines(told) == ["begin"], "at_start is once in each boot"


def test_runs_are_listed_with_who_asked_for_them(pmond: Pmond) -> None:
    pmond.declare(
        shell("job", "exit 3", schedule={"every": "1h"}), shell("web", "exec sleep 1000"),
        shell("long", "sleep 1000", schedule={"every": "1h"}),
    )  # fmt: skip
    pmond.until("job", "scheduled")
    pmond.ok("start", "job")
    until(lambda: (pmond.row("job")["last_run"] or {}).get("ended_at"), "the end of the run")
    pmond.ok("start", "long")
    pmond.ok("stop", "long")
    pmond.until("web", "running")
    pmond.kill()
    pmond.start()
    (run,) = pmond.ask("GET", "/v1/runs?ref=job").body
    me = pwd.getpwuid(os.geteuid()).pw_name
    assert set(run) == {
        "number", "started_at", "ended_at", "duration_seconds", "outcome", "exit_code", "exit_signal", "by",
    }  # fmt: skip
    assert (run["number"], run["outcome"], run["exit_code"], run["by"]) == (1, "failed", 3, me)
    assert pmond.row("job")["last_run"] == run
    (stopped,) = pmond.ask("GET", "/v1/runs?ref=long").body
    assert (stopped["outcome"], stopped["exit_signal"]) == ("stopped", "SIGTERM")
    (going_on,) = pmond.ask("GET", "/v1/runs?ref=web").body
    assert (going_on["outcome"], going_on["ended_at"], going_on["by"]) == ("running", None, "pmond")
    assert "failed" in pmond.ok("runs", "job")


def test_a_job_that_fails_is_tried_again_where_that_is_said_and_runs_at_its_next_time(
    pmond: Pmond, tmp_path: Path
) -> None:
    ran = tmp_path / "ran"
    restart = {"policy": "on-failure", "max_failures": 2, "delay": "10ms"}
    schedule = {"every": "1h", "at_start": True}
    pmond.declare(shell("job", f"echo run >> {ran}; exit 1", schedule=schedule, restart=restart))
    until(lambda: len(lines(ran)) == 2, "both tries")
    pmond.until("job", "scheduled")
    pmond.signal(signal.SIGHUP)
    assert len(lines(ran)) == 2
