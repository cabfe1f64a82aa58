"""Programs that speak systemd's protocol with the clients that people use."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
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


READS = """\
import os, sys
for line in os.fdopen(os.open(sys.argv[1], os.O_RDWR)):
    say(line.strip())
"""
CLIENTS = {
    "sdnotify": [sys.executable, "-c", "import sdnotify; say = sdnotify.SystemdNotifier().notify\n" + READS],
    "systemd": ["/usr/bin/python3", "-c", "from systemd.daemon import notify as say\n" + READS],
    "systemd-notify": [
        "/bin/sh", "-c", 'exec 3<>"$0"; while read -r line <&3; do systemd-notify "$line"; done',
    ],
}  # fmt: skip
"""Each says what it reads from the pipe that is its last argument."""


def is_missing(client: str) -> bool:
    if client == "systemd-notify":
        return shutil.which(client) is None
    python = CLIENTS[client][0]
    return not Path(python).exists() or bool(
        subprocess.run([python, "-c", f"import {client}"], capture_output=True, check=False).returncode
    )


@pytest.mark.parametrize("client", CLIENTS)
def test_all_that_a_client_says_of_a_program_counts(client: str, pmond: Pmond, tmp_path: Path) -> None:
    if is_missing(client):
        pytest.skip(f"there is no {client} here (Debian: systemd, python3-systemd)")
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    file, *args = CLIENTS[client]
    ready = {"notify": True, "deadline": "4s"}
    told = {
        "name": "told",
        "file": file,
        "args": [*args, str(pipe)],
        "ready": ready,
        "stop": {"timeout": "1s"},
    }
    begun = time.monotonic()
    pmond.declare(told)

    def say(*lines: str) -> None:
        with pipe.open("w") as words:
            words.write("".join(f"{line}\n" for line in lines))

    say("EXTEND_TIMEOUT_USEC=60000000", "STATUS=loading")
    until(lambda: "loading" in reason_of(pmond, "told"), "what it says of itself", 15)
    pid = pmond.row("told")["pid"]
    until(lambda: time.monotonic() > begun + 5, "its deadline to pass", 15)
    assert (pmond.row("told")["status"], pmond.row("told")["pid"]) == ("init", pid)

    say("STATUS=", "READY=1")
    pmond.until("told", "running", ready=True)
    say("RELOADING=1")
    pmond.until("told", "running", ready=True, reason="it says that it is reloading")
    say("READY=1", "STATUS=serving")
    pmond.until("told", "running", ready=True, reason="serving", pid=pid)

    say("STATUS=", "STOPPING=1", "EXTEND_TIMEOUT_USEC=3000000")
    pmond.until("told", "running", ready=False, reason="it says that it is stopping", pid=pid)
    until(lambda: "Unhealthy" in pmond.reasons("told"), "it to be taken for hung in its end", 15)
    assert "NotReady" in pmond.reasons("told")
    until(lambda: pmond.row("told")["pid"] not in (0, pid), "the next one", 15)


def test_one_that_says_that_it_stops_and_ends_is_restarted_by_its_policy_alone(
    pmond: Pmond, tmp_path: Path
) -> None:
    """Its watchdog is silent meanwhile, for longer than it may be; a dependant waits for the next run."""
    script = (
        "import os, sdnotify, time; say = sdnotify.SystemdNotifier().notify\n"
        f"say('READY=1'); say('WATCHDOG=1'); second = os.path.exists('{tmp_path}/end')\n"
        f"while second or not os.path.exists('{tmp_path}/end'): time.sleep(0.02); say('WATCHDOG=1')\n"
        "say('STOPPING=1'); time.sleep(1.5)"
    )
    live = {"notify": True, "interval": "500ms", "failures": 2, "start_period": 0}
    fields = {"ready": {"notify": True}, "live": live}
    pmond.declare({"name": "worker", "file": sys.executable, "args": ["-c", script], **fields})
    pid = pmond.until("worker", "running")["pid"]
    (tmp_path / "end").touch()
    pmond.until("worker", "running", ready=False, pid=pid)
    until(lambda: pmond.row("worker")["pid"] not in (0, pid), "the next run", 15)
    pmond.until("worker", "running", ready=True, timeout=15)
    assert "Unhealthy" not in pmond.reasons("worker")
