"""Every route, with every kind of target, by every kind of caller, judged by a second model of the rules.

What is asked is generated from the table of routes; what may be expected of it is said here once more, in
a few lines that know nothing of pmond's own. A refusal has to be one that changed nothing, and what others
may look at has to be without secrets.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any, NamedTuple, get_args

import pytest
from tests.support.people import ALICE, BOB, CAROL, ROOT, Machine, Person, machine, needs_people
from tests.support.pmond import Answer
from tests.support.waiting import until

from pmon3_schema.protocol import Verb
from pmond.runtime.http.route import Scope
from pmond.runtime.http.routes import ROUTES

CONFIG = "access: {administrators: ['@pmon3ops']}\n"
SECRET = "hunter2"
CALLERS = (ALICE, BOB, CAROL)

# The model. A process has a user and is declared by somebody; a set and a group have who made them.

OWN = {"see", "see secrets", "operate", "delete", "change", "control set"}
OTHERS: dict[Person, set[str]] = {
    ALICE: {"see"},
    BOB: {"see"},
    CAROL: {"see", "see secrets", "operate", "delete", "control set", "administer"},
}
"""What each may do to what is not his own; carol is in the control group."""


class Subject(NamedTuple):
    """Something that a request can be about; `whose` is None where it does not exist."""

    kind: str
    process: str
    set: str
    whose: Person | None
    sets: Person | None
    """Whose the set is."""


def allowed(caller: Person, need: str, target: Subject) -> bool:
    if need == "declare":  # that changes what processes are
        return target.sets == caller
    rights = {whose: OWN if whose == caller else OTHERS[caller] for whose in (target.whose, target.sets)}
    if need == "take out":  # of its set, whoever it runs as
        return "delete" in rights[target.whose] and "control set" in rights[target.sets]
    return need in rights[target.sets if need == "control set" else target.whose]


# What is asked.


class Ask(NamedTuple):
    """One request. `need`: what it takes, of the model; `answers`: what may be said to who may."""

    need: str
    method: str
    target: str
    body: Any = None
    answers: frozenset[str] = frozenset({"done"})
    absent: str = "not_found"


Build = Callable[[Subject, Person], Iterator[Ask]]


def get(need: str, path: str, absent: str = "not_found") -> Build:
    return lambda target, caller: iter([Ask(need, "GET", path.format(t=target), absent=absent)])


def post(need: str, path: str, body: Callable[[Subject], Any], **more: Any) -> Build:
    return lambda target, caller: iter([Ask(need, "POST", path, body(target), **more)])


def refs(target: Subject) -> dict[str, Any]:
    return {"refs": [target.process]}


def verbs(target: Subject, caller: Person) -> Iterator[Ask]:
    for verb in get_args(Verb):
        path, body = f"/v1/actions/{verb}", refs(target)
        yield Ask("delete" if verb in ("delete", "drop") else "operate", "POST", path, body)
        if verb in ("start", "restart"):
            for changes in ({"args": ["999"]}, {"user": ""}, {"env_vars": {"A": "1"}}, {"user": caller.name}):
                yield Ask("change", "POST", path, {**body, "changes": changes})


def submitted(target: Subject, caller: Person) -> Iterator[Ask]:
    spec = {"name": target.process, "file": "/bin/sleep", "args": ["1000"], "autostart": False}
    # What a manifest declares is changed there, also by who may.
    answers = frozenset({"done", "conflict"})
    yield Ask("change", "POST", "/v1/processes", {"spec": spec, "cwd": "/"}, answers, absent="done")


def documents(target: Subject) -> dict[str, Any]:
    return {"set": target.set, "dry_run": True, "allow_empty": True,
            "documents": [{"path": "/m.json", "text": json.dumps({"processes": []})}]}  # fmt: skip


def emptied(target: Subject, caller: Person) -> Iterator[Ask]:
    yield Ask("declare", "POST", "/v1/apply", documents(target), absent="done")
    yield Ask("declare", "POST", "/v1/apply", {**documents(target), "dry_run": False}, absent="done")


def waited(target: Subject) -> dict[str, Any]:
    promise = {"name": target.process, "generation": 0, "token": 0}
    return {"targets": [promise], "until": "ready", "timeout": 0}


def of_set(target: Subject) -> dict[str, Any]:
    return {"set": target.set}


TOLD = frozenset({"done", "conflict", "invalid", "refused"})
"""What runs and can be told is; anything else is said."""
REQUESTS: dict[str, Build] = {
    "list_processes": get("see", "/v1/processes?usage=1&ref={t.process}"),
    "describe": get("see", "/v1/processes/{t.process}"),
    "surroundings": get("change", "/v1/processes/{t.process}/surroundings"),
    "submit": submitted,
    "export": get("see", "/v1/export?ref={t.process}"),
    "act": verbs,
    "signal": post("change", "/v1/signal", lambda target: {**refs(target), "signal": "CONT"}, answers=TOLD),
    "reload": post("change", "/v1/reload", refs, answers=TOLD),
    # Long enough to outlast the file: one that ends by itself looks like a change by whoever asks just then.
    "hold": post("operate", "/v1/holds", lambda target: {**refs(target), "seconds": 3600}),
    "unhold": post("operate", "/v1/unhold", refs),
    "scale": post("operate", "/v1/scale", lambda target: {"counts": {target.process: 1}}),
    "release": post("take out", "/v1/release", refs),
    "approve": post("delete", "/v1/approve", refs, answers=frozenset({"refused"})),
    "wait": post("see", "/v1/wait", waited, absent="done"),
    "apply": emptied,
    "plan": post(
        "declare", "/v1/plan", lambda target: {**documents(target), "dry_run": False}, absent="done"
    ),
    "init": post("administer", "/v1/init", lambda target: {}),
    "reconcile": post("administer", "/v1/reconcile", lambda target: {}),
    "list_sets": get("see", "/v1/sets", absent="done"),
    "history": get("see", "/v1/history?set={t.set}"),
    "suspend": post("control set", "/v1/suspend", of_set),
    "resume": post("control set", "/v1/resume", of_set),
    "rollback": post("declare", "/v1/rollback", of_set),
    "logs": get("see secrets", "/v1/logs/{t.process}"),
    "times": get("see secrets", "/v1/logs/{t.process}/times"),
    "events": get("see", "/v1/events?limit=100&ref={t.process}", absent="done"),
    "runs": get("see", "/v1/runs?ref={t.process}"),
    "graph": get("see", "/v1/graph", absent="done"),
    "list_groups": get("see", "/v1/groups", absent="done"),
    "describe_group": get("see", "/v1/groups/front", absent="done"),
    "create_group": post("administer", "/v1/groups", lambda target: {"name": f"with-{target.process}"}),
    "delete_group": lambda target, caller: iter([Ask("administer", "DELETE", "/v1/groups/front")]),
    "assign": post("administer", "/v1/groups/assign", lambda target: {**refs(target), "groups": ["front"]}),
    "remove": post("administer", "/v1/groups/remove", lambda target: {**refs(target), "groups": ["front"]}),
    "metrics": get("see", "/metrics", absent="done"),
    "openapi": get("see", "/openapi.json", absent="done"),
    "version": get("see", "/v1/version", absent="done"),
    "doctor": get("administer", "/v1/doctor"),
    "upgrade": post("administer", "/v1/upgrade", lambda target: {}),
    "shutdown": post("administer", "/v1/shutdown", lambda target: {}),
}
"""By the operation of a route. Of those that end pmond only the refusals are tried here."""

NEEDS = {
    Scope.READ: {"see", "declare"},
    Scope.CONTROL: {"see secrets", "operate", "delete", "change", "declare", "control set", "take out"},
    Scope.ADMINISTER: {"administer"},
}
"""What a request may take of its caller, by the scope that its route says."""
ENDING = {"upgrade", "shutdown"}


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.operation)
def test_a_route_says_what_it_takes_and_is_tried_here(route: Any) -> None:
    assert isinstance(route.access, Scope), "whoever adds a route says who may use it"
    assert route.operation in REQUESTS, "whoever adds a route says here what it takes"
    anything = Subject("own", "x", "x", ALICE, ALICE)
    assert {ask.need for ask in REQUESTS[route.operation](anything, ALICE)} <= NEEDS[route.access]


# A machine with one of each kind.


def spec(name: str, **more: Any) -> dict[str, Any]:
    return {
        "name": name, "file": "/bin/sleep", "args": ["1000"], "env_vars": {"TOKEN": SECRET},
        "live": {"exec": ["/bin/echo", SECRET]}, "groups": ["front"], **more,
    }  # fmt: skip


class World:
    """A pmond with processes and sets of everybody, which can be put back into that state."""

    def __init__(self, people: Machine) -> None:
        self.people = people
        self._names = count(1)
        self.followed = f"file:{people.pmond.manifest_file}"
        declared = [spec("declared"), *[spec(f"for-{one.name}", user=one.name) for one in CALLERS]]
        people.pmond.declare(*[{**one, "labels": {"first": "yes"}} for one in declared])
        people.pmond.start()
        people.pmond.declare(*declared)
        assert people.pmond.ask("POST", "/v1/init", {}).status == 200
        for one in (ROOT, *CALLERS):
            self.submit(one)
            self.apply(one, labels={"first": "yes"})
            self.apply(one)
        self.rows = self._rows()

    def submit(self, one: Person) -> None:
        answer = self.people.by(one).submit(replace=True, **spec(f"of-{one.name}"))
        assert answer.status == 200, answer

    def apply(self, one: Person, **more: Any) -> None:
        """A set of his own; a second one, so that there is something to go back to."""
        text = json.dumps({"processes": [spec(f"in-set-of-{one.name}", autostart=False, **more)]})
        body = {"set": f"set-{one.name}", "documents": [{"path": "/m.json", "text": text}]}
        answer = self.people.by(one).ask("POST", "/v1/apply", body)
        assert answer.status == 200, answer

    def targets(self, caller: Person) -> Iterator[Subject]:
        """One of each kind, as that caller sees them."""
        other = BOB if caller is not BOB else ALICE
        yield Subject("own", f"of-{caller.name}", f"set-{caller.name}", caller, caller)
        yield Subject("another's", f"of-{other.name}", f"set-{other.name}", other, other)
        yield Subject("root's", "of-root", "set-root", ROOT, ROOT)
        yield Subject("set of root", "declared", self.followed, ROOT, ROOT)
        yield Subject("set of root, for the caller", f"for-{caller.name}", self.followed, caller, ROOT)
        yield Subject("set of root, for another", f"for-{other.name}", self.followed, other, ROOT)
        nothing = f"nothing{next(self._names)}"
        yield Subject("absent", nothing, nothing, None, None)

    def seen(self) -> Any:
        """All that somebody has declared or asked for, as root sees it."""
        ask = self.people.pmond.ask
        kept = ("name", "user", "file", "args", "env_keys", "log", "owner", "hold", "generation", "groups")
        rows = [[row[key] for key in kept] for row in ask("GET", "/v1/processes").body]
        sets = [
            (one["name"], one["version"], one["suspended"], one["revision"], one["inventory"])
            for one in ask("GET", "/v1/sets").body
        ]
        return rows, sets, ask("GET", "/v1/groups").body

    def put_back(self) -> None:
        """As it was at the beginning, but for what only counts up."""
        ask = self.people.pmond.ask
        until(lambda: not self._leaving(), "what is deleted to be gone")
        for one in ask("GET", "/v1/sets").body:
            if one["suspended"]:
                assert ask("POST", "/v1/resume", {"set": one["name"]}).status == 200
        for one in (ROOT, *CALLERS):
            if self._rows().get(f"of-{one.name}") != self.rows[f"of-{one.name}"]:
                self.submit(one)
            self.apply(one)
        if self._rows() != self.rows:
            assert ask("POST", "/v1/unhold", {"all": True}).status == 200
            assert ask("POST", "/v1/init", {}).status == 200
        for group in ask("GET", "/v1/groups").body:
            if group["name"] != "front":
                assert ask("DELETE", f"/v1/groups/{group['id']}").status == 200
        until(lambda: self._rows() == self.rows, "everything to be as before")

    def _rows(self) -> dict[str, Any]:
        kept = ("user", "args", "env_keys", "owner", "groups")
        return {name: {key: row[key] for key in kept} for name, row in self.people.pmond.rows().items()}

    def _leaving(self) -> bool:
        names = {name for name in self.people.pmond.rows() if name.startswith("nothing")}
        for name in names:
            self.people.pmond.ask("POST", "/v1/actions/delete", {"refs": [name]})
        conditions = (self.people.pmond.ask("GET", f"/v1/processes/{name}") for name in self.rows)
        return bool(names) or any("deleting" in str(found.body) for found in conditions)


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with machine(CONFIG) as people:
        yield World(people)


def outcome(answer: Answer) -> str:
    if answer.status == 200:
        return "done"
    return str(answer.body["error"]["code"])


def expected(ask: Ask, target: Subject, caller: Person) -> frozenset[str]:
    if ask.need == "administer":
        # Where there is nothing of that name, whoever may administer is told so.
        return frozenset({"done", "not_found", "conflict"} if caller is CAROL else {"forbidden"})
    if target.whose is None:
        return frozenset({ask.absent})
    return ask.answers if allowed(caller, ask.need, target) else frozenset({"forbidden"})


@pytest.mark.slow
@needs_people
@pytest.mark.parametrize("caller", CALLERS, ids=lambda person: person.name)
@pytest.mark.parametrize("operation", REQUESTS)
def test_whoever_asks_gets_what_the_rules_say(world: World, operation: str, caller: Person) -> None:
    before = world.seen()
    for target in world.targets(caller):
        for ask in REQUESTS[operation](target, caller):
            if operation in ENDING and caller is CAROL:
                continue
            answer = world.people.by(caller).ask(ask.method, ask.target, ask.body)
            asked = (caller.name, target.kind, ask.method, ask.target, ask.body, answer)
            assert outcome(answer) in expected(ask, target, caller), asked
            if answer.status != 200 or ask.method == "GET":
                assert world.seen() == before, asked
                others = target.whose != caller and "see secrets" not in OTHERS[caller]
                assert not others or SECRET not in without(caller, answer.body), asked
            else:
                world.put_back()
                before = world.seen()
    uids = world.people.uids()
    whose = {f"{prefix}-{one.name}": one.uid for one in CALLERS for prefix in ("of", "for")}
    assert {name: whose.get(name, 0) for name in uids} == uids, "something runs as somebody else"


def without(caller: Person, body: Any) -> str:
    """The answer, without what is about processes of his own."""
    own = {f"of-{caller.name}", f"for-{caller.name}", f"in-set-of-{caller.name}"}
    if isinstance(body, list):
        body = [one for one in body if not (isinstance(one, dict) and one.get("name") in own)]
    if isinstance(body, dict) and isinstance(body.get("processes"), list):
        body = {**body, "processes": [one for one in body["processes"] if one.get("name") not in own]}
    return json.dumps(body)


@pytest.mark.slow
@needs_people
def test_whoever_administers_renews_and_ends_pmond(world: World) -> None:
    """The last one: nothing answers afterwards."""
    carol, pmond = world.people.by(CAROL), world.people.pmond
    started = pmond.ask("GET", "/v1/version").body["started_at"]
    assert carol.ask("POST", "/v1/upgrade", {}).status == 200
    until(lambda: pmond.ask("GET", "/v1/version").body["started_at"] != started, "the new code to answer")
    assert carol.ask("POST", "/v1/shutdown", {"stop_processes": True}).status == 200
    assert pmond.ended() == 0
