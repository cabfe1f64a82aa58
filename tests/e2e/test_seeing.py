"""`ls`, `desc`, `log`, `logf`, `events`, `group`: what there is to see."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.support.pmond import Pmond
from tests.support.programs import sleeper

from pmon3_schema.answers import Description
from pmon3_schema.status import ProcessStatus

pytestmark = pytest.mark.slow


def test_keys(pmond: Pmond) -> None:
    """Everything that the schema promises, and nothing misspelt."""
    pmond.ok("exec", "/bin/sleep", "--name", "a", "--", "1000")
    row = json.loads(pmond.ok("ls", "-o", "json"))[0]
    assert set(row) == set(ProcessStatus.__annotations__)
    found = json.loads(pmond.ok("desc", "a", "-o", "json"))
    assert set(Description.__required_keys__) <= set(found)
    assert row["generation"] == row["observed_generation"] == 1
    pmond.ok("stop", "a")
    row = pmond.row("a")
    assert row["generation"] == row["observed_generation"] == 2
    assert pmond.ok("ls", "-o", "name") == "a\n"
    assert "name: a" in pmond.ok("ls", "-o", "yaml")


def test_references(pmond: Pmond) -> None:
    pmond.declare(sleeper("web1", labels={"t": "w"}), sleeper("web2", groups=["g"]), sleeper("db"))
    pmond.until("db", "running")
    assert pmond.ok("ls", "web*", "-o", "name").split() == ["web1", "web2"]
    assert pmond.ok("ls", "-g", "g", "-o", "name") == "web2\n"
    assert pmond.ok("ls", "-l", "t=w", "-o", "name") == "web1\n"
    assert pmond.ok("ls", str(pmond.row("db")["id"]), "-o", "name") == "db\n"
    unknown = pmond.run("desc", "wbe1")
    assert (unknown.returncode, "did you mean web1?" in unknown.stderr) == (1, True)


def test_desc_of_what_is_stopped_and_of_what_fails(pmond: Pmond) -> None:
    pmond.run("exec", "/bin/sh", "--name", "bad", "-n", "--", "-c", "exit 3")
    text = pmond.ok("desc", "bad")
    assert "exited with code 3" in text and "not Ready" in text and "Stalled" in text
    pmond.ok("exec", "/bin/sleep", "--name", "a", "--", "1000")
    assert "Stalled" not in pmond.ok("desc", "a") and "Held" not in pmond.ok("desc", "a")
    pmond.ok("stop", "a")
    assert "Held" in pmond.ok("desc", "a")


def test_logs(pmond: Pmond) -> None:
    pmond.ok(
        "exec", "/bin/sh", "--name", "talker", "--", "-c",
        "for n in 1 2 3 4 5 6 7 8 9 10 11 12; do echo line $n; done; echo err >&2; exec sleep 1000",
    )  # fmt: skip
    assert pmond.ok("log", "talker").splitlines()[-2:] == ["line 12", "err"]
    assert len(pmond.ok("log", "talker").splitlines()) == 10
    assert pmond.ok("log", "talker", "-n", "1") == "err\n"
    assert pmond.ok("log", "talker", "-n", "+1").splitlines()[0] == "line 1"
    following = pmond.begin("logf", "talker")
    assert following.stdout is not None
    try:
        assert following.stdout.readline().startswith("line")
        with Path(pmond.row("talker")["log"]).open("a") as log:
            log.write("a new line\n")
        assert any(line == "a new line\n" for line in iter(following.stdout.readline, ""))
    finally:
        following.kill()
        following.communicate()
    assert pmond.run("log", "nope").returncode == 1


def test_output_survives_the_death_of_pmond(pmond: Pmond) -> None:
    fifo = pmond.folder / "go"
    pmond.ok("exec", "/bin/sh", "--name", "a", "--", "-c", f"mkfifo {fifo}; cat {fifo}; exec sleep 1000")
    pmond.kill()
    fifo.write_text("said while nobody listened\n")
    pmond.start()
    pmond.until("a", "running")
    assert pmond.ok("log", "a") == "said while nobody listened\n"


def test_groups(pmond: Pmond) -> None:
    pmond.declare(sleeper("a"), sleeper("b"), sleeper("c"))
    pmond.until("c", "running")
    pmond.ok("group", "create", "front")
    assert pmond.run("group", "create", "front").returncode in (1, 5)
    pmond.ok("group", "assign", "front", "a,b")
    assert [
        row["name"] for row in json.loads(pmond.ok("group", "desc", "front", "-o", "json"))["processes"]
    ] == [
        "a",
        "b",
    ]
    pmond.ok("group", "stop", "front")
    assert {name for name, row in pmond.rows().items() if row["status"] == "stopped"} == {"a", "b"}
    pmond.ok("group", "restart", "front")
    assert {row["status"] for row in pmond.rows().values()} == {"running"}
    pmond.ok("group", "remove", "front", "a")
    pmond.ok("group", "drop", "front")
    assert set(pmond.rows()) == {"a", "c"}
    pmond.ok("group", "del", "front")
    assert pmond.run("group", "desc", "front").returncode == 1
    assert "front" not in pmond.ok("group", "ls")
