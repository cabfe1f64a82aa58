"""A daemon that answers from a table, on a real Unix socket: what the command line is tested against.

Its answers are as the real daemon describes its own, which a test checks. It remembers every request, and
refuses a query or body that the real one would not understand.
"""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingUnixStreamServer
from types import TracebackType
from typing import Any, NamedTuple, Self
from urllib.parse import parse_qsl, unquote, urlsplit

from pmon3_schema import protocol
from pmon3_schema.errors import ErrorCode, PmonError
from pmond.runtime.http.route import arguments_of
from pmond.runtime.http.routes import match


class ReceivedRequest(NamedTuple):
    """One request as it came."""

    method: str
    path: str
    query: list[tuple[str, str]]
    body: Any


class Chunks(NamedTuple):
    """A body in the chunked coding, one chunk per piece, each as soon as there is one."""

    pieces: Iterable[bytes]


class CannedAnswer(NamedTuple):
    """One answer; `content` is sent as JSON, or as it is when it is bytes or chunks."""

    content: Any
    status: int = 200


Reply = CannedAnswer | Callable[[ReceivedRequest], CannedAnswer]


def process(number: int, name: str, status: str = "running", **changes: Any) -> dict[str, Any]:
    """A status object with every key of `ProcessStatus`."""
    running = status == "running"
    return {
        "id": number, "name": name, "status": status, "status_code": 2 if running else 3,
        "pid": 4000 + number if running else 0, "restart_count": 0, "user": "ana",
        "cpu_percent": 1.3 if running else 0.0, "memory_bytes": 1363149 if running else 0,
        "started_at": "2025-03-04T05:06:07Z" if running else None, "updated_at": "2025-03-04T05:06:07Z",
        "next_start_at": None,
        "next_run_at": None, "last_run": None,
        "file": f"/usr/bin/{name}", "args": ["-p", "80 81"], "env_keys": ["MODE"],
        "log": f"/var/log/pmond/{name}.log",
        "dependencies": [], "groups": ["front"], "labels": {"tier": "web"}, "ready": running,
        "probe": {}, "replica": None, "owner": "cli",
        "hold": None, "generation": 1, "observed_generation": 1, "exit_code": None, "exit_signal": None,
        "reason": "" if running else "stopped by a person",
    } | changes  # fmt: skip


def graph_need(
    process: str, needs: str, condition: str, *, required: bool = True, restart: bool = False
) -> dict[str, Any]:
    """What one process needs of another, as the graph has it."""
    return {
        "process": process, "needs": needs, "condition": condition, "required": required, "restart": restart,
    }  # fmt: skip


def detailed(number: int, name: str, status: str = "running", **changes: Any) -> dict[str, Any]:
    """The answer of `desc`."""
    return process(number, name, status) | {
        "declared_at": "",
        "origins": {},
        "spec": {"file": f"/usr/bin/{name}", "name": name, "env_vars": {"MODE": "prod x"}},
        "conditions": [
            {
                "type": "Ready", "status": "True", "reason": "Running", "message": "",
                "observed_generation": 1, "last_transition_time": "2025-03-04T05:06:07Z",
            }
        ],
        "events": [
            {
                "id": 1, "time": "2025-03-04T05:06:07Z", "name": name,
                "reason": "Started", "message": "pid 4001", "fields": {"pid": 4001},
            }
        ],
        "pending": [],
        "instances": [],
        "tree": [],
    } | changes  # fmt: skip


PLAN: dict[str, Any] = {
    "format": "pmon3.plan/1.0",
    "set": "file:/srv/app.yaml",
    "set_version": 2,
    "source_digest": "b2:00",
    "plan_digest": "b2:11",
    "options": {
        "prune": False, "prune_limit": "", "allow_empty": False, "take_over": False, "restart": [],
    },
    "summary": {"create": 1, "restart": 1, "unchanged": 12},
    "actions": [
        {
            "action": "restart", "name": "web", "effect": "restart", "causes": ["args changed"], "wave": 4,
            "changes": [{"path": "args", "before": ["8080"], "after": ["8081"], "effect": "restart"}],
        },
        {"action": "create", "name": "worker", "effect": "none", "changes": [],
            "causes": ["not there yet"], "wave": 5},
    ],
    "notes": [{"code": "held", "name": "cron", "message": "cron is held"}],
    "diagnostics": [],
}  # fmt: skip

TARGETS = [{"name": "web", "generation": 1, "token": 7}]


