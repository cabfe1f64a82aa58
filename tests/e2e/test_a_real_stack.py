"""A slow database, a migration, a web server and a worker: edited, crashed, hung, and taken over.

The database keeps a file of its own and answers on a port only after a while; the migration writes into it
once; the web server asks the database for every page; the worker says by systemd's protocol that it lives.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.pmond import PATIENCE, Pmond, temporary_pmond
from tests.support.ports import free_port
from tests.support.waiting import until

pytestmark = pytest.mark.slow

DATABASE = """\
import os, socketserver, sys, time
port, folder = int(sys.argv[1]), sys.argv[2]
time.sleep(0.4)
class Answer(socketserver.StreamRequestHandler):
    def handle(self):
        word = self.rfile.readline().split()
        if word[:1] == [b"put"]:
            with open(folder + "/table", "ab") as table:
                table.write(word[1] + b"\\n")
        if os.path.exists(folder + "/table"):
            self.wfile.write(open(folder + "/table", "rb").read())
class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
Server(("127.0.0.1", port), Answer).serve_forever()
"""
MIGRATION = """\
import socket, sys
with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as database:
    database.sendall(b"put schema-" + sys.argv[2].encode() + b"\\n")
    database.makefile().read()
"""
WEB = """\
import http.server, socket, sys
class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        with socket.create_connection(("127.0.0.1", int(sys.argv[2]))) as database:
            database.sendall(b"get\\n")
            rows = database.makefile().read()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(rows.encode())
    def log_message(self, *words): pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Page).serve_forever()
"""
WORKER = """\
import os, time, sdnotify
systemd = sdnotify.SystemdNotifier()
systemd.notify("READY=1")
while True:
    systemd.notify("WATCHDOG=1")
    time.sleep(int(os.environ["WATCHDOG_USEC"]) / 4e6)
