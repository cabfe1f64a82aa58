"""Requests to the real parts of a pmond that does nothing: what is refused, who may, and who sees what."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import socket
import sys
import termios
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
from tests.support.http_client import Wire, serving
from tests.support.idle_pmond import IdlePmond, idle_pmond
from tests.support.waiting import eventually

from pmon3_schema import protocol
from pmon3_schema.errors import ErrorCode, PmonError
from pmond.runtime.http.call import Arguments
from pmond.runtime.http.route import Route, Scope
from pmond.runtime.http.routes import ROUTES

ME = os.geteuid()
NOBODY = 65534
as_root = pytest.mark.skipif(ME != 0, reason="a pmond that serves other users runs as root")
WEB = {"name": "web", "file": "/bin/sleep", "args": ["60"], "env_vars": {"TOKEN": "secret"}}
MAIL = {**WEB, "name": "mail", "user": "nobody"}
DOCUMENTS = {"documents": [{"path": "/etc/app.yml", "text": "processes: []"}]}

CHOICE = {"refs": ["web"]}
SET = {"set": "file:/m.json"}
MEMBERS = {"groups": ["1"], "refs": ["web"]}
BODIES: dict[str, Any] = {
    "submit": {"spec": {"name": "new", "file": "/bin/true"}, "cwd": "/"}, "act": CHOICE, "apply": DOCUMENTS,
    "plan": DOCUMENTS, "hold": CHOICE, "unhold": CHOICE, "release": CHOICE, "approve": CHOICE,
    "signal": {**CHOICE, "signal": "HUP"}, "reload": CHOICE, "scale": {"counts": {"web": 1}},
    "suspend": SET, "resume": SET, "rollback": SET,
    "wait": {"targets": [{"name": "web", "generation": 0, "token": 1}], "until": "ready", "timeout": 0},
    "create_group": {"name": "g"}, "assign": MEMBERS, "remove": MEMBERS,
}  # fmt: skip
"""What each route is asked at least."""

Story = Callable[[IdlePmond], Awaitable[None]]


def told(folder: Path, story: Story, config: str = "") -> None:
    """Let a story happen to an idle pmond."""

    async def run() -> None:
        async with idle_pmond(folder, config) as pmond:
            await story(pmond)

    asyncio.run(run())


async def refused(pmond: IdlePmond, uid: int, *request: Any) -> PmonError:
    """What a request is refused with."""
    with pytest.raises(PmonError) as caught:
        await pmond.ask(uid, *request)
    return caught.value


def bodies_in(route: Route) -> Iterator[type[protocol.Body]]:
    """The type of its body, and those of the bodies in that."""
    kinds = [route.body] if route.body is not None else []
    while kinds:
        kind = kinds.pop()
        yield kind
        inner = (argument for hint in get_type_hints(kind).values() for argument in get_args(hint))
        kinds += [one for one in inner if isinstance(one, type) and issubclass(one, protocol.Body)]


# What is wrong with a request.

BAD_REQUESTS = [
    ("POST", "/v1/processes", {"cwd": "/"}, "spec"),
    ("POST", "/v1/processes", {"spec": {}, "cwd": "/", "wiat": 1}, "wiat"),
    ("POST", "/v1/wait", {"targets": [{"name": "x", "generation": "1", "token": 0}]}, "targets.0.generation"),
    ("POST", "/v1/wait", {"targets": [], "until": "ready", "timeout": -1}, "timeout"),
    ("POST", "/v1/actions/stop", {}, "nothing is selected"),
    ("POST", "/v1/actions/explode", {"all": True}, "explode"),
    ("POST", "/v1/holds", {}, "nothing is selected"),
    ("POST", "/v1/apply", {"documents": []}, "documents"),
    ("POST", "/v1/plan", {"documents": [{"path": "/m", "text": "", "set": "other"}]}, "documents.0.set"),
    ("POST", "/v1/init", [], "body"),
    ("GET", "/v1/processes?nmae=x", None, "nmae"),
    ("GET", "/v1/processes?usage=2", None, "usage"),
    ("GET", "/v1/processes?usage=1&usage=1", None, "usage"),
    ("GET", "/v1/processes?label=x", None, "label"),
    ("GET", "/v1/events?limit=-1", None, "limit"),
    ("GET", "/v1/export?order=colour", None, "colour"),
]


def test_bad_requests_name_what_is_wrong(tmp_path: Path) -> None:
    async def story(pmond: IdlePmond) -> None:
        for method, target, body, named in BAD_REQUESTS:
            error = await refused(pmond, ME, method, target, body)
            assert (error.code, named in error.message) == (ErrorCode.BAD_REQUEST, True), error.message

    told(tmp_path, story)


def test_bad_bodies_are_not_repeated(tmp_path: Path) -> None:
    async def story(pmond: IdlePmond) -> None:
        error = await refused(pmond, ME, "POST", "/v1/processes", {"spec": "hunter2", "cwd": "/"})
        assert "hunter2" not in str(error.to_json())

    told(tmp_path, story)


def test_a_body_nested_without_end_is_only_a_bad_request(tmp_path: Path) -> None:
    async def story(pmond: IdlePmond) -> None:
        async with serving(tmp_path / "s", pmond.server.handle):
            wire = await Wire.open(tmp_path / "s")
            bomb = b'{"spec":' + b"[" * 1_000_000
            wire.send(
                b"POST /v1/processes HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(bomb) + bomb
            )
            assert (await wire.answer())[0] == 400

    told(tmp_path, story)


@pytest.mark.parametrize(("method", "target", "status"), [("GET", "/v2", 404), ("PUT", "/v1/version", 405)])
def test_what_is_not_in_the_table(tmp_path: Path, method: str, target: str, status: int) -> None:
    async def story(pmond: IdlePmond) -> None:
        error = await refused(pmond, ME, method, target)
        assert getattr(error, "status") == status  # noqa: B009  (PmonError itself has none)

    told(tmp_path, story)


@pytest.mark.parametrize(
    ("target", "body", "named"),
    [
        ("/v1/actions/stop", {"all": True, "changes": {"args": "x"}}, "stop takes no changes"),
        ("/v1/actions/restart", {"all": True, "force": True}, "restart takes no force"),
        ("/v1/actions/reset", {"all": True, "force": True}, "reset takes no force"),
        ("/v1/rollback", {"to": 1, "stable": True}, "to and stable"),
    ],
)
def test_what_would_have_no_effect_is_refused(tmp_path: Path, target: str, body: Any, named: str) -> None:
    async def story(pmond: IdlePmond) -> None:
        error = await refused(pmond, ME, "POST", target, body)
        assert (error.code, named in error.message) == (ErrorCode.BAD_REQUEST, True), error.message

    told(tmp_path, story)


def test_every_field_and_every_parameter_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a client sends and nothing looks at would be a promise that nobody keeps."""
    fields: set[tuple[str, str]] = set()
    parameters: set[tuple[str, str]] = set()
    asked: list[str] = []

    def field(body: protocol.Body, name: str) -> Any:
        fields.add((type(body).__name__, name))
        return object.__getattribute__(body, name)

    def noting(read: Callable[[Arguments, str], Any]) -> Callable[[Arguments, str], Any]:
        def parameter(query: Arguments, name: str) -> Any:
            parameters.add((asked[-1], name))
            return read(query, name)

        return parameter

    for reading in ("text", "texts", "flag", "number"):
        monkeypatch.setattr(Arguments, reading, noting(getattr(Arguments, reading)))

    async def story(pmond: IdlePmond) -> None:
        await pmond.declare(WEB)
        (tmp_path / "logs" / "web.log").write_text("one\n")
        monkeypatch.setattr(protocol.Body, "__getattribute__", field, raising=False)
        for route in ROUTES:
            asked.append(route.operation)
            target = route.pattern.format(ref="web", verb="start")
            with suppress(PmonError):  # most of it makes no sense, which is found out by looking at it
                await pmond.asked(ME, route.method, target, BODIES.get(route.operation))

    told(tmp_path, story)
    kinds = {kind for route in ROUTES for kind in bodies_in(route)}
    sent = {(kind.__name__, name) for kind in kinds for name in kind.__struct_fields__}
    assert sent - fields == set()
    assert {(one.operation, parameter.name) for one in ROUTES for parameter in one.parameters} == parameters


