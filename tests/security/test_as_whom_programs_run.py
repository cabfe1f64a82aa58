"""C1, C2, C2b, H1, H2, H5, L7: nobody has a program run as somebody else, whatever door it comes through."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.people import (
    ALICE,
    BOB,
    CAROL,
    DIGITS,
    OPS,
    ROOT,
    WEB,
    Machine,
    Person,
    machine,
    needs_people,
)
from tests.support.waiting import until

pytestmark = [pytest.mark.slow, needs_people]

CONFIG = "access: {administrators: ['@pmon3ops']}\n"
SHELL: dict[str, Any] = {"file": "/bin/sh", "args": ["-c", "id -u; exec sleep 1000"]}


def with_processes() -> Iterator[Machine]:
    """A pmond whose manifest has a service of root and one that runs as www; alice and bob run one each."""
    with machine(CONFIG) as made:
        made.pmond.declare(
            {"name": "rootweb", "file": "/bin/sleep", "args": ["1000"]},
            {"name": "site", "file": "/bin/sleep", "args": ["1000"], "user": "www"},
        )
        made.pmond.start()
        assert made.by(ALICE).submit("hers").status == made.by(BOB).submit("his").status == 200
        for name in ("rootweb", "site", "hers", "his"):
            made.pmond.until(name, "running")
        yield made


@pytest.fixture
def people() -> Iterator[Machine]:
    """For a test that changes something."""
    yield from with_processes()


@pytest.fixture(scope="module")
def guarded() -> Iterator[Machine]:
    """For all those after which everything is as before."""
    yield from with_processes()


def as_before(people: Machine) -> None:
    """Each process still runs as whom it ran, and what it ran."""
    assert people.uids() == {
        "rootweb": ROOT.uid, "site": WEB.uid, "hers": ALICE.uid, "his": BOB.uid,
    }  # fmt: skip
    assert {row["file"] for row in people.pmond.rows().values()} == {"/bin/sleep"}


@pytest.mark.parametrize("verb", ["restart", "start"])
@pytest.mark.parametrize("user", ["", "alice"])
def test_an_empty_user_is_the_caller(people: Machine, verb: str, user: str) -> None:
    """C1: it stood for the caller when it was checked, and for root when the program was started."""
    assert people.by(ALICE).act(verb, "hers", user=user, **SHELL).status == 200
    people.pmond.until("hers", "running", file="/bin/sh")
    assert people.uids()["hers"] == ALICE.uid
    until(lambda: people.pmond.ok("log", "hers").split() == [str(ALICE.uid)], "it to say who it is")
    assert people.pmond.row("hers")["user"] == "alice"


def test_programs_of_others_get_nothing_of_pmonds_environment(people: Machine) -> None:
    """H2: what root's pmond was started with could be read by any program that it ran."""
    machines = {"PATH", "LANG", "TZ"}
    own = {"HOME", "USER", "LOGNAME", "SHELL", "PMON3_INSTANCE", "PMON3_REVISION"}
    for name in ("hers", "site"):
        pid = people.pmond.row(name)["pid"]
        variables = Path(f"/proc/{pid}/environ").read_bytes().decode().rstrip("\0").split("\0")
        names = {each.partition("=")[0] for each in variables}
        assert own <= names <= own | machines | {each for each in names if each.startswith("LC_")}
    pid = people.pmond.row("rootweb")["pid"]
    assert b"XDG_STATE_HOME=" in Path(f"/proc/{pid}/environ").read_bytes(), "root's own inherits"


@pytest.mark.parametrize(
    "user", ["root", "0", "00", "+0", " root", "4294967296", "-1", "\u0660", "www", "bob"]
)
def test_another_user_is_refused_by_every_door(guarded: Machine, user: str) -> None:
    alice = guarded.by(ALICE)
    entry = {"name": "new", **SHELL, "user": user}
    path = str(guarded.home(ALICE) / "m.json")
    answers = [
        alice.submit("new", user=user, **SHELL), alice.act("restart", "hers", user=user),
        alice.act("start", "hers", user=user, **SHELL), alice.apply(path, entry),
        alice.apply(path, {**entry, "renamed_from": "hers"}), alice.submit("hers", replace=True, user=user),
    ]  # fmt: skip
    assert {answer.status for answer in answers} <= {403, 422}, answers
    as_before(guarded)


