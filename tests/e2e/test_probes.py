"""Probes: when a process is ready, whether it lives, and what follows from both."""

from __future__ import annotations

import json
import os
import signal
import socket
from pathlib import Path
from typing import Any

import pytest
from tests.support.pmond import Pmond, UnixConnection, processes_with
from tests.support.ports import free_port
from tests.support.waiting import until

pytestmark = pytest.mark.slow


def web(port: int, delay: float = 0.0) -> dict[str, Any]:
    """A web server that answers only after a while."""
    program = (
        "import http.server, time, sys\n"
        f"time.sleep({delay})\n"
        "class Handler(http.server.BaseHTTPRequestHandler):\n"
        "    def do_GET(self):\n"
        "        well = self.path != '/sick'\n"
        "        self.send_response(200 if well else 503)\n"
        "        self.end_headers()\n"
        "        self.wfile.write(b'status: fine')\n"
        "    def log_message(self, *words): pass\n"
        f"http.server.ThreadingHTTPServer(('127.0.0.1', {port}), Handler).serve_forever()\n"
    )
    return {"name": "web", "file": "/usr/bin/env", "args": ["python3", "-c", program]}


def waiter(name: str, script: str, **fields: Any) -> dict[str, Any]:
    return {"name": name, "file": "/bin/sh", "args": ["-c", script], **fields}


def reason_of(pmond: Pmond, name: str) -> str:
    return str(pmond.rows().get(name, {}).get("reason", ""))


def test_it_is_ready_when_its_server_answers_and_what_needs_it_starts_then(pmond: Pmond) -> None:
    port = free_port()
    ready = {"http": {"url": f"http://127.0.0.1:{port}/", "body": "fine"}, "interval": "100ms"}
    needs = waiter("needs", "exec sleep 1000", dependencies=["web"])
    pmond.declare({**web(port, delay=0.7), "ready": ready}, needs)
    until(lambda: reason_of(pmond, "web").startswith("not ready yet"), "the first failure")
    assert (pmond.row("web")["status"], pmond.row("web")["ready"]) == ("init", False)
    assert pmond.row("needs")["reason"] == "waits for web to be ready"
    row = pmond.until("web", "running")
    assert row["ready"] is True
    assert row["probe"]["ready"]["kind"] == "http"
    assert (row["probe"]["ready"]["ok"], row["probe"]["ready"]["message"]) == (True, "HTTP 200")
    pmond.until("needs", "running")
    assert "Ready" in pmond.reasons("web")


def test_one_that_never_gets_ready_is_a_failed_start(pmond: Pmond) -> None:
    probe = {"tcp": free_port(), "interval": "50ms", "deadline": "400ms"}
    pmond.declare(waiter("db", "exec sleep 1000", ready=probe, restart={"policy": "never"}))
    row = pmond.until("db", "failed")
    assert row["reason"].startswith("not ready within 400ms: no connection to")
    assert "ReadyTimeout" in pmond.reasons("db")


def test_a_command_says_whether_it_is_ready_and_what_it_says_is_shown(pmond: Pmond, tmp_path: Path) -> None:
    flag = tmp_path / "ready"
    command = ["/bin/sh", "-c", f"echo looking for it; test -e {flag} && test $MAINPID -gt 1"]
    ready = {"exec": command, "interval": "50ms", "failures": 2}
    pmond.declare(waiter("job", "exec sleep 1000", ready=ready))
    until(lambda: "looking for it" in reason_of(pmond, "job"), "what the command says")
    flag.touch()
    pid = pmond.until("job", "running")["pid"]
    flag.unlink()
    until(lambda: not pmond.row("job")["ready"], "the process to lose its readiness")
    row = pmond.row("job")
    assert (row["status"], row["pid"]) == ("running", pid)
    late = pmond.run("wait", "job", "--timeout", "0")
    assert late.returncode == 4 and "looking for it" in late.stderr
    waiting = pmond.begin("wait", "job", "--timeout", "10m")
    flag.touch()
    until(lambda: pmond.row("job")["ready"], "it to be ready again")
    assert waiting.wait(20) == 0
    assert pmond.row("job")["restart_count"] == 0
    assert pmond.reasons("job").count("Ready") == 2
    assert "NotReady" in pmond.reasons("job")


def test_a_line_of_its_log_says_that_it_is_ready_and_one_of_an_earlier_run_does_not(
    pmond: Pmond, tmp_path: Path
) -> None:
    flag = tmp_path / "go"
    script = f"while ! test -e {flag}; do sleep 0.05; done; echo ready to serve; exec sleep 1000"
    pmond.declare(waiter("app", script, ready={"log": "^ready to [a-z]+$"}))
    pmond.until("app", "init")
    flag.touch()
    pmond.until("app", "running")
    flag.unlink()
    pmond.ok("restart", "app", "--no-wait")
    pmond.until("app", "init")
    flag.touch()
    pmond.until("app", "running")