# What is asked for is what is done.


def test_a_query_selects_orders_and_narrows(tmp_path: Path) -> None:
    async def story(pmond: IdlePmond) -> None:
        await pmond.declare(
            {**WEB, "labels": {"tier": "front"}, "groups": ["g"]}, {**WEB, "name": "db", "groups": ["g"]}
        )

        async def names(target: str) -> list[str]:
            found = await pmond.ask(ME, "GET", target)
            return [one["name"] for one in (found["processes"] if "export" in target else found)]

        assert await names("/v1/processes") == ["web", "db"]
        assert await names("/v1/processes?ref=db&ref=web&group=g&label=tier=front") == ["web"]
        assert await names("/v1/export?order=name") == ["db", "web"]
        assert (await pmond.ask(ME, "GET", "/v1/processes/we%62"))["name"] == "web"

    told(tmp_path, story)


def test_of_two_that_start_one_name_at_the_same_moment_the_second_is_refused(tmp_path: Path) -> None:
    """Although the first one's process does not run yet."""

    async def story(pmond: IdlePmond) -> None:
        body = {"spec": WEB, "cwd": "/", "replace": False}
        await pmond.ask(ME, "POST", "/v1/processes", body)
        error = await refused(pmond, ME, "POST", "/v1/processes", body)
        assert error.code is ErrorCode.CONFLICT
        await pmond.ask(ME, "POST", "/v1/processes", {**body, "replace": True})

    told(tmp_path, story)


