"""M2, M3 and their siblings: no name and no set of somebody without rights stands in root's way."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.people import ALICE, BOB, CAROL, ROOT, Machine, machine, needs_people
from tests.support.waiting import until

pytestmark = [pytest.mark.slow, needs_people]

CONFIG = "access: {administrators: ['@pmon3ops']}\n"


def sleeper(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "file": "/bin/sleep", "args": ["1000"], **more}


@pytest.fixture
def people() -> Iterator[Machine]:
    with machine(CONFIG) as made:
        made.pmond.declare(sleeper("rootweb"))
        made.pmond.start()
        made.pmond.until("rootweb", "running")
        yield made


def hers(people: Machine, name: str = "m.json") -> str:
    return str(people.home(ALICE) / name)


def sets(people: Machine) -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in people.pmond.ask("GET", "/v1/sets").body}


def follow(people: Machine, file: Path) -> None:
    """Have pmond follow another file, as root does it."""
    pmond = people.pmond
    text = pmond.config_file.read_text().replace(str(pmond.manifest_file), str(file))
    pmond.config_file.write_text(text)
    pmond.signal(1)
    until(lambda: pmond.ask("GET", "/v1/version").body["process_config_file"] == str(file), "it to follow")


@pytest.mark.parametrize("name", ["cli", "file:/srv/other.yaml", "a\u202eb", "x" * 5000])
def test_some_names_are_nobodys_to_take(people: Machine, name: str) -> None:
    answer = people.by(ALICE).apply(hers(people), sleeper("new"), set=name)
    assert answer.status in (403, 422), answer
    assert list(people.pmond.rows()) == ["rootweb"]


def test_nobody_makes_a_set_of_a_file_that_he_could_not_write(people: Machine) -> None:
    """M2; whether the file is there he does not learn by that."""
    closed = people.pmond.folder / "closed"
    closed.mkdir(mode=0o700)
    (closed / "there.yaml").touch(mode=0o666)
    (people.home(ALICE) / "link").symlink_to(closed)
    (people.home(ALICE) / "file").symlink_to("/etc/passwd")
    bobs = people.home(BOB)
    for path in (
        people.pmond.folder / "new.yaml", closed / "there.yaml", closed / "missing.yaml", "/etc/passwd",
        people.home(ALICE) / "link" / "there.yaml", people.home(ALICE) / "file", bobs / "m",
        "/nowhere/at/all.yaml",
    ):  # fmt: skip
        answer = people.by(ALICE).apply(str(path), sleeper("new"))
        assert answer.status == 403 and "alice may not write that file" in str(answer.body), path
        named = people.by(ALICE).apply(hers(people), sleeper("new"), set=f"file:{path}")
        assert named.status == 403
    assert people.by(ALICE).apply(hers(people), sleeper("new")).status == 200
    assert people.by(ALICE).apply("/tmp/such-a-file-is-not-there.yaml", sleeper("other")).status == 200


def test_a_set_that_pmond_follows_is_roots_whoever_made_it(people: Machine) -> None:
    """M2: she could write the file once."""
    alice, pmond = people.by(ALICE), people.pmond
    path = people.home(ALICE) / "new.yaml"
    assert alice.apply(str(path), *(sleeper(f"hers{n}") for n in range(5))).status == 200
    assert alice.ask("POST", "/v1/suspend", {"set": f"file:{path}"}).status == 200
    before = {name: pmond.until(name, "running")["pid"] for name in (f"hers{n}" for n in range(5))}
    path.write_text(json.dumps({"processes": [sleeper("rootweb"), sleeper("rootother"), sleeper("hers0")]}))
    follow(people, path)
    pmond.until("rootother", "running", user="root", owner=f"file:{path}")
    assert sets(people)[f"file:{path}"]["suspended"] is None
    assert alice.ask("POST", "/v1/suspend", {"set": f"file:{path}"}).status == 403
    assert alice.apply(str(path), sleeper("hers1")).status == 403
    path.write_text(json.dumps({"processes": [sleeper("rootother"), sleeper("edited")]}))
    pmond.until("edited", "running", user="root")
    rows = pmond.rows()
    assert {name: rows[name]["pid"] for name in before if name != "hers0"} == {
        name: pid for name, pid in before.items() if name != "hers0"
    }, "what she runs goes on, without the set"
    assert rows["hers0~alice"]["pid"] == before["hers0"]
    assert "hers0" not in rows and {rows[name]["owner"] for name in rows if "hers" in name} == {"cli"}


@pytest.mark.parametrize("door", ["followed", "applied"])
@pytest.mark.parametrize("by", ["set", "command", "deleting"])
def test_a_name_that_root_declares_is_roots(people: Machine, door: str, by: str) -> None:
    """M3: the other goes on under another name, with its pid, and what needs it needs it there."""
    alice, pmond = people.by(ALICE), people.pmond
    stubborn = {
        "file": "/bin/sh",
        "args": ["-c", "trap : TERM; while :; do sleep 0.1; done"],
        "stop": {"timeout": "1h"},
    }
    if by == "command":
        assert alice.submit("postgres").status == 200
    else:
        spec = sleeper("postgres") if by == "set" else {**sleeper("postgres"), **stubborn}
        assert alice.apply(hers(people), spec, set="al").status == 200
    assert alice.submit("client", dependencies=["postgres"]).status == 200
    before = pmond.until("postgres", "running")
    if by == "deleting":
        assert alice.act("delete", "postgres").status == 200
    declared = [sleeper("rootweb"), sleeper("postgres"), sleeper("rootother", dependencies=["postgres"])]
    if door == "followed":
        pmond.declare(*declared)
    else:
        file = pmond.folder / "root.json"
        file.write_text(json.dumps({"processes": declared[1:]}))
        assert "goes on as postgres~alice" in pmond.run("plan", "-f", str(file)).stdout
        pmond.ok("apply", "-f", str(file))
    pmond.until("rootother", "running", user="root")
    assert pmond.until("postgres", "running", user="root")["pid"] != before["pid"]
    other = pmond.row("postgres~alice")
    assert (other["pid"], other["user"], other["id"]) == (before["pid"], "alice", before["id"])
    assert pmond.row("client")["dependencies"] == ["postgres~alice"]
    assert "NameTaken" in pmond.reasons("postgres~alice")
    assert Path(other["log"]).stat().st_uid == ALICE.uid
    assert Path(pmond.row("postgres")["log"]).stat().st_uid == 0
    assert alice.act("stop", "postgres").status == 403
    if by != "deleting":
        assert alice.act("restart", "postgres~alice").status == 200
    pmond.kill()
    pmond.start()
    assert pmond.until("postgres", "running")["user"] == "root"
    assert people.uids() | {"postgres~alice": ALICE.uid} == {
        "rootweb": 0, "rootother": 0, "postgres": 0, "client": ALICE.uid, "postgres~alice": ALICE.uid,
    }  # fmt: skip


def test_the_new_name_cannot_be_taken_beforehand(people: Machine) -> None:
    for name in ("postgres", "postgres~alice"):
        assert people.by(ALICE).submit(name).status == 200
    assert people.by(BOB).submit("postgres~alice~2").status == 200
    people.pmond.declare(sleeper("postgres"))
    people.pmond.until("postgres~alice~3", "running", user="alice")
    people.pmond.until("postgres", "running", user="root")


def test_what_its_user_submitted_root_takes_over_for_the_same_user_as_it_runs(people: Machine) -> None:
    assert people.by(ALICE).submit("web").status == 200
    before = people.pmond.until("web", "running")
    people.pmond.declare(sleeper("rootweb"), sleeper("web", user="alice"))
    after = people.pmond.until("web", "running", owner=f"file:{people.pmond.manifest_file}")
    assert after["pid"] == before["pid"]


def test_root_renames_nothing_of_others(people: Machine) -> None:
    """Else her program would run on under the name of a service of root."""
    assert people.by(ALICE).submit("evil").status == 200
    pid = people.pmond.until("evil", "running")["pid"]
    people.pmond.declare(sleeper("rootweb"), sleeper("backup", renamed_from="evil"))
    assert people.pmond.until("backup", "running", user="root")["pid"] != pid
    assert people.pmond.row("evil")["pid"] == pid


@pytest.mark.parametrize("person", [ALICE, CAROL], ids=lambda person: person.name)
def test_what_root_declares_for_a_user_he_does_not_take_out_of_roots_set(
    people: Machine, person: Any
) -> None:
    """M3: a service that was broken into is not to have root's manifest refused from then on."""
    declared = sleeper("svc", user=person.name)
    people.pmond.declare(sleeper("rootweb"), declared)
    people.pmond.until("svc", "running")
    path = str(people.home(person) / "m.json")
    taken = people.by(person).apply(path, declared, take_ownership=True)
    assert taken.status == (403 if person is ALICE else 200)
    people.by(person).ask("POST", "/v1/release", {"refs": ["svc"]})
    people.by(person).apply(path, declared, take_ownership=True)
    people.pmond.declare(sleeper("rootweb"), declared, sleeper("rootnew"))
    people.pmond.until("rootnew", "running")
    assert people.pmond.until("svc", "running")["owner"] == f"file:{people.pmond.manifest_file}"


