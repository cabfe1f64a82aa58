"""M5 and the priority: nobody without rights fills the state file, or gives his programs what he has not."""

from __future__ import annotations

import json
import os
import resource
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.people import ADA, ALICE, BOB, CAROL, WEB, Machine, machine, needs_people
from tests.support.pmond import Answer
from tests.support.programs import NICER
from tests.support.waiting import until

pytestmark = [pytest.mark.slow, needs_people]

CONFIG = """
access:
  administrators: ['@pmon3ops', ada]
  run_as: {ada: [www]}
  quota: {processes: 5, bytes: 64KiB, requests: 3}
"""


@pytest.fixture
def people() -> Iterator[Machine]:
    with machine(CONFIG) as made:
        made.pmond.start()
        yield made


def idle(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "file": "/bin/sleep", "args": ["1000"], "autostart": False, **more}


def refused(answer: Answer, word: str) -> bool:
    """Over quota: exit code 6, and it says of what."""
    return answer.body.get("error", {}).get("code") == "refused" and word in str(answer.body)


def names(people: Machine) -> set[str]:
    return set(people.pmond.rows())


def test_processes_are_counted_by_whatever_door_they_come(people: Machine) -> None:
    alice = people.by(ALICE)
    path = str(people.home(ALICE) / "m.json")
    assert alice.submit("first").status == 200
    many = [idle(f"of-set-{number}") for number in range(5)]
    assert refused(alice.apply(path, *many), "6 processes")
    assert refused(alice.ask("POST", "/v1/plan", {"documents": [
        {"path": path, "text": json.dumps({"processes": many})}]}), "6 processes")  # fmt: skip
    assert names(people) == {"first"}
    assert alice.apply(path, *many[:4]).status == 200
    assert refused(alice.submit("sixth"), "6 processes")
    assert people.by(BOB).submit("his").status == 200
    assert alice.act("restart", "first", args=["999"]).status == 200, "what is there can be changed"
    assert alice.act("delete", "first").status == 200
    until(lambda: "first" not in names(people), "it to be gone")
    assert alice.submit("sixth").status == 200


def test_what_root_declares_for_a_user_counts_for_nobody(people: Machine) -> None:
    people.pmond.declare(*(idle(f"svc{number}", user="alice") for number in range(20)))
    until(lambda: len(names(people)) == 20, "them to be declared")
    assert people.by(ALICE).submit("own").status == 200


def test_bytes_are_counted_by_whatever_door_they_come(people: Machine) -> None:
    """M5: one argument of 6.7 MB, in a new set each time."""
    alice = people.by(ALICE)
    path = str(people.home(ALICE) / "m.json")
    before = (people.pmond.folder / "data" / "data.db").stat().st_size
    for number in range(12):
        big = idle("big", args=["x" * 6_700_000])
        assert refused(alice.apply(path, big, set=f"set{number}"), "bytes")
    assert refused(alice.submit("big", args=["x" * 70_000]), "bytes")
    assert refused(alice.submit("big", env_vars={"A": "x" * 70_000}), "bytes")
    assert alice.submit("small").status == 200
    assert refused(alice.act("restart", "small", description="x" * 70_000), "bytes")
    assert alice.submit("second", args=["x" * 40_000], autostart=False).status == 200
    assert refused(alice.submit("third", args=["x" * 40_000], autostart=False), "bytes")
    assert (people.pmond.folder / "data" / "data.db").stat().st_size < before + 1_000_000


def test_so_are_replicas_before_they_are_made(people: Machine) -> None:
    """A few words of a manifest stand for a thousand processes, and a request holds many such words."""
    alice = people.by(ALICE)
    sleeper = {"file": "/bin/sleep", "args": ["1000"], "autostart": False}
    entries = [{**sleeper, "name": f"many{n}", "replicas": 1000} for n in range(2000)]
    before = resident(people.pmond.pid)
    assert refused(alice.apply("/tmp/alice.json", *entries), "2000000 replicas")
    assert refused(alice.apply("/tmp/alice.json", *entries, dry_run=True), "2000000 replicas")
    assert resident(people.pmond.pid) - before < 200 << 20
    long = ["${REPLICA}" + "x" * 20_000]
    assert refused(alice.submit("long", args=long, replicas=5, autostart=False), "bytes")
    assert alice.submit("one", autostart=False).status == 200
    assert refused(alice.ask("POST", "/v1/scale", {"counts": {"one": 1000}}), "1000 replicas")


