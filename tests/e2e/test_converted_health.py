"""What other tools' files say of health and order holds when the converted manifest runs.

Each input is converted as it stands, and applied; files that appear make its programs well, sick or done.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.support.pmond import Pmond
from tests.support.waiting import until

pytestmark = pytest.mark.slow

Convert = Callable[[str], None]


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "site").mkdir()
    return tmp_path / "site"


@pytest.fixture
def bring_up(pmond: Pmond, site: Path) -> Convert:
    """Convert a file of `site` and have it run; no key of it may be lost."""

    def convert_and_apply(name: str) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "pmon3", "convert", "--strict", name],
            cwd=site, env=os.environ, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        (site / "pmon3.yaml").write_text(done.stdout)
        pmond.ok("apply", "-f", str(site / "pmon3.yaml"), "--no-wait")

    return convert_and_apply


def row(pmond: Pmond, name: str) -> dict[str, Any]:
    return pmond.rows().get(name, {})


def is_waiting(pmond: Pmond, name: str, reason: str) -> bool:
    found = row(pmond, name)
    return (found.get("status"), found.get("reason")) == ("waiting", reason)


def replaced(pmond: Pmond, name: str, pid: int) -> None:
    until(lambda: "Unhealthy" in pmond.reasons(name), f"{name} to be taken for dead", 20)
    until(lambda: row(pmond, name).get("pid", 0) not in (0, pid), f"the next {name}", 20)


NOTIFIER = """\
import os, sdnotify, sys, time
here, say = sys.argv[1], sdnotify.SystemdNotifier().notify
assert os.path.exists(here + "/prepared"), "ExecStartPre has not run"
while not os.path.exists(here + "/ready"):
    time.sleep(0.02)
say("READY=1")
while True:
    if not os.path.exists(here + "/mute"):
        say("WATCHDOG=1")
    time.sleep(0.1)
"""


def test_units_with_notifications_a_watchdog_and_commands_before_the_start(
    pmond: Pmond, site: Path, bring_up: Convert
) -> None:
    (site / "notifier.py").write_text(NOTIFIER)
    units = site / "units"
    units.mkdir()
    (units / "db.service").write_text(
        f"[Service]\nType=notify\nWatchdogSec=2\nRestart=always\nRestartSec=100ms\n"
        f"ExecStartPre=/usr/bin/touch {site}/prepared\n"
        f"ExecStart={sys.executable} {site}/notifier.py {site}\n"
    )
    (units / "web.service").write_text(
        "[Unit]\nRequires=db.service\nAfter=db.service\n"
        "[Service]\nExecStart=/bin/sleep 1000\nRestart=always\n"
    )
    bring_up("units")
    until(lambda: is_waiting(pmond, "web", "waits for db to be ready"), "the order", 15)
    pmond.until("db", "init", timeout=15)
    (site / "ready").touch()
    pid = pmond.until("db", "running", ready=True, timeout=15)["pid"]
    pmond.until("web", "running")
    (site / "mute").touch()  # within 30 s of its readiness, which is no time of grace there
    replaced(pmond, "db", pid)
    (site / "mute").unlink()
    pmond.until("db", "running", ready=True, timeout=15)


PROCESS_COMPOSE = """\
processes:
  db:
    command: exec sleep 1000
    readiness_probe: {exec: {command: test -e ready}, period_seconds: 1, failure_threshold: 30}
    availability: {restart: always}
  migrate:
    command: while ! test -e migrated; do sleep 0.05; done
    depends_on: {db: {condition: process_healthy}}
  web:
    command: echo up and running; exec sleep 1000
    ready_log_line: "up and"
    liveness_probe: {exec: {command: "! test -e sick"}, period_seconds: 1, failure_threshold: 2}
    depends_on: {migrate: {condition: process_completed_successfully}}
    availability: {restart: always}
  site:
    command: exec sleep 1000
    depends_on: {web: {condition: process_log_ready}, db: {condition: process_started}}