@pytest.mark.parametrize("chosen", [{"vars": {"BIN": "/bin/true"}}, {"use": ["evil"]}], ids=str)
def test_what_others_choose_says_nothing_about_what_root_declares(
    people: Machine, chosen: dict[str, Any]
) -> None:
    """C2, another door: variables of a set are asked for again whenever it is read."""
    pmond = people.pmond
    text = json.dumps({
        "variables": {"BIN": "/bin/sleep"}, "profiles": {"evil": {"processes": {"rootweb": {"args": ["9"]}}}},
        "processes": [{"name": "rootweb", "file": "${BIN}", "args": ["1000"]}],
    })  # fmt: skip
    pmond.write(text)
    until(
        lambda: sets(people)[f"file:{pmond.manifest_file}"]["version"] > 1 or pmond.reasons(), "it to be read"
    )
    for person in (ALICE, CAROL):
        documents = [
            {"path": str(pmond.manifest_file), "text": json.dumps({"processes": [sleeper("own")]})},
            {"path": "<options>", "text": json.dumps(chosen)},
        ]
        for target in ("/v1/apply", "/v1/plan"):
            assert people.by(person).ask("POST", target, {"documents": documents}).status in (403, 422)
    pmond.write(text + "\n")
    assert pmond.ask("POST", "/v1/reconcile", {}).status == 200
    assert (pmond.row("rootweb")["file"], pmond.row("rootweb")["args"]) == ("/bin/sleep", ["1000"])