@pytest.mark.parametrize("verb", ["restart", "start"])
@pytest.mark.parametrize(
    "changes",
    [
        SHELL, {"user": "", **SHELL}, {"user": "carol", **SHELL}, {"args": ["999"]},
        {"env_vars": {"LD_PRELOAD": "/x"}}, {"log": "/tmp/any"}, {"cwd": "/tmp"},
        {"watch": {"paths": ["/etc"]}}, {"stop": {"timeout": "1h"}},
        {"reload": {"command": ["/bin/sh"]}}, {"ready": {"exec": ["/bin/sh"]}}, {"live": {"exec": "id"}},
        {"limits": {"nofile": 5}}, {"priority": 19}, {"autostart": False}, {"dependencies": []},
        {"env_file": ["/x"]},
    ],
    ids=str,
)  # fmt: skip
def test_the_control_group_changes_nothing_of_what_others_run(
    guarded: Machine, verb: str, changes: dict[str, Any]
) -> None:
    """C2."""
    for name in ("rootweb", "site", "his"):
        answer = guarded.by(CAROL).act(verb, name, **changes)
        assert answer.status == 403, answer
    as_before(guarded)


def test_but_operates_it(people: Machine) -> None:
    """H1: carol is in the group by a supplementary membership, one of many."""
    before = people.pmond.row("rootweb")["pid"]
    assert people.by(CAROL).act("restart", "rootweb").status == 200
    people.pmond.until("rootweb", "running")
    until(lambda: people.pmond.row("rootweb")["pid"] not in (0, before), "it to be another instance")
    as_before(people)


@pytest.mark.parametrize("others", [0, 31, 300])
def test_however_many_groups_she_is_in(people: Machine, others: int) -> None:
    """H1: beyond 256 groups the kernel does not answer what Python can ask, and the database is asked."""
    many = Person("carol", CAROL.uid, (*range(50000, 50000 + others), OPS))
    assert people.by(many).act("stop", "his").status == 200
    assert (
        people.by(Person("bob", BOB.uid, tuple(range(50000, 50000 + others)))).act("stop", "hers").status
        == 403
    )


@pytest.mark.parametrize("person", [ALICE, CAROL], ids=lambda person: person.name)
@pytest.mark.parametrize(
    "options", [{}, {"take_ownership": True}, {"prune": True, "allow_empty": True}], ids=str
)
def test_no_manifest_of_theirs_takes_a_process_over(
    guarded: Machine, person: Person, options: dict[str, Any]
) -> None:
    """C2b."""
    path, mine = str(guarded.home(person) / "m.json"), f"of-{person.name}"
    for target in ("rootweb", "site", "his"):
        same = {"name": target, "file": "/bin/sleep", "args": ["1000"]}
        for entry in (
            same, {"name": target, **SHELL}, {**same, "user": guarded.pmond.row(target)["user"]},
            {"name": mine, **SHELL, "renamed_from": target},
            {**same, "name": mine, "user": guarded.pmond.row(target)["user"], "renamed_from": target},
        ):  # fmt: skip
            answer = guarded.by(person).apply(path, entry, **options)
            assert answer.status in (403, 409) or entry.get("renamed_from"), answer
            if answer.status == 200:
                guarded.pmond.until(mine, "running", user=person.name)
                assert guarded.uids()[mine] == person.uid
            guarded.by(person).act("delete", mine)
            until(lambda: mine not in guarded.pmond.rows(), "it to be gone")
            as_before(guarded)
    assert {row["owner"] for row in guarded.pmond.rows().values()} <= {
        "cli",
        f"file:{guarded.pmond.manifest_file}",
    }
    as_before(guarded)


def test_an_account_of_digits_is_the_account(people: Machine) -> None:
    """H5: its name is bob's number."""
    assert people.by(DIGITS).submit("digits").status == 200
    people.pmond.until("digits", "running")
    assert people.uids()["digits"] == DIGITS.uid
    assert people.by(BOB).submit("bobs", user="42502").status == 403
    assert people.by(BOB).submit("bobs").status == 200
    people.pmond.until("bobs", "running")
    assert people.uids()["bobs"] == BOB.uid
    people.pmond.declare({"name": "declared", "file": "/bin/sleep", "args": ["1000"], "user": "42502"})
    people.pmond.until("declared", "running")
    assert people.uids()["declared"] == DIGITS.uid
    assert people.by(BOB).act("stop", "declared").status == 403
    assert people.by(DIGITS).act("stop", "declared").status == 200


def test_the_owner_of_a_pmond_is_told_whose_it_is() -> None:
    """L7: root asks alice's own pmond."""
    from pmond.runtime.access.authority import Authority
    from pmond.runtime.access.principal import Principal

    with pytest.raises(Exception, match="this pmond is that of nobody, and runs programs as nobody only"):
        Authority(65534).check_submit(Principal(1, 0, 0), "z", "root")