"""


def test_probes_and_conditions_of_process_compose(pmond: Pmond, site: Path, bring_up: Convert) -> None:
    (site / "process-compose.yaml").write_text(PROCESS_COMPOSE)
    bring_up("process-compose.yaml")
    until(lambda: is_waiting(pmond, "migrate", "waits for db to be ready"), "the order", 15)
    assert row(pmond, "db")["status"] == "init"
    (site / "ready").touch()
    until(lambda: is_waiting(pmond, "web", "waits for migrate to complete"), "the migration", 15)
    (site / "migrated").touch()
    pid = pmond.until("web", "running", ready=True, timeout=15)["pid"]
    pmond.until("site", "running")
    (site / "sick").touch()
    replaced(pmond, "web", pid)
    (site / "sick").unlink()
    pmond.until("web", "running", ready=True, timeout=15)


def test_one_of_process_compose_that_is_not_ready_when_its_tries_are_used_up_is_stopped(
    pmond: Pmond, site: Path, bring_up: Convert
) -> None:
    (site / "process-compose.yaml").write_text(
        "processes:\n  db:\n    command: exec sleep 1000\n"
        "    readiness_probe: {exec: {command: test -e ready}, period_seconds: 1, failure_threshold: 2}\n"
    )
    bring_up("process-compose.yaml")
    until(lambda: "ReadyTimeout" in pmond.reasons("db"), "it to be stopped", 20)
    assert pmond.until("db", "failed")["reason"].startswith("not ready within 2s")


COMPOSE = """\
services:
  db:
    command: sleep 1000
    healthcheck: {test: "test -e ready", interval: 100ms, timeout: 5s, retries: 2}
    restart: always
  migrate:
    command: ["sh", "-c", "while ! test -e migrated; do sleep 0.05; done"]
    depends_on: {db: {condition: service_healthy}}
  web:
    command: sleep 1000
    depends_on:
      migrate: {condition: service_completed_successfully}
      db: {condition: service_started, restart: true}
    restart: unless-stopped
"""


def test_health_checks_and_conditions_of_compose(pmond: Pmond, site: Path, bring_up: Convert) -> None:
    (site / "compose.yaml").write_text(COMPOSE)
    bring_up("compose.yaml")
    until(lambda: is_waiting(pmond, "migrate", "waits for db to be ready"), "the order", 15)
    until(lambda: row(pmond, "db")["probe"]["ready"]["in_a_row"] > 3, "more failures than `retries`", 15)
    (site / "ready").touch()
    pid = pmond.until("db", "running", ready=True, timeout=15)["pid"]
    until(lambda: is_waiting(pmond, "web", "waits for migrate to complete"), "the migration", 15)
    (site / "migrated").touch()
    web = pmond.until("web", "running", timeout=15)["pid"]
    (site / "ready").unlink()
    until(lambda: row(pmond, "db")["ready"] is False, "it to be unhealthy", 15)
    assert (row(pmond, "db")["pid"], row(pmond, "db")["status"]) == (pid, "running"), "shown, not stopped"
    (site / "ready").touch()
    pmond.ok("restart", "db")
    until(lambda: row(pmond, "web")["pid"] not in (0, web), "web to follow its database", 15)


def test_seconds_that_a_program_of_supervisord_has_to_last(
    pmond: Pmond, site: Path, bring_up: Convert
) -> None:
    """Running from `startsecs` on; one that never lasts so long is tried `startretries` times more."""
    short = shlex.quote(f"echo x >> {site}/tries; exit 1")
    (site / "supervisord.conf").write_text(
        f"[program:lasts]\ncommand=/bin/sleep 1000\nstartsecs=3\n"
        f"[program:short]\ncommand=/bin/sh -c {short}\nstartsecs=1\nstartretries=1\n"
    )
    bring_up("supervisord.conf")
    pmond.until("lasts", "init")
    pmond.until("short", "failed", timeout=20)
    assert (site / "tries").read_text().split() == ["x", "x"]
    assert pmond.until("lasts", "running", timeout=15)["restart_count"] == 0