@pytest.mark.parametrize("by_hand", [True, False])
def test_what_goes_back_into_force_runs_as_who_said_it(people: Machine, by_hand: bool) -> None:
    """C2, another door: a revision of hers says no user, and root goes back to it."""
    pmond = people.pmond
    assert people.by(ALICE).apply(hers(people), sleeper("evil"), set="prod").status == 200
    pmond.until("evil", "running", user="alice")
    assert people.by(ALICE).apply(hers(people), sleeper("evil", args=["999"]), set="prod").status == 200
    until(lambda: "RolloutEnded" in pmond.reasons(), "it to be the last that was rolled out whole")
    file = pmond.folder / "prod.json"
    if by_hand:
        file.write_text(json.dumps({"processes": [sleeper("good")]}))
        pmond.ok("apply", "-f", str(file), "--set", "prod")
        assert people.by(ALICE).apply(hers(people), sleeper("evil"), set="prod").status == 403
        assert people.by(ALICE).ask("POST", "/v1/rollback", {"set": "prod"}).status == 403
        pmond.ok("rollback", "--set", "prod", "--no-wait")
    else:
        broken = {"name": "good", "file": "/bin/false", "restart": {"policy": "never"}}
        file.write_text(json.dumps({"processes": [broken, sleeper("after", dependencies=["good"])]}))
        pmond.run("apply", "-f", str(file), "--set", "prod", "--on-failure", "rollback", "--no-wait")
    until(lambda: sets(people)["prod"]["suspended"] is not None, "the way back")
    until(lambda: "evil" in people.uids(), "it to run")
    assert people.uids()["evil"] == ALICE.uid
    assert ROOT.uid not in {uid for name, uid in people.uids().items() if name != "rootweb"}


def test_a_rollout_of_hers_lets_nothing_of_roots_go(people: Machine) -> None:
    """It is under way, and one of the names in it is root's by now."""
    pmond, gate = people.pmond, people.home(ALICE) / "gate"
    first = sleeper("first", ready={"exec": ["test", "-e", str(gate)], "interval": "100ms", "deadline": "1h"})
    last = sleeper("last", dependencies=["first"])
    gate.touch()
    assert people.by(ALICE).apply(hers(people), first, last, set="al").status == 200
    pmond.until("last", "running")
    gate.unlink()
    again = [{**one, "args": ["999"]} for one in (first, last)]
    assert people.by(ALICE).apply(hers(people), *again, set="al").status == 200
    pmond.declare(sleeper("rootweb"), sleeper("last"))
    pid = pmond.until("last", "running", user="root")["pid"]
    pmond.declare(sleeper("rootweb"), sleeper("last", args=["5000"]))  # waits for a restart by root
    pmond.until("last", "running", args=["5000"])
    gate.touch()
    until(lambda: "RolloutEnded" in pmond.reasons(), "her rollout to end")
    assert pmond.row("last")["pid"] == pid and pmond.reasons("last").count("Started") == 2