NOTIFIER = """\
import os, socket, sys, time
def say(*words):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
        out.sendto("\\n".join(words).encode(), os.environ["NOTIFY_SOCKET"])
flag = sys.argv[1]
say("STATUS=loading")
while not os.path.exists(flag):
    time.sleep(0.02)
say("READY=1", "STATUS=serving")
while True:
    if not os.path.exists(flag + ".mute"):
        say("WATCHDOG=1")
    time.sleep(int(os.environ.get("WATCHDOG_USEC", 100000)) / 3e6)
"""


def notifier(flag: Path, **fields: Any) -> dict[str, Any]:
    return {
        "name": "daemon", "file": "/usr/bin/env", "args": ["python3", "-c", NOTIFIER, str(flag)],
        "ready": {"notify": True}, **fields,
    }  # fmt: skip


def test_a_program_notifies_and_only_what_is_in_its_tree_is_heard(pmond: Pmond, tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    pmond.declare(notifier(flag))
    until(lambda: "loading" in reason_of(pmond, "daemon"), "its status")
    address = str(pmond.socket).removesuffix(".sock") + ".notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as stranger:
        stranger.sendto(b"READY=1", address)
    assert pmond.row("daemon")["status"] == "init"
    flag.touch()
    row = pmond.until("daemon", "running")
    assert row["reason"] == "serving"


def test_one_whose_watchdog_is_silent_is_replaced(pmond: Pmond, tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    flag.touch()
    live = {"notify": True, "interval": "300ms", "failures": 2, "start_period": 0}
    pmond.declare(notifier(flag, live=live))
    pid = pmond.until("daemon", "running")["pid"]
    (tmp_path / "flag.mute").touch()
    until(lambda: "Unhealthy" in pmond.reasons("daemon"), "it to be taken for dead")
    (tmp_path / "flag.mute").unlink()
    until(lambda: pmond.row("daemon")["pid"] not in (0, pid), "the next one")
    pmond.until("daemon", "running")


def test_one_that_hangs_is_replaced(pmond: Pmond) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}/"
    ready = {"http": url, "interval": "50ms"}
    live = {"http": url, "interval": "100ms", "timeout": "200ms", "failures": 2, "start_period": 0}
    pmond.declare({**web(port), "ready": ready, "live": live, "stop": {"timeout": "200ms"}})
    pid = pmond.until("web", "running")["pid"]
    os.kill(pid, signal.SIGSTOP)
    until(lambda: pmond.row("web")["pid"] not in (0, pid), "its replacement")
    assert pmond.until("web", "running")["restart_count"] == 1
    events = {
        event["reason"]: event["message"] for event in json.loads(pmond.ok("events", "web", "-o", "json"))
    }
    assert "no answer within 200ms" in events["Unhealthy"]


def test_a_pmond_that_was_killed_knows_again_who_was_ready(pmond: Pmond, tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    flag.touch()
    pmond.declare(notifier(flag))
    pid = pmond.until("daemon", "running")["pid"]
    pmond.kill()
    pmond.start()
    row = pmond.until("daemon", "running")
    assert (row["pid"], row["ready"]) == (pid, True)


def test_what_is_said_while_no_pmond_is_there_is_heard_by_the_next(pmond: Pmond, tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    pmond.declare(notifier(flag))
    until(lambda: "loading" in reason_of(pmond, "daemon"), "its status")
    pid = pmond.row("daemon")["pid"]
    pmond.kill()
    flag.touch()
    pmond.start()
    assert pmond.until("daemon", "running")["pid"] == pid


def test_dependencies_wait_for_what_they_say_and_follow_a_replacement(pmond: Pmond, tmp_path: Path) -> None:
    flag = tmp_path / "migrated"
    migrate = waiter("migrate", f"sleep 0.4; touch {flag}", restart={"policy": "never"})
    database = waiter("db", "exec sleep 1000")
    needs = [{"name": "migrate", "condition": "completed"}, {"name": "db", "restart": True}]
    pmond.declare(migrate, database, waiter("web", f"test -e {flag} && exec sleep 1000", dependencies=needs))
    pid = pmond.until("web", "running")["pid"]
    os.kill(int(pmond.row("db")["pid"]), signal.SIGKILL)
    until(lambda: pmond.row("web")["pid"] not in (0, pid), "web to follow its database")
    assert pmond.until("web", "running")["restart_count"] == 0
    assert pmond.row("migrate")["status"] == "completed"


def test_a_dependency_that_failed_for_good_is_named_with_its_reason(pmond: Pmond) -> None:
    pmond.declare(
        waiter("db", "exit 3", restart={"policy": "never"}),
        waiter("cache", "exit 4", restart={"policy": "never"}),
        waiter("web", "exec sleep 1000", dependencies=["db"]),
        waiter("site", "exec sleep 1000", dependencies=[{"name": "cache", "required": False}]),
    )
    pmond.until("db", "failed")
    until(lambda: "which failed: exited with code 3" in reason_of(pmond, "web"), "the reason")
    assert pmond.row("web")["status"] == "waiting"
    pmond.until("site", "running")


def test_whoever_waits_for_what_cannot_come_hears_at_once_who_is_in_the_way(pmond: Pmond) -> None:
    """Ten minutes would pass otherwise: longer than any test may take."""
    file = pmond.folder / "chain.json"
    chain = [
        waiter("db", "echo no disk; exit 3", restart={"policy": "never"}),
        waiter("api", "exec sleep 1000", dependencies=["db"]),
        waiter("web", "exec sleep 1000", dependencies=["api"]),
    ]
    file.write_text(json.dumps({"processes": chain}))
    reason = "waits for api, which waits for db, which failed: exited with code 3"
    applied = pmond.run("apply", "-f", str(file), "--timeout", "10m")
    assert applied.returncode == 7
    assert reason in applied.stderr and applied.stderr.count("| no disk") == 1
    assert pmond.row("web")["status"] == "waiting" and reason in pmond.row("web")["reason"]
    assert reason in pmond.ok("desc", "web")
    waited = pmond.run("wait", "web", "--timeout", "10m")
    assert waited.returncode == 1
    assert reason in waited.stderr and "the end of the log of db:\n    | no disk" in waited.stderr
    error = json.loads(pmond.run("wait", "web", "--timeout", "10m", "-o", "json").stderr)["error"]
    assert error["failures"][0]["blocker"] == "db"
    assert pmond.run("restart", "web", "--timeout", "10m").returncode == 7
    chain[0] = waiter("db", "echo well; exec sleep 1000", restart={"policy": "never"})
    file.write_text(json.dumps({"processes": chain}))
    pmond.ok("apply", "-f", str(file))
    pmond.until("web", "running")


def test_one_who_waits_already_hears_it_when_it_happens_far_away(pmond: Pmond, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    pmond.declare(
        waiter("db", f"read word <{gate}; exit 3", restart={"policy": "never"}, ready={"log": "never said"}),
        waiter("api", "exec sleep 1000", dependencies=["db"]),
        waiter("web", "exec sleep 1000", dependencies=["api"]),
    )
    until(lambda: reason_of(pmond, "web") == "waits for api", "it to wait")
    wish = {"targets": [{"name": "web", "generation": 1, "token": 0}], "until": "ready", "timeout": 600}
    asking = UnixConnection(str(pmond.socket))
    asking.request("POST", "/v1/wait", json.dumps(wish))
    assert pmond.ask("GET", "/v1/version").status == 200, "what was sent before has been read"
    gate.write_text("\n")
    answer = json.loads(asking.getresponse().read())
    (failure,) = answer["failures"]
    assert (answer["outcome"], failure["blocker"]) == ("failed", "db")
    assert "which waits for db, which failed: exited with code 3" in failure["reason"]


def test_what_a_probe_leaves_running_in_a_session_of_its_own_is_ended(pmond: Pmond) -> None:
    left = "LEFT=60107 setsid sleep 1000 >/dev/null 2>&1 & sleep 0.05; exit 0"
    pmond.declare(
        waiter("web", "exec sleep 1000", live={"exec": ["/bin/sh", "-c", left], "interval": "300ms"})
    )
    pid = pmond.until("web", "running")["pid"]

    def ended() -> list[str]:
        return [e["marker"] for e in pmond.journal() if e["event"] == "orphan.signalled"]

    until(lambda: len(ended()) > 2, "the first of them to be asked to end")
    assert all(marker.endswith(":web/live:1") for marker in ended())
    assert len(processes_with(b"LEFT=60107")) <= 3, "there are never many"
    assert pmond.row("web")["pid"] == pid and not pmond.row("web")["restart_count"]
    pmond.ok("stop", "web")
    until(lambda: not processes_with(b"LEFT=60107"), "the last of them to be gone")


def test_a_probe_that_outlives_its_pmond_is_ended_by_the_next(pmond: Pmond) -> None:
    live = {"exec": ["/bin/sh", "-c", "LEFT=60109 exec sleep 1000"], "interval": "100ms", "timeout": "10m"}
    pmond.declare(waiter("web", "exec sleep 1000", live=live))
    pid = pmond.until("web", "running")["pid"]
    until(lambda: processes_with(b"LEFT=60109"), "the probe to run")
    old = processes_with(b"LEFT=60109")
    pmond.kill()
    pmond.start()
    until(lambda: not {*old} & {*processes_with(b"LEFT=60109")}, "the old one to be ended")
    assert pmond.until("web", "running")["pid"] == pid