def default_answers(path: str) -> dict[tuple[str, str], Reply]:
    """A daemon with the processes `web` and `db`, to whom everything succeeds."""
    processes = [process(1, "web"), process(2, "db", "stopped")]
    actions: dict[tuple[str, str], Reply] = {
        ("POST", f"/v1/actions/{verb}"): CannedAnswer({"targets": TARGETS})
        for verb in ("start", "restart", "stop", "delete", "kill", "drop", "reset")
    }
    return actions | {
        ("GET", "/v1/version"): CannedAnswer(
            {
                "version": "9.9",
                "api": 1,
                "pid": 1,
                "started_at": "2025-03-04T05:06:07Z",
                "socket": path,
                "config_file": "",
                "process_config_file": "",
                "state_dir": "/s",
                "log_dir": "/l",
                "host": "h",
                "degraded": None,
                "user": "oscar",
                "you_are": "operator",
            }
        ),
        ("GET", "/v1/processes"): lambda request: _listed(processes, request),
        ("GET", "/v1/processes/web"): CannedAnswer(detailed(1, "web")),
        ("POST", "/v1/processes"): CannedAnswer({"targets": TARGETS}),
        ("POST", "/v1/scale"): CannedAnswer({"targets": TARGETS, "gone": []}),
        ("POST", "/v1/wait"): CannedAnswer({"outcome": "met", "processes": processes[:1], "failures": []}),
        ("POST", "/v1/apply"): CannedAnswer({"plan": PLAN, "targets": TARGETS, "revision": 0}),
        ("POST", "/v1/init"): CannedAnswer({"plan": PLAN, "targets": TARGETS, "revision": 0, "lifted": []}),
        ("POST", "/v1/reconcile"): CannedAnswer({"targets": TARGETS}),
        ("GET", "/v1/sets"): CannedAnswer([]),
        ("POST", "/v1/plan"): CannedAnswer(PLAN),
        ("GET", "/v1/logs/web"): CannedAnswer(Chunks([b"one\n", b"two"])),
        ("GET", "/v1/logs/db"): CannedAnswer(Chunks([b"three\nfo", b"ur\n"])),
        ("GET", "/v1/events"): CannedAnswer(detailed(1, "web")["events"]),
        ("GET", "/v1/runs"): CannedAnswer(
            [
                {
                    "number": 1,
                    "started_at": "2025-03-04T05:06:07Z",
                    "ended_at": None,
                    "duration_seconds": 12.5,
                    "outcome": "running",
                    "exit_code": None,
                    "exit_signal": None,
                    "by": "ana",
                }
            ]
        ),
        ("GET", "/v1/graph"): CannedAnswer(
            {
                "order": ["db", "web", "cron", "nap"],
                "dependents": ["db", "web", "cron"],
                "edges": [["web", "db"], ["cron", "web"]],
                "dependencies": [
                    graph_need("web", "db", "ready", restart=True),
                    graph_need("cron", "web", "started", required=False),
                ],
                "cycles": [],
            }
        ),
        ("GET", "/v1/export"): CannedAnswer({"processes": [{"file": "/usr/bin/web", "name": "web"}]}),
        ("GET", "/v1/groups"): CannedAnswer([{"id": 1, "name": "front", "processes": ["web"]}]),
        ("GET", "/v1/groups/front"): CannedAnswer({"id": 1, "name": "front", "processes": processes[:1]}),
        ("POST", "/v1/groups"): CannedAnswer({"id": 1, "name": "front", "processes": []}),
        ("POST", "/v1/groups/assign"): CannedAnswer({"groups": ["front"]}),
        ("POST", "/v1/groups/remove"): CannedAnswer({"groups": ["front"]}),
        ("DELETE", "/v1/groups/front"): CannedAnswer({}),
        ("POST", "/v1/shutdown"): CannedAnswer({}),
    }


def _listed(processes: list[dict[str, Any]], request: ReceivedRequest) -> CannedAnswer:
    """All of them, or those that are asked for, which must be there."""
    asked = [value for name, value in request.query if name == "ref"]
    found = [one for one in processes if not asked or any(fnmatchcase(one["name"], ref) for ref in asked)]
    if not found:
        error = PmonError(
            ErrorCode.NOT_FOUND, f"cannot find process {asked[0]!r}: there is none", "see pmon3 ls"
        )
        return _refusal(error, 404)
    return CannedAnswer(found)


def _check(request: ReceivedRequest) -> None:
    """Refuse what the real one does not understand. Raises PmonError."""
    route, _ = match(request.method, request.path)
    query: dict[str, list[str]] = {}
    for name, value in request.query:
        query.setdefault(name, []).append(value)
    arguments_of(route, query)
    if route.body is not None:
        protocol.read_body(route.body, json.dumps(request.body or {}).encode())


def _refusal(error: PmonError, status: int) -> CannedAnswer:
    return CannedAnswer(error.to_json(), status)


class FakeDaemon:
    """Serves while its `with` block runs; change `answers` for other answers."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)
        self.requests: list[ReceivedRequest] = []
        self.answers = default_answers(self.path)
        self._server = _FakeServer(self.path, self)

    def answer(self, request: ReceivedRequest) -> CannedAnswer:
        self.requests.append(request)
        reply = self.answers.get((request.method, request.path))
        if reply is None:
            message = f"cannot find {request.path}: there is none"
            return _refusal(PmonError(ErrorCode.NOT_FOUND, message, "see pmon3 ls"), 404)
        try:
            _check(request)
        except PmonError as error:
            return _refusal(error, 400)
        return reply if isinstance(reply, CannedAnswer) else reply(request)

    def bodies(self, path: str) -> list[Any]:
        """The bodies of all requests for this path that had one."""
        return [
            request.body for request in self.requests if request.path == path and request.body is not None
        ]

    def __enter__(self) -> Self:
        threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        ).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()


class _FakeServer(ThreadingUnixStreamServer):
    daemon_threads = True

    def __init__(self, path: str, owner: FakeDaemon) -> None:
        self.owner = owner
        super().__init__(path, _Handler)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _FakeServer

    def handle_any(self) -> None:
        parts = urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        request = ReceivedRequest(self.command, unquote(parts.path), parse_qsl(parts.query), body)
        self._send(self.server.owner.answer(request))

    do_GET = do_POST = do_DELETE = handle_any

    def _send(self, answer: CannedAnswer) -> None:
        self.send_response(answer.status)
        if isinstance(answer.content, Chunks):
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for chunk in itertools.chain(answer.content.pieces, [b""]):
                self.wfile.write(f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n")
                self.wfile.flush()
            return
        content = answer.content if isinstance(answer.content, bytes) else json.dumps(answer.content).encode()
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Tests read what the command line prints, not this."""

    def address_string(self) -> str:
        return "unix"