def test_pmond_is_told_how_to_end(tmp_path: Path) -> None:
    async def story(pmond: IdlePmond) -> None:
        assert await pmond.ask(ME, "POST", "/v1/shutdown", {"stop_processes": True}) == {}
        assert await pmond.ask(ME, "POST", "/v1/shutdown") == {}
        assert pmond.ended == [True, False]

    told(tmp_path, story)


# Who may, and who sees what.


@as_root
def test_administration_is_not_for_everybody(tmp_path: Path) -> None:
    async def story(pmond: IdlePmond) -> None:
        rows = [route for route in ROUTES if route.access is Scope.ADMINISTER]
        assert {"shutdown", "upgrade", "init", "create_group"} <= {route.operation for route in rows}
        for route in rows:
            error = await refused(pmond, NOBODY, route.method, route.pattern.replace("{ref}", "g"), {})
            assert error.code is ErrorCode.FORBIDDEN
        assert not pmond.ended

    told(tmp_path, story)


@as_root
def test_the_control_group_administers(tmp_path: Path) -> None:
    async def story(pmond: IdlePmond) -> None:
        await pmond.ask(NOBODY, "POST", "/v1/shutdown", {})
        assert pmond.ended == [False]

    told(tmp_path, story, "message_queue: {group: nogroup}\n")


def test_a_daemon_that_is_not_root_is_closed_to_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = os.geteuid() or 1234
    stranger = NOBODY if own != NOBODY else NOBODY - 1

    async def story(pmond: IdlePmond) -> None:
        assert (await refused(pmond, stranger, "GET", "/v1/version")).code is ErrorCode.FORBIDDEN
        for uid in (own, 0):
            assert (await pmond.ask(uid, "GET", "/v1/version"))["api"] == 1

    monkeypatch.setattr("pmond.runtime.program.parts.os.geteuid", lambda: own)
    told(tmp_path, story)