def resident(pid: int) -> int:
    """Bytes of memory."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize()


def test_so_are_the_documents_of_sets_and_their_number(people: Machine) -> None:
    alice = people.by(ALICE)
    path = str(people.home(ALICE) / "m.json")
    noise = os.urandom(60_000).hex()
    text = json.dumps({"x-noise": noise, "processes": [idle("a")]})
    answer = alice.ask("POST", "/v1/apply", {"documents": [{"path": path, "text": text}], "set": "noisy"})
    assert refused(answer, "documents of"), answer
    for number in range(5):
        assert alice.apply(path, idle(f"p{number}"), set=f"s{number}").status == 200
    assert refused(alice.apply(path, set="one-more", allow_empty=True), "6 sets")
    assert alice.act("delete", "p0").status == 200
    until(lambda: alice.apply(path, set="one-more", allow_empty=True).status == 200, "one to be given up")


def test_what_is_left_of_earlier_sets_is_bounded(people: Machine) -> None:
    alice, pmond = people.by(ALICE), people.pmond
    path = str(people.home(ALICE) / "m.json")
    pmond.config_file.write_text(pmond.config_file.read_text().replace("processes: 5", "processes: 100"))
    pmond.signal(1)
    until(lambda: alice.submit("hers", autostart=False).status == 200, "it to be in force")
    for number in range(40):
        noise = os.urandom(20_000).hex()
        text = json.dumps({"x-noise": noise, "processes": [idle("a", args=[str(number)])]})
        body = {"documents": [{"path": path, "text": text}], "set": f"set{number}", "take_ownership": True}
        assert alice.ask("POST", "/v1/apply", body).status in (200, 409)
    assert pmond.ask("GET", "/v1/history?set=set39").status == 200
    pmond.kill()
    with sqlite3.connect(pmond.folder / "data" / "data.db") as db:
        ((kept, size),) = db.execute("SELECT count(*), sum(length(content)) FROM revisions").fetchall()
        ((sets,),) = db.execute("SELECT count(*) FROM sources WHERE path LIKE 'set%'").fetchall()
    db.close()
    assert kept and size <= 4 * 65536 and sets <= 6


def test_a_smaller_quota_takes_nothing_away_and_lets_things_be_given_up(people: Machine) -> None:
    alice, pmond = people.by(ALICE), people.pmond
    path = str(people.home(ALICE) / "m.json")
    assert alice.apply(path, *(idle(f"p{number}") for number in range(5))).status == 200
    pmond.config_file.write_text(pmond.config_file.read_text().replace("processes: 5", "processes: 2"))
    pmond.signal(1)
    until(lambda: refused(alice.submit("more"), "processes"), "it to be in force")
    assert len(names(people)) == 5
    assert alice.apply(path, *(idle(f"p{number}") for number in range(4)), prune=True).status == 200
    until(lambda: len(names(people)) == 4, "one to be gone")


@pytest.mark.parametrize("person", [CAROL, ADA], ids=lambda person: person.name)
def test_administrators_have_no_quota(people: Machine, person: Any) -> None:
    for number in range(7):
        assert people.by(person).submit(f"p{number}", autostart=False).status == 200


def test_requests_of_one_user_leave_others_theirs(people: Machine) -> None:
    following = [people.another(ALICE) for _ in range(3)]
    for one in following:
        one.begin("GET", "/v1/events?follow=1")
    until(lambda: people.by(ALICE).ask("GET", "/v1/version").status == 429, "her share to be used up")
    assert people.by(BOB).ask("GET", "/v1/version").status == 200
    assert people.pmond.ask("GET", "/v1/version").status == 200


@pytest.mark.parametrize("person", [ALICE, CAROL, ADA], ids=lambda person: person.name)
@pytest.mark.parametrize(
    "more", [{"priority": -1}, {"priority": -19}, {"limits": {"nofile": 2**40}}], ids=str
)
def test_nobody_gives_himself_what_only_root_can_give(
    people: Machine, person: Any, more: dict[str, Any]
) -> None:
    """The priority of the review, and its siblings."""
    caller, path = people.by(person), str(people.home(person) / "m.json")
    assert caller.submit("own").status == 200
    for answer in (
        caller.submit("new", **more), caller.act("restart", "own", **more),
        caller.apply(path, idle("new", **more)),
    ):  # fmt: skip
        assert refused(answer, "cannot take"), answer
    pid = people.pmond.until("own", "running")["pid"]
    assert os.getpriority(os.PRIO_PROCESS, pid) == os.getpriority(os.PRIO_PROCESS, people.pmond.pid)


def test_his_limits_are_those_that_he_asks_with(people: Machine) -> None:
    lower = people.another(ALICE, limits={resource.RLIMIT_NOFILE: (100, 100)})
    assert refused(lower.submit("new", limits={"nofile": 101}), "limits.nofile")
    assert lower.submit("new", limits={"nofile": 100}, priority=NICER).status == 200
    pid = people.pmond.until("new", "running")["pid"]
    (line,) = (one for one in Path(f"/proc/{pid}/limits").read_text().splitlines() if "open files" in one)
    assert line.split()[3:5] == ["100", "100"]
    assert os.getpriority(os.PRIO_PROCESS, pid) == NICER


def test_what_an_older_pmond_took_the_kernel_refuses_at_the_start(people: Machine) -> None:
    pmond = people.pmond
    assert people.by(ALICE).submit("own", priority=NICER).status == 200
    pid = pmond.until("own", "running")["pid"]
    pmond.kill()
    with sqlite3.connect(pmond.folder / "data" / "data.db") as db:
        ((text,),) = db.execute("SELECT data FROM processes WHERE name = 'own'").fetchall()
        row = json.loads(text)
        row["spec"]["priority"] = -19
        db.execute("UPDATE processes SET data = ? WHERE name = 'own'", [json.dumps(row)])
    db.close()
    pmond.start()
    assert os.getpriority(os.PRIO_PROCESS, pid) >= 0, "nor is it set on what runs"
    assert people.by(ALICE).act("restart", "own").status == 200
    until(lambda: "cannot start own" in pmond.row("own")["reason"], "the start to fail")


def test_an_administrator_runs_programs_as_whom_root_has_named(people: Machine) -> None:
    ada = people.by(ADA)
    assert ada.submit("site", user="www").status == 200
    people.pmond.until("site", "running")
    assert people.uids()["site"] == WEB.uid
    assert ada.act("restart", "site", args=["999"]).status == 200
    for user in ("root", "alice"):
        assert ada.submit("other", user=user).status == 403
    assert people.by(CAROL).submit("third", user="www").status == 403
    assert people.by(CAROL).act("restart", "site", args=["998"]).status == 403


@pytest.mark.parametrize(
    "restart", [{"delay": 0, "max_delay": 0}, {"stable_after": "1ms"}, {"max_delay": "0.5s"}]
)
def test_nobody_has_pmond_start_something_again_and_again_without_rest(
    people: Machine, restart: dict[str, Any]
) -> None:
    """Found later: with some tens of such processes all others waited for pmond."""
    restart = {"delay": "100ms", **restart}
    path = str(people.home(ALICE) / "m.json")
    assert refused(people.by(ALICE).submit("spins", restart=restart), "for root to give")
    assert refused(people.by(ALICE).apply(path, idle("spins", restart=restart)), "for root to give")
    assert people.by(ALICE).submit("rests", restart={**restart, "policy": "never"}).status == 200
    people.pmond.declare(idle("roots", restart=restart))
    people.pmond.ok("init")


def test_tries_of_probes_are_counted_too(people: Machine) -> None:
    """Found later: nothing bounded how often pmond has to knock somewhere."""
    often = {"tcp": "127.0.0.1:1", "interval": "1ms"}
    assert refused(people.by(ALICE).submit("knocks", live=often), "1000 tries")
    for number in range(2):
        seldom = {**often, "interval": "5ms"}
        assert people.by(ALICE).submit(f"knocks{number}", live=seldom, autostart=False).status == 200
    assert refused(people.by(ALICE).submit("knocks2", live={**often, "interval": "5ms"}), "600 tries")


def test_groups_that_outlive_processes_are_counted(people: Machine) -> None:
    """Found later: whoever named other groups each time filled the state with them."""
    alice, path = people.by(ALICE), str(people.home(ALICE) / "m.json")
    some = [f"of-hers-{number}" for number in range(1000)]
    assert alice.submit("hers", groups=some[:999], autostart=False).status == 200
    assert alice.act("delete", "hers").status == 200
    until(lambda: not names(people), "it to be gone")
    many = ["another", "one-more"]
    for answer in (
        alice.submit("again", groups=many), alice.apply(path, idle("again", groups=many)),
    ):  # fmt: skip
        assert refused(answer, "for root to make"), answer
    assert alice.submit("again", groups=["another", *some[:5]], autostart=False).status == 200
    assert people.by(ADA).submit("adas", groups=many, autostart=False).status == 200
