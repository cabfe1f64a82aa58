"""What config.yml makes of people: viewers, operators, administrators, and whom it does not know."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from typing import Any

import pytest
from tests.support.people import ADA, ALICE, OSCAR, ROOT, VERA, Machine, Person, machine, needs_people
from tests.support.waiting import until

pytestmark = [pytest.mark.slow, needs_people]

ROLES = "access: {viewers: ['@readers'], operators: [oscar], administrators: [ada], open: %s}\n"
SECRET = "hunter2"
ROOTS = {
    "name": "rootweb", "file": "/bin/sh", "args": ["-c", f"# {SECRET}\nexec sleep 1000"],
    "env_vars": {"TOKEN": SECRET},
}  # fmt: skip


@pytest.fixture
def people() -> Iterator[Machine]:
    with machine(ROLES % "true") as made:
        made.pmond.declare(ROOTS)
        made.pmond.start()
        made.pmond.until("rootweb", "running")
        yield made


def role(people: Machine, person: Person) -> str:
    """What pmond says that he is; the error code where it does not know him."""
    body = people.by(person).ask("GET", "/v1/version").body
    return str(body["you_are"] if "you_are" in body else body["error"]["code"])


def test_everybody_is_told_what_he_is(people: Machine) -> None:
    expected = {ROOT: "owner", ADA: "administrator", OSCAR: "operator", VERA: "viewer", ALICE: "viewer"}
    assert {person: role(people, person) for person in expected} == expected
    told = people.by(OSCAR).ask("GET", "/v1/version").body
    assert told["user"] == "oscar"


def test_a_changed_file_changes_roles_without_a_restart(people: Machine) -> None:
    pmond = people.pmond
    started = pmond.ask("GET", "/v1/version").body["started_at"]
    people.by(ALICE).submit("hers")
    hers = pmond.until("hers", "running")["pid"]
    pmond.configure(ROLES.replace("oscar", "alice") % "false")
    pmond.signal(signal.SIGHUP)
    until(lambda: role(people, ALICE) == "operator", "alice to be an operator")
    assert role(people, OSCAR) == "forbidden", "nobody knows him any more"
    assert role(people, VERA) == "viewer"
    assert people.by(ALICE).act("stop", "rootweb").status == 200
    pmond.configure(ROLES % "false")
    pmond.signal(signal.SIGHUP)
    until(lambda: role(people, OSCAR) == "operator", "oscar to be one again")
    refused = people.by(ALICE).act("stop", "hers")
    assert (refused.status, refused.body["error"]["code"]) == (403, "forbidden")
    assert pmond.rows()["hers"]["pid"] == hers, "what runs goes on"
    assert pmond.ask("GET", "/v1/version").body["started_at"] == started


def test_a_file_that_cannot_be_used_leaves_the_roles_as_they_were(people: Machine) -> None:
    people.pmond.config_file.write_text("access: {operators: 7")
    people.pmond.signal(signal.SIGHUP)
    until(lambda: "ConfigRejected" in people.pmond.reasons(), "it to be told")
    assert role(people, OSCAR) == "operator"


def test_an_operator_operates_what_others_run_and_does_nothing_else(people: Machine) -> None:
    oscar = people.by(OSCAR)
    for verb in ("stop", "start", "restart", "reset"):
        assert oscar.act(verb, "rootweb").status == 200, verb
    assert oscar.ask("POST", "/v1/holds", {"refs": ["rootweb"], "up": False}).status == 200
    assert oscar.ask("POST", "/v1/unhold", {"refs": ["rootweb"]}).status == 200
    for changes in ({"args": ["1"]}, {"user": "oscar"}, {"log": "/tmp/x"}, {"env_vars": {"A": "1"}}):
        assert oscar.act("restart", "rootweb", **changes).status == 403, changes
    assert oscar.act("delete", "rootweb").status == 403
    assert oscar.ask("GET", "/v1/logs/rootweb").status == 403
    assert oscar.ask("POST", "/v1/shutdown", {"stop_processes": True}).status == 403
    assert oscar.submit("his").status == 200


def test_who_may_see_no_secrets_sees_none_by_whatever_door(people: Machine) -> None:
    """Probes quote programs, and whoever waits for a process quotes why it failed."""
    probing = {
        "file": "/bin/sleep", "args": ["1000"], "restart": {"policy": "never"}, "stop": {"timeout": "1s"},
    }  # fmt: skip
    says = ["/bin/sh", "-c", f"echo {SECRET}; exit 1"]
    fails = {"exec": says, "interval": "100ms", "failures": 1}
    log = {"log": f"ready {SECRET}"}
    people.pmond.declare(
        ROOTS,
        {**probing, "name": "late", "ready": {**fails, "deadline": "300ms"}},
        {**probing, "name": "starting", "ready": {**fails, "deadline": "1h"}},
        {**probing, "name": "ill", "live": {**fails, "start_period": "0s"}},
        {**probing, "name": "well", "live": {**fails, "exec": ["/bin/echo", SECRET]}},
        {**probing, "name": "written", "file": "/bin/sh", "ready": log,
         "args": ["-c", f"echo ready {SECRET}; exec sleep 1000"]},
    )  # fmt: skip
    people.pmond.ok("init", "--no-wait")
    for name in ("late", "ill"):
        people.pmond.until(name, "failed")
    people.pmond.until("written", "running")
    until(lambda: SECRET in people.pmond.rows()["starting"]["reason"], "the owner to be told why")
    until(lambda: SECRET in str(people.pmond.rows()["well"]["probe"]), "the owner to be told what it said")
    assert people.by(ALICE).submit("mine", dependencies=["late", "ill"]).status == 200
    people.pmond.until("mine", "waiting")
    until(lambda: "failed" in people.pmond.rows()["mine"]["reason"], "it to be told what it waits for")
    assert SECRET in str(people.pmond.ask("GET", "/v1/events?limit=1000").body)

    names = ["rootweb", "late", "starting", "ill", "well", "written", "mine"]
    promises = [{"name": name, "generation": 0, "token": 0} for name in names]
    asked: list[tuple[str, str, Any]] = [
        ("GET", "/v1/processes?usage=1", None),
        ("GET", "/v1/export", None),
        ("GET", "/v1/events?limit=1000", None),
        ("GET", "/v1/sets", None),
        ("GET", "/v1/graph", None),
        ("GET", "/v1/history", None),
        ("POST", "/v1/wait", {"targets": promises, "until": "ready", "timeout": 0}),
        *[("POST", "/v1/wait", {"targets": [each], "until": "ready", "timeout": 0}) for each in promises],
        *[("GET", f"/v1/processes/{name}", None) for name in names],
        *[("GET", f"/v1/events?limit=100&ref={name}", None) for name in names],
    ]
    for person in (VERA, ALICE, OSCAR):
        for method, target, body in asked:
            answer = people.by(person).ask(method, target, body)
            assert answer.status == 200, (person, target, answer)
            assert SECRET not in json.dumps(answer.body), (person, target, body)