@as_root
def test_secrets_are_for_those_who_control_the_process(tmp_path: Path) -> None:
    async def story(pmond: IdlePmond) -> None:
        await pmond.declare(WEB, MAIL)
        for uid, name, value in (
            (0, "web", "TOKEN=secret"),
            (0, "mail", "TOKEN=secret"),
            (NOBODY, "mail", "TOKEN=secret"),
            (NOBODY, "web", "***"),
        ):
            described = await pmond.ask(uid, "GET", f"/v1/processes/{name}")
            assert described["spec"]["env_vars"] == value
            exported = (await pmond.ask(uid, "GET", "/v1/export"))["processes"]
            assert [one["env_vars"] for one in exported if one["name"] == name] == [value]

    told(tmp_path, story)


@as_root
def test_whoever_waits_for_a_process_of_somebody_else_does_not_see_its_arguments(tmp_path: Path) -> None:
    async def story(pmond: IdlePmond) -> None:
        await pmond.declare(WEB)
        target = {"name": "web", "generation": 0, "token": 0}
        body = {"targets": [target], "until": "ready", "timeout": 0}
        for uid, args in ((0, ["60"]), (NOBODY, ["***"])):
            assert (await pmond.ask(uid, "POST", "/v1/wait", body))["processes"][0]["args"] == args

    told(tmp_path, story)


@as_root
def test_a_plan_tells_others_no_secrets(tmp_path: Path) -> None:
    """Whoever names a process in a document learns nothing of what is in its environment now."""

    async def story(pmond: IdlePmond) -> None:
        await pmond.declare(MAIL)
        text = json.dumps({"processes": [{**MAIL, "env_vars": {"TOKEN": "new"}, "cwd": "/tmp"}]})
        body = {"documents": [{"path": "/m.json", "text": text}], "dry_run": True}
        for target in ("/v1/plan", "/v1/apply"):
            seen = str(await pmond.ask(0, "POST", target, body))
            assert "secret" not in seen and "/env_vars/TOKEN" in seen and "/tmp" in seen

    told(tmp_path, story)


# Waits, logs and events.


async def with_client(pmond: IdlePmond, path: Path, story: Callable[[Wire], Awaitable[None]]) -> None:
    """One connection; when its client has gone nobody listens for it any more."""
    async with serving(path, pmond.server.handle):
        wire = await Wire.open(path)
        await story(wire)
        await wire.close()
        await eventually(lambda: not pmond.parts.bus.listeners, "what it listened to, ended with it")


def test_a_wait_ends_with_its_client(tmp_path: Path) -> None:
    async def story(pmond: IdlePmond) -> None:
        await pmond.declare(WEB)

        async def waits(wire: Wire) -> None:
            target = {"name": "web", "generation": 1, "token": 1}
            wire.request("POST", "/v1/wait", {"targets": [target], "until": "ready", "timeout": 60})
            await eventually(lambda: pmond.parts.bus.listeners, "the wait begins")

        await with_client(pmond, tmp_path / "s", waits)

    told(tmp_path, story)


def test_a_wait_judges_nothing_that_was_decided_before_the_request(tmp_path: Path) -> None:
    """This pmond decides nothing any more, so it cannot say that a stop has been carried out."""

    async def story(pmond: IdlePmond) -> None:
        await pmond.declare(WEB)
        (target,) = (await pmond.ask(ME, "POST", "/v1/actions/stop", CHOICE))["targets"]
        assert target["generation"] > 0
        for generation, outcome in ((0, "met"), (target["generation"], "timeout")):
            body = {"targets": [{**target, "generation": generation}], "until": "stopped", "timeout": 0}
            assert (await pmond.ask(ME, "POST", "/v1/wait", body))["outcome"] == outcome

    told(tmp_path, story)


def test_logs(tmp_path: Path) -> None:
    async def story(pmond: IdlePmond) -> None:
        await pmond.declare(WEB)
        log = tmp_path / "logs" / "web.log"
        log.write_text("one\ntwo\nthree\n")

        async def reads(wire: Wire) -> None:
            wire.request("GET", "/v1/logs/web?lines=x")
            assert (await wire.answer())[0] == 400
            wire.request("GET", "/v1/logs/web?stderr=1")
            assert (await wire.answer())[0] == 404
            wire.request("GET", "/v1/logs/web?lines=2&follow=1")
            status, headers = await wire.head()
            assert status == 200 and headers["content-type"].startswith("text/plain")
            assert await wire.chunk() == b"two\nthree\n"
            with log.open("a") as file:
                file.write("four\n")
            assert await wire.chunk() == b"four\n"

        await with_client(pmond, tmp_path / "s", reads)

    told(tmp_path, story)