"""
SERVICES = ("db", "web", "worker")


class Stack:
    """What is declared, and where it listens."""

    def __init__(self, pmond: Pmond, folder: Path) -> None:
        self.pmond = pmond
        self._folder = folder
        self._db, self._web = free_port(), free_port()

    def declare(self, version: str = "1", **database: str) -> None:
        """Have the process config file say this; `version`: of the migration."""
        page = f"http://127.0.0.1:{self._web}/"
        often = {"interval": "200ms", "timeout": "1s"}
        dies = {"failures": 2, "start_period": 0}
        soon = {"delay": "50ms", "max_delay": "100ms", "jitter": 0}
        needs = [{"name": "db", "restart": True}, {"name": "migrate", "condition": "completed"}]
        self.pmond.declare(
            _program(
                "db", DATABASE, str(self._db), str(self._folder), ready={"tcp": self._db, **often},
                live={"exec": self._asking(), **often, **dies, "timeout": "5s"},
                env_vars=database,
            ),
            _program(
                "migrate", MIGRATION, str(self._db), version, dependencies=["db"],
                type="oneshot", restart={"policy": "never"},
            ),
            _program(
                "web", WEB, str(self._web), str(self._db), dependencies=needs, restart=soon,
                ready={"http": {"url": page, "body": f"schema-{version}"}, **often},
                live={"http": page, **often, "failures": 5, "start_period": 0},
            ),
            _program(
                "worker", WORKER, dependencies=[{"name": "migrate", "condition": "completed"}],
                ready={"notify": True}, live={"notify": True, "interval": "2s", **dies},
            ),
        )  # fmt: skip

    def _asking(self) -> list[str]:
        """Asks the database something: the port of a program that hangs takes connections still."""
        ask = "import socket, sys; s = socket.create_connection(('127.0.0.1', int(sys.argv[1])), 1); "
        return [sys.executable, "-c", ask + "s.settimeout(1); s.sendall(b'get\\n'); s.recv(1)", str(self._db)]

    def whole(self) -> dict[str, int]:
        """The pids, once all serve."""

        def pids() -> dict[str, int]:
            rows = self.pmond.rows()
            up = [
                n
                for n in SERVICES
                if n in rows and (rows[n]["ready"], rows[n]["status"]) == (True, "running")
            ]
            done = len(up) == len(SERVICES) and rows["migrate"]["status"] == "completed"
            return {n: rows[n]["pid"] for n in up} if done else {}

        return until(pids, "all of it to serve", 3 * PATIENCE)

    def migrations(self) -> list[str]:
        """What was migrated, in order."""
        return (self._folder / "table").read_text().split()


def _program(name: str, text: str, *words: str, **fields: Any) -> dict[str, Any]:
    args = ["-c", text, *words]
    return {"name": name, "file": sys.executable, "args": args, "stop": {"timeout": "2s"}, **fields}


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    with temporary_pmond("reload_policy: restart") as pmond:
        one = Stack(pmond.start(), tmp_path)
        one.declare()
        yield one


def restarted(pmond: Pmond) -> None:
    """pmond is killed, and there is another."""
    pmond.kill()
    pmond.start()


def test_it_comes_up_in_order_and_only_once(stack: Stack) -> None:
    pids = stack.whole()
    assert stack.migrations() == ["schema-1"]
    started = [e["name"] for e in stack.pmond.events() if e["reason"] == "Started"]
    assert started[:2] == ["db", "migrate"] and {*started[2:]} == {"web", "worker"}
    restarted(stack.pmond)
    assert stack.whole() == pids, "and goes on as it was"
    assert stack.migrations() == ["schema-1"]


@pytest.mark.parametrize("killed", [False, True])
def test_an_edit_is_brought_in_order_also_through_the_death_of_pmond(stack: Stack, killed: bool) -> None:
    before = stack.whole()
    stack.declare("2", TUNED="yes")
    if killed:
        until(lambda: stack.pmond.row("db")["pid"] != before["db"], "the rollout to have begun")
        restarted(stack.pmond)
    until(lambda: stack.migrations() == ["schema-1", "schema-2"], "the migration", 3 * PATIENCE)
    until(lambda: stack.pmond.row("web")["pid"] not in (0, before["web"]), "web to follow", 3 * PATIENCE)
    after = stack.whole()
    assert after["db"] != before["db"] and after["worker"] == before["worker"]
    assert stack.migrations() == ["schema-1", "schema-2"], "each ran once"


@pytest.mark.parametrize("killed", [False, True])
@pytest.mark.parametrize("name", SERVICES)
def test_one_that_crashes_comes_back_with_those_that_follow_it(stack: Stack, name: str, killed: bool) -> None:
    before = stack.whole()
    if killed:
        stack.pmond.kill()
    os.kill(before[name], signal.SIGKILL)
    if killed:
        stack.pmond.start()
    follows = {"db": {"db", "web"}}.get(name, {name})
    for one in follows:
        until(lambda: stack.pmond.row(one)["pid"] not in (0, before[one]), f"{one} anew", 3 * PATIENCE)  # noqa: B023
    after = stack.whole()
    assert {one for one in SERVICES if after[one] != before[one]} == follows
    assert stack.migrations() == ["schema-1"], "what is done is not done again"


@pytest.mark.parametrize("killed", [False, True])
@pytest.mark.parametrize("name", SERVICES)
def test_one_that_hangs_is_replaced(stack: Stack, name: str, killed: bool) -> None:
    before = stack.whole()
    os.kill(before[name], signal.SIGSTOP)
    if killed:
        restarted(stack.pmond)
    until(lambda: stack.pmond.row(name)["pid"] not in (0, before[name]), "another one", 4 * PATIENCE)
    assert "Unhealthy" in stack.pmond.reasons(name)
    stack.whole()
    assert stack.migrations() == ["schema-1"]
    assert json.loads(stack.pmond.ok("desc", name, "-o", "json"))["restart_count"] >= 1
