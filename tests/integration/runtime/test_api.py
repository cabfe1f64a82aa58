"""Each route through the socket to a fake controller: what is passed on, refused and masked."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from tests.support.fake_control import TARGET, FakeControl
from tests.support.http_client import Wire, ask, serving
from tests.support.waiting import eventually

from pmon3_schema.errors import ErrorCode, PmonError
from pmon3_schema.protocol import Selection
from pmond.runtime.access.authority import AccessRules, Authority
from pmond.runtime.access.principal import Principal
from pmond.runtime.files.log_files import LogFile
from pmond.runtime.http.api import Api
from pmond.runtime.http.messages import Pending, Request, Response
from pmond.runtime.http.routes import ROUTES

NOBODY = 65534
DOCUMENTS = {"documents": [{"path": "/etc/app.yml", "text": "processes: []"}]}


@pytest.fixture
def control() -> FakeControl:
    return FakeControl({"web": "root", "mail": "nobody"})


SYSTEM = Authority(0)
STAFF = AccessRules(administrator_groups=frozenset({NOBODY}))


def direct(
    control: FakeControl,
    uid: int,
    method: str,
    target: str,
    body: Any = None,
    *,
    authority: Authority = SYSTEM,
) -> Any:
    """The answer that a caller of this uid gets, without a socket. Raises PmonError."""
    path, _, query = target.partition("?")
    pairs: dict[str, list[str]] = {}
    for pair in filter(None, query.split("&")):
        pairs.setdefault(pair.split("=")[0], []).append(pair.split("=")[1])
    content = b"" if body is None else json.dumps(body).encode()
    request = Request(method, path, pairs, {}, content, Principal(9, uid, uid))

    async def answered() -> Response:
        answer = await Api(control, lambda: authority).handle(request)
        if isinstance(answer, Pending):
            answer = await answer.response
        assert isinstance(answer, Response)
        return answer

    return json.loads(asyncio.run(answered()).body)


@pytest.mark.parametrize(
    ("method", "target", "body", "call"),
    [
        ("GET", "/v1/version", None, ("version",)),
        ("GET", "/v1/processes", None, ("list", Selection(), False)),
        (
            "GET", "/v1/processes?ref=web&ref=mail&group=g&label=a=b&usage=1", None,
            ("list", Selection(("web", "mail"), ("g",), {"a": "b"}), True),
        ),
        ("GET", "/v1/processes/we%62", None, ("describe", "web")),
        ("POST", "/v1/processes", {"spec": {"a": 1}, "cwd": "/"}, ("submit", {"a": 1}, "/", 0, True)),
        (
            "POST", "/v1/actions/kill", {"refs": ["web"], "force": True},
            ("act", "kill", Selection(("web",)), 0, True, {}),
        ),
        ("POST", "/v1/init", None, ("init", 0, False)),
        ("GET", "/v1/graph?process_config_only=1", None, ("graph", True)),
        ("GET", "/v1/export?order=name", None, ("export", "name", Selection(), 0)),
        ("GET", "/v1/groups", None, ("groups",)),
        ("GET", "/v1/groups/g", None, ("describe_group", "g")),
        ("POST", "/v1/groups", {"name": "g"}, ("create_group", "g")),
        ("DELETE", "/v1/groups/g", None, ("delete_group", "g")),
        ("POST", "/v1/groups/assign", {"groups": ["g"], "refs": ["1"]}, ("assign", ["g"], ["1"])),
        ("POST", "/v1/groups/remove", {"groups": ["g"], "refs": ["1"]}, ("remove", ["g"], ["1"])),
        ("POST", "/v1/shutdown", {"stop_processes": True}, ("shutdown", True)),
    ],
)  # fmt: skip
def test_requests_reach_the_controller(
    tmp_path: Path, control: FakeControl, method: str, target: str, body: Any, call: tuple[Any, ...]
) -> None:
    async def story() -> None:
        async with serving(tmp_path / "s", Api(control, lambda: Authority(os.getuid())).handle):
            status, _ = await ask(tmp_path / "s", method, target, body)
            assert status == 200

    asyncio.run(story())
    ((name, arguments),) = control.calls
    seen = tuple(argument.uid if isinstance(argument, Principal) else argument for argument in arguments)
    expected = tuple(os.getuid() if isinstance(a, int) and a == 0 and a is not False else a for a in call[1:])
    assert (name, *seen) == (call[0], *expected)


def test_apply_and_plan(control: FakeControl) -> None:
    body = {**DOCUMENTS, "set": "s", "prune": True}
    assert direct(control, 0, "POST", "/v1/apply", body)["targets"] == [TARGET]
    assert direct(control, 0, "POST", "/v1/plan", body)["set"] == "file:/etc/app.yml"
    asked = [(name, arguments[0].set, arguments[0].prune) for name, arguments in control.calls]
    assert asked == [("apply", "s", True), ("plan", "s", True)]
    assert control.calls[0][1][0].documents[0].path == "/etc/app.yml"


@pytest.mark.parametrize(
    ("method", "target", "body", "named"),
    [
        ("POST", "/v1/processes", {"cwd": "/"}, "spec"),
        ("POST", "/v1/processes", {"spec": {}, "cwd": "/", "wiat": 1}, "wiat"),
        (
            "POST",
            "/v1/wait",
            {"targets": [{"name": "x", "generation": "1", "token": 0}]},
            "targets.0.generation",
        ),
        ("POST", "/v1/wait", {"targets": [], "until": "ready", "timeout": -1}, "timeout"),
        ("POST", "/v1/actions/stop", {}, "nothing is selected"),
        ("POST", "/v1/actions/explode", {"all": True}, "explode"),
        ("POST", "/v1/apply", {"documents": []}, "documents"),
        ("POST", "/v1/init", [], "body"),
        ("GET", "/v1/processes?nmae=x", None, "nmae"),
        ("GET", "/v1/processes?usage=2", None, "usage"),
        ("GET", "/v1/processes?usage=1&usage=1", None, "usage"),
        ("GET", "/v1/processes?label=x", None, "label"),
        ("GET", "/v1/events?limit=-1", None, "limit"),
    ],
)
def test_bad_requests_name_what_is_wrong(
    control: FakeControl, method: str, target: str, body: Any, named: str
) -> None:
    with pytest.raises(PmonError, match=named) as caught:
        direct(control, 0, method, target, body)
    assert caught.value.code is ErrorCode.BAD_REQUEST
    assert not control.calls


def test_bad_bodies_are_not_repeated(control: FakeControl) -> None:
    with pytest.raises(PmonError) as caught:
        direct(control, 0, "POST", "/v1/processes", {"spec": "hunter2", "cwd": "/"})
    assert "hunter2" not in str(caught.value.to_json())


def test_a_body_nested_without_end_is_only_a_bad_request(tmp_path: Path, control: FakeControl) -> None:
    async def story() -> None:
        async with serving(tmp_path / "s", Api(control, lambda: Authority(os.getuid())).handle):
            wire = await Wire.open(tmp_path / "s")
            bomb = b'{"spec":' + b"[" * 1_000_000
            wire.send(
                b"POST /v1/processes HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(bomb) + bomb
            )
            assert (await wire.answer())[0] == 400

    asyncio.run(story())


@pytest.mark.parametrize(("method", "target", "status"), [("GET", "/v2", 404), ("PUT", "/v1/version", 405)])
def test_what_is_not_in_the_table(control: FakeControl, method: str, target: str, status: int) -> None:
    with pytest.raises(PmonError) as caught:
        direct(control, 0, method, target)
    assert getattr(caught.value, "status") == status  # noqa: B009  (PmonError itself has none)


# Who may, and what they see.


def forbidden(act: Callable[[], Any]) -> None:
    with pytest.raises(PmonError) as caught:
        act()
    assert caught.value.code is ErrorCode.FORBIDDEN


@pytest.mark.parametrize("route", [r for r in ROUTES if r.access == "administer"], ids=lambda r: r.handler)
def test_administration_is_not_for_everybody(control: FakeControl, route: Any) -> None:
    target = route.pattern.replace("{ref}", "g")
    forbidden(lambda: direct(control, NOBODY, route.method, target, {}))
    assert not control.calls


def test_the_control_group_administers(control: FakeControl) -> None:
    direct(control, NOBODY, "POST", "/v1/shutdown", {}, authority=Authority(0, STAFF))
    assert control.calls == [("shutdown", (False,))]


def test_a_daemon_that_is_not_root_is_closed_to_others(control: FakeControl) -> None:
    forbidden(lambda: direct(control, NOBODY, "GET", "/v1/version", authority=Authority(1234)))
    direct(control, 1234, "GET", "/v1/version", authority=Authority(1234))
    direct(control, 0, "GET", "/v1/version", authority=Authority(1234))


@pytest.mark.parametrize(
    ("uid", "name", "value"),
    [(0, "web", "secret"), (0, "mail", "secret"), (NOBODY, "mail", "secret"), (NOBODY, "web", "***")],
)
def test_secrets_are_for_those_who_control_the_process(
    control: FakeControl, uid: int, name: str, value: str
) -> None:
    assert direct(control, uid, "GET", f"/v1/processes/{name}")["spec"]["env_vars"] == {"TOKEN": value}
    specs = {spec["name"]: spec for spec in direct(control, uid, "GET", "/v1/export")["processes"]}
    assert specs[name]["env_vars"] == {"TOKEN": value}


@pytest.mark.parametrize("target", ["/v1/plan", "/v1/apply"])
def test_a_plan_tells_others_no_secrets(control: FakeControl, target: str) -> None:
    assert "old-secret" in str(direct(control, 0, "POST", target, DOCUMENTS))
    seen = str(direct(control, NOBODY, "POST", target, DOCUMENTS))
    assert "secret" not in seen and "/b" in seen


# Waits, logs and events.


def with_client(path: Path, control: FakeControl, story: Callable[[Wire], Coroutine[Any, Any, None]]) -> None:
    async def served() -> None:
        async with serving(path, Api(control, lambda: Authority(os.getuid())).handle):
            wire = await Wire.open(path)
            await story(wire)
            await wire.close()
            await eventually(lambda: not control.waits, "waits end with their client")
            await eventually(lambda: not control.subscriptions, "subscriptions end with their client")

    asyncio.run(served())


def test_a_wait_ends_with_its_client(tmp_path: Path, control: FakeControl) -> None:
    async def story(wire: Wire) -> None:
        wire.request("POST", "/v1/wait", {"targets": [TARGET], "until": "ready", "timeout": 60})
        await eventually(lambda: control.waits, "the wait begins")

    with_client(tmp_path / "s", control, story)


def test_logs(tmp_path: Path, control: FakeControl) -> None:
    log = tmp_path / "web.log"
    log.write_text("one\ntwo\nthree\n")
    control.files = [LogFile(log)]

    async def story(wire: Wire) -> None:
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

    with_client(tmp_path / "s", control, story)


def test_logs_that_are_not_followed_end(tmp_path: Path, control: FakeControl) -> None:
    log = tmp_path / "web.log"
    control.files = [LogFile(log)]

    async def story(wire: Wire) -> None:
        wire.request("GET", "/v1/logs/web")
        assert (await wire.answer())[0] == 404
        log.write_text("one\ntwo\nthree\n")
        wire.request("GET", "/v1/logs/web?lines=%2B2")
        await wire.head()
        assert [await wire.chunk(), await wire.chunk()] == [b"two\nthree\n", b""]
        assert await wire.rest() == b""

    with_client(tmp_path / "s", control, story)


def test_past_events(control: FakeControl) -> None:
    for name in ("web", "mail", "web", "gone"):
        control.happen(name, "Started")

    def ids(target: str) -> list[int]:
        return [event["id"] for event in direct(control, 0, "GET", target)]

    assert ids("/v1/events") == [1, 2, 3, 4]
    assert ids("/v1/events?limit=2") == [3, 4]
    assert ids("/v1/events?ref=web") == [1, 3]
    assert ids("/v1/events?ref=web&ref=gone&since=1") == [3, 4]


def test_followed_events_come_once_each(tmp_path: Path, control: FakeControl) -> None:
    control.happen("web", "Started")
    control.happen("mail", "Started")

    async def story(wire: Wire) -> None:
        wire.request("GET", "/v1/events?follow=1&ref=web")
        _, headers = await wire.head()
        assert headers["content-type"] == "text/event-stream"
        first = (await wire.chunk()).decode()
        assert first.startswith("id: 1\ndata: {") and first.endswith("}\n\n")
        control.happen("mail", "Exited")
        control.happen("web", "Exited")
        assert json.loads((await wire.chunk()).split(b"data: ")[1])["id"] == 4

    with_client(tmp_path / "s", control, story)
