"""What a real pmond answers is what `/openapi.json` says: every route, when it succeeds and when it does not.

Keys that are not declared fail here too, so that a client made from the description misses nothing.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
from tests.support.described import ClosedDescription
from tests.support.pmond import PATIENCE, Pmond, temporary_pmond
from tests.support.waiting import until

from pmond.runtime.http.messages import Exposition, Stream
from pmond.runtime.http.routes import ROUTES, match

SCRIPT = ["-c", "echo one; echo two >&2; exec sleep 1000"]
WEB = {
    "name": "web", "file": "/bin/sh", "args": SCRIPT, "groups": ["front"], "labels": {"tier": "web"},
    "env_vars": {"TOKEN": "secret"}, "ready": {"exec": ["true"]},
}  # fmt: skip
JOB = {
    "name": "job", "file": "/bin/sh", "args": ["-c", "echo gone; exit 3"], "restart": {"policy": "never"},
    "dependencies": [],
}  # fmt: skip


class ComparedPmond:
    """A pmond whose every answer is compared; `outcomes` counts them by route and success."""

    def __init__(self, pmond: Pmond) -> None:
        self.pmond = pmond
        self.description = ClosedDescription(pmond.ask("GET", "/openapi.json").body)
        self.outcomes: Counter[tuple[str, bool]] = Counter()

    def ask(self, status: int, method: str, target: str, body: Any = None) -> Any:
        answer = self.pmond.ask(method, target, body)
        assert answer.status == status, f"{method} {target}: {answer}"
        self.note(method, target, status, answer.body)
        return answer.body

    def note(self, method: str, target: str, status: int, body: Any) -> None:
        route, _ = match(method, target.partition("?")[0])
        self.outcomes[route.operation, status == 200] += 1
        self.description.check(method, route.pattern, status, body)


def documents(asked: ComparedPmond, *processes: dict[str, Any]) -> dict[str, Any]:
    text = json.dumps({"variables": {"A": "a"}, "processes": list(processes)})
    return {"documents": [{"path": str(asked.pmond.folder / "app.json"), "text": text}]}


def waited(asked: ComparedPmond, targets: list[Any], goal: str = "ready", seconds: float = PATIENCE) -> Any:
    return asked.ask(200, "POST", "/v1/wait", {"targets": targets, "until": goal, "timeout": seconds})


def manifests(asked: ComparedPmond) -> None:
    body = documents(asked, WEB, {**WEB, "name": "db"})
    assert asked.ask(200, "POST", "/v1/plan", {**body, "full": True})["summary"]["create"] == 2
    applied = asked.ask(200, "POST", "/v1/apply", {**body, "message": "first"})
    assert waited(asked, applied["targets"])["outcome"] == "met"
    renamed = {**WEB, "name": "www", "renamed_from": "web", "args": [*SCRIPT, "new"]}
    other = documents(asked, renamed, {**WEB, "name": "db"})
    plan = asked.ask(200, "POST", "/v1/plan", {**other, "full": True})
    assert plan["actions"][0]["moved_from"] == "web" and plan["actions"][0]["entry_before"]
    asked.ask(200, "POST", "/v1/apply", {**other, "dry_run": True})
    wrong = {"documents": [{"path": "/m.yaml", "text": "processes: [{name: x, file: /bin/true, ags: []}]\n"}]}
    for verb in ("plan", "apply"):
        error = asked.ask(422, "POST", f"/v1/{verb}", wrong)["error"]
        assert error["diagnostics"][0]["range"]["start"]["line"] == 1
    twice = "processes: [{name: x, file: /bin/true}, {name: x, file: /bin/true}]\n"
    error = asked.ask(422, "POST", "/v1/plan", {"documents": [{"path": "/m.yaml", "text": twice}]})["error"]
    assert error["diagnostics"][0]["related"]
    asked.ask(400, "POST", "/v1/apply", {})
    asked.ask(409, "POST", "/v1/apply", {**body, "if_version": 99})


def process_config_file(asked: ComparedPmond) -> None:
    pmond = asked.pmond
    asked.ask(404, "POST", "/v1/init", {"process_config_only": True})
    assert asked.ask(200, "POST", "/v1/init", {})["plan"]["actions"] == []
    pmond.declare({"name": "cron", "file": "/bin/sh", "args": SCRIPT})
    asked.ask(200, "POST", "/v1/reconcile")
    pmond.until("cron", "running")
    assert asked.ask(200, "POST", "/v1/actions/stop", {"refs": ["cron"]})["targets"]
    pmond.until("cron", "stopped")
    assert asked.ask(200, "POST", "/v1/init", {"process_config_only": True})["lifted"][0]["name"] == "cron"
    asked.ask(400, "POST", "/v1/reconcile", {"all": True})
    pmond.write("processes: [{name: cron, file: 5, fiel: 6}]\n")
    until(lambda: rejected(asked), "the rejection")
    assert rejected(asked)["diagnostics"] and rejected(asked)["conditions"]
    pmond.manifest_file.unlink()
    pmond.manifest_file.mkdir()
    (pmond.manifest_file / "a.yaml").symlink_to("nowhere")
    asked.ask(404, "POST", "/v1/init", {"process_config_only": True})
    assert [found["code"] for found in rejected(asked)["diagnostics"]] == ["PM006"]


def rejected(asked: ComparedPmond) -> dict[str, Any]:
    """The first set that is not accepted; empty when all are."""
    return next((one for one in asked.ask(200, "GET", "/v1/sets") if not one["accepted"]), {})


def sets(asked: ComparedPmond) -> None:
    name = f"file:{asked.pmond.folder}/app.json"
    asked.ask(200, "POST", "/v1/suspend", {"set": name, "reason": "holidays", "seconds": 1000})
    assert any(one["suspended"] for one in asked.ask(200, "GET", "/v1/sets"))
    asked.ask(200, "POST", "/v1/resume", {"set": name})
    asked.ask(200, "POST", "/v1/apply", documents(asked, WEB, {**WEB, "name": "db", "description": "x"}))
    assert len(asked.ask(200, "GET", f"/v1/history?set={name}")) == 2
    asked.ask(200, "POST", "/v1/rollback", {"set": name, "dry_run": True})
    assert asked.ask(200, "POST", "/v1/rollback", {"set": name})["revision"] > 2
    assert any(one["suspended"] and one["suspended"]["digest"] for one in asked.ask(200, "GET", "/v1/sets"))
    asked.ask(200, "POST", "/v1/resume", {"set": name})
    options = {"path": "<options>", "text": '{"use": {"profiles": [], "variables": {"A": "b"}}}'}
    body = documents(asked, WEB, {**WEB, "name": "db"})
    asked.ask(200, "POST", "/v1/apply", {"documents": [*body["documents"], options]})
    assert any(one["chosen"] for one in asked.ask(200, "GET", "/v1/sets"))
    for verb in ("suspend", "resume", "rollback"):
        asked.ask(404, "POST", f"/v1/{verb}", {"set": "nope"})
    asked.ask(400, "GET", "/v1/sets?limit=1")
    asked.ask(404, "GET", "/v1/history?set=nope")


def processes(asked: ComparedPmond) -> None:
    body = {"spec": {"name": "extra", "file": "/bin/sh", "args": SCRIPT}, "cwd": "/"}
    submitted = asked.ask(200, "POST", "/v1/processes", body)
    assert waited(asked, submitted["targets"])["outcome"] == "met"
    asked.ask(409, "POST", "/v1/processes", {**body, "replace": False})
    assert {row["name"] for row in asked.ask(200, "GET", "/v1/processes?usage=1")} >= {"web", "db", "extra"}
    asked.ask(404, "GET", "/v1/processes?ref=nope")
    described = asked.ask(200, "GET", "/v1/processes/web")
    assert described["events"][0]["fields"] and described["instances"] and described["conditions"]
    asked.ask(404, "GET", "/v1/processes/nope")
    assert asked.ask(200, "GET", "/v1/export")["processes"]
    asked.ask(400, "GET", "/v1/export?order=colour")
    assert asked.ask(200, "GET", "/v1/processes/extra/surroundings")["environment"]
    asked.ask(404, "GET", "/v1/processes/nope/surroundings")
    asked.ask(200, "POST", "/v1/signal", {"refs": ["extra"], "signal": "CONT", "tree": True})
    asked.ask(400, "POST", "/v1/signal", {"refs": ["extra"], "signal": "NOISE"})
    asked.ask(404, "POST", "/v1/reload", {"refs": ["nope"]})
    asked.ask(200, "POST", "/v1/reload", {"refs": ["extra"]})
    for verb in ("restart", "stop", "start", "kill", "reset"):
        asked.ask(200, "POST", f"/v1/actions/{verb}", {"refs": ["extra"]})
    asked.ask(400, "POST", "/v1/actions/explode", {"all": True})
    asked.ask(404, "POST", "/v1/actions/stop", {"refs": ["nope"]})


def holds(asked: ComparedPmond) -> None:
    asked.ask(200, "POST", "/v1/holds", {"refs": ["db"], "reason": "maintenance", "seconds": 1000})
    row = asked.ask(200, "GET", "/v1/processes?ref=db")[0]
    assert row["hold"]["reason"] == "maintenance"
    asked.ask(200, "POST", "/v1/unhold", {"refs": ["db"]})
    scaled = asked.ask(200, "POST", "/v1/scale", {"counts": {"db": 2}})
    assert [target["name"] for target in scaled["targets"]] == ["db@0", "db@1"]
    assert asked.ask(200, "POST", "/v1/scale", {"counts": {"db": 1}})["gone"][0]["name"] == "db@1"
    asked.ask(404, "POST", "/v1/scale", {"counts": {"nope": 1}})
    asked.ask(400, "POST", "/v1/scale", {"counts": {"db": -1}})
    asked.ask(200, "POST", "/v1/release", {"refs": ["extra"]})
    asked.ask(403, "POST", "/v1/approve", {"refs": ["db"]})
    asked.ask(200, "POST", "/v1/apply", documents(asked, WEB, {**WEB, "name": "db", "prune": "confirm"}))
    asked.ask(200, "POST", "/v1/apply", {**documents(asked, WEB), "prune": True})
    assert asked.ask(200, "POST", "/v1/approve", {"refs": ["db"]})["targets"][0]["name"] == "db"
    for verb in ("holds", "unhold", "release"):
        asked.ask(400, "POST", f"/v1/{verb}", {})


def failing_wait(asked: ComparedPmond) -> None:
    """The end of the log is text."""
    targets = asked.ask(200, "POST", "/v1/processes", {"spec": JOB, "cwd": "/"})["targets"]
    outcome = waited(asked, targets)
    assert (outcome["outcome"], outcome["failures"][0]["log_tail"]) == ("failed", "gone\n")
    assert waited(asked, targets, "completed", 0)["failures"]
    asked.ask(400, "POST", "/v1/wait", {"targets": [], "until": "happy"})


def history(asked: ComparedPmond) -> None:
    assert any(event["fields"] for event in asked.ask(200, "GET", "/v1/events?limit=1000"))
    asked.ask(400, "GET", "/v1/events?since=x")
    assert asked.ask(200, "GET", "/v1/runs?ref=web")[-1]["outcome"] == "running"
    asked.ask(404, "GET", "/v1/runs?ref=nobody")
    assert asked.ask(200, "GET", "/v1/graph")["order"]
    asked.ask(200, "GET", "/v1/graph?process_config_only=0")
    asked.ask(400, "GET", "/v1/graph?all=1")
    asked.ask(404, "GET", "/v1/logs/nope")
    assert asked.ask(200, "GET", "/v1/logs/web/times")["name"] == "web"
    asked.ask(404, "GET", "/v1/logs/nope/times")


def groups(asked: ComparedPmond) -> None:
    asked.ask(200, "POST", "/v1/groups", {"name": "back"})
    asked.ask(409, "POST", "/v1/groups", {"name": "back"})
    for verb in ("assign", "remove"):
        asked.ask(200, "POST", f"/v1/groups/{verb}", {"groups": ["back"], "refs": ["web"]})
        asked.ask(404, "POST", f"/v1/groups/{verb}", {"groups": ["nope"], "refs": ["web"]})
    assert asked.ask(200, "GET", "/v1/groups")
    asked.ask(400, "GET", "/v1/groups?limit=1")
    assert asked.ask(200, "GET", "/v1/groups/front")["processes"]
    asked.ask(404, "GET", "/v1/groups/nope")
    asked.ask(200, "DELETE", "/v1/groups/back")
    asked.ask(404, "DELETE", "/v1/groups/back")


def pmond_itself(asked: ComparedPmond) -> None:
    asked.ask(400, "GET", "/openapi.json?pretty=1")
    asked.ask(400, "GET", "/metrics?format=xml")
    assert asked.ask(200, "GET", "/v1/version")["degraded"] is None
    asked.ask(400, "GET", "/v1/version?short=1")
    assert asked.ask(200, "GET", "/v1/doctor")["checks"]
    asked.ask(400, "GET", "/v1/doctor?short=1")
    for verb in ("upgrade", "shutdown"):
        asked.ask(400, "POST", f"/v1/{verb}", {"now": True})
    asked.ask(200, "POST", "/v1/upgrade")
    said = asked.pmond.journal_file.read_text
    until(lambda: said().count("daemon.started") == 2, "the end of the upgrade", PATIENCE)
    asked.ask(200, "POST", "/v1/shutdown", {"stop_processes": True})
    assert asked.pmond.ended() == 0


STORIES = (
    manifests, process_config_file, sets, processes, holds, failing_wait, history, groups, pmond_itself,
)  # fmt: skip
"""Told one after another to one pmond."""


@pytest.mark.slow
def test_every_answer_is_as_it_is_described() -> None:
    with temporary_pmond() as pmond:
        asked = ComparedPmond(pmond.start())
        for story in STORIES:
            story(asked)
    expected = {
        (route.operation, success)
        for route in ROUTES
        for success in (True, False)
        if not (success and (route.answer in (Stream, Exposition) or route.operation == "openapi"))
    }
    assert expected - asked.outcomes.keys() == set()