def test_logs_that_are_not_followed_end(tmp_path: Path) -> None:
    async def story(pmond: IdlePmond) -> None:
        await pmond.declare(WEB)

        async def reads(wire: Wire) -> None:
            wire.request("GET", "/v1/logs/web")
            assert (await wire.answer())[0] == 404
            (tmp_path / "logs" / "web.log").write_text("one\ntwo\nthree\n")
            wire.request("GET", "/v1/logs/web?lines=%2B2")
            await wire.head()
            assert [await wire.chunk(), await wire.chunk()] == [b"two\nthree\n", b""]
            assert await wire.rest() == b""

        await with_client(pmond, tmp_path / "s", reads)

    told(tmp_path, story)


def test_past_events_are_chosen_by_name_number_and_id(tmp_path: Path) -> None:
    async def story(pmond: IdlePmond) -> None:
        await pmond.declare(WEB, {**WEB, "name": "mail"})
        for name in ("web", "mail", "web", "gone"):
            pmond.parts.recorder.announce("Started", "", name)

        async def ids(target: str) -> list[int]:
            return [event["id"] for event in await pmond.ask(ME, "GET", target)]

        assert await ids("/v1/events") == [1, 2, 3, 4]
        assert await ids("/v1/events?limit=2") == [3, 4]
        assert await ids("/v1/events?limit=0") == []
        assert await ids("/v1/events?ref=web") == [1, 3]
        assert await ids("/v1/events?ref=web&ref=gone&since=1") == [3, 4]

    told(tmp_path, story)


def test_followed_events_come_once_each(tmp_path: Path) -> None:
    async def story(pmond: IdlePmond) -> None:
        await pmond.declare(WEB, {**WEB, "name": "mail"})
        announce = pmond.parts.recorder.announce
        announce("Started", "", "web")
        announce("Started", "", "mail")

        async def follows(wire: Wire) -> None:
            wire.request("GET", "/v1/events?follow=1&ref=web")
            _, headers = await wire.head()
            assert headers["content-type"] == "text/event-stream"
            first = (await wire.chunk()).decode()
            assert first.startswith("id: 1\ndata: {") and first.endswith("}\n\n")
            announce("Exited", "", "mail")
            announce("Exited", "", "web")
            assert json.loads((await wire.chunk()).split(b"data: ")[1])["id"] == 4

        await with_client(pmond, tmp_path / "s", follows)

    told(tmp_path, story)


def readable(client: socket.socket) -> int:
    """How many bytes have come that were not read yet."""
    return int.from_bytes(fcntl.ioctl(client, termios.FIONREAD, bytes(4)), sys.byteorder)


def test_a_client_that_hangs_up_in_the_middle_of_an_event_is_forgotten(tmp_path: Path) -> None:
    """Its stream is then closed where it was sending, not where it waited for the next event."""

    async def story(pmond: IdlePmond) -> None:
        loop, bus = asyncio.get_running_loop(), pmond.parts.bus
        async with serving(tmp_path / "s", pmond.server.handle):
            with socket.socket(socket.AF_UNIX) as client:
                client.setblocking(False)
                await loop.sock_connect(client, str(tmp_path / "s"))
                await loop.sock_sendall(client, b"GET /v1/events?follow=1 HTTP/1.1\r\nHost: x\r\n\r\n")
                await eventually(lambda: bus.listeners, "the subscription")
                for _ in range(50):  # more than the buffers of a socket take for one who does not read
                    pmond.parts.recorder.announce("Started", "x" * 100_000, "web")
                await eventually(lambda: readable(client) > 100_000, "it to be in the middle of one")
            await eventually(lambda: not bus.listeners, "the end of the subscription")

    told(tmp_path, story)
