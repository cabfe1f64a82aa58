"""Programs that speak systemd's protocol with the clients that people use."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.support.pmond import Pmond
from tests.support.waiting import until

pytestmark = pytest.mark.slow

WORKER = """\
import os, sys, time
import sdnotify
notifier = sdnotify.SystemdNotifier()
folder = sys.argv[1]
notifier.notify("STATUS=loading")
while not os.path.exists(folder + "/ready"):
    time.sleep(0.02)
notifier.notify("READY=1")
notifier.notify("STATUS=serving")
while True:
    if not os.path.exists(folder + "/mute"):
        notifier.notify("WATCHDOG=1")
    time.sleep(int(os.environ["WATCHDOG_USEC"]) / 4e6)
"""


def reason_of(pmond: Pmond, name: str) -> str:
    return str(pmond.rows().get(name, {}).get("reason", ""))


def worker(folder: Path) -> dict[str, Any]:
    live = {"notify": True, "interval": "400ms", "failures": 2, "start_period": 0}
    return {
        "name": "worker", "file": sys.executable, "args": ["-c", WORKER, str(folder)],
        "ready": {"notify": True}, "live": live,
    }  # fmt: skip


def test_a_program_of_the_sdnotify_package_is_ready_watched_and_replaced(
    pmond: Pmond, tmp_path: Path
) -> None:
    pmond.declare(worker(tmp_path))
    until(lambda: "loading" in reason_of(pmond, "worker"), "what it says of itself", 15)
    assert pmond.row("worker")["status"] == "init"
    (tmp_path / "ready").touch()
    pid = pmond.until("worker", "running", reason="serving")["pid"]
    assert "serving" in pmond.ok("desc", "worker")
    (tmp_path / "mute").touch()
    until(lambda: "Unhealthy" in pmond.reasons("worker"), "it to be taken for dead", 15)
    (tmp_path / "mute").unlink()
    assert pmond.until("worker", "running", reason="serving", timeout=15)["pid"] != pid


@pytest.mark.skipif(shutil.which("systemd-notify") is None, reason="there is no systemd-notify here")
def test_a_shell_script_is_ready_when_systemd_notify_says_so(pmond: Pmond, tmp_path: Path) -> None:
    go = tmp_path / "go"
    script = (
        f"systemd-notify --status='warming up'; while ! test -e {go}; do sleep 0.02; done; "
        "systemd-notify --ready --status='open for business'; exec sleep 1000"
    )
    shell = {"name": "shell", "file": "/bin/sh", "args": ["-c", script], "ready": {"notify": True}}
    pmond.declare(shell, {"name": "needs", "file": "/bin/sleep", "args": ["1000"], "dependencies": ["shell"]})
    until(lambda: "warming up" in reason_of(pmond, "shell"), "its status", 15)
    assert (pmond.row("shell")["status"], pmond.row("needs")["status"]) == ("init", "waiting")
    go.touch()
    pmond.until("shell", "running", reason="open for business", timeout=15)
    pmond.until("needs", "running")
