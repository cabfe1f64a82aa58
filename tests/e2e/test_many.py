"""Many processes, many callers."""

from __future__ import annotations

import json

import pytest
from tests.support.pmond import Pmond
from tests.support.programs import sleeper
from tests.support.waiting import until

pytestmark = pytest.mark.slow


def test_three_hundred_at_once(pmond: Pmond) -> None:
    pmond.write(json.dumps({"processes": [sleeper(f"p{number:03}") for number in range(300)]}))
    until(
        lambda: [row["status"] for row in pmond.rows().values()] == ["running"] * 300,
        "all to run",
        timeout=60,
    )
    pids = {row["pid"] for row in pmond.rows().values()}
    assert len(pids) == 300
    listed = pmond.ok("ls")
    assert all(f"p{number:03}" in listed for number in range(300))
    assert "\x1b" not in listed
    assert len(json.loads(pmond.ok("ls", "-o", "json"))) == 300
    assert pmond.ok("ls", "p29?", "-o", "name").split() == [f"p{number}" for number in range(290, 300)]
    pmond.ok("stop", "*")
    assert [pid for pid in pmond.survivors() if pid != pmond.pid] == []
    pmond.ok("del", "*")
    assert pmond.rows() == {}
    pmond.ok("down")


def test_four_command_lines_in_parallel(pmond: Pmond) -> None:
    running = [pmond.begin("exec", "/bin/sleep", "--name", f"p{n}", "--", "1000") for n in range(4)]
    assert [one.wait(60) for one in running] == [0] * 4
    verbs = [("restart", "*"), ("stop", "p1"), ("restart", "p1", "p2"), ("ls",)]
    mixed = [pmond.begin(*words) for words in verbs]
    codes = [one.wait(60) for one in mixed]
    # Whoever stops what another one starts may keep that one from its goal; nobody fails otherwise.
    assert set(codes) <= {0, 7} and codes[-1] == 0, [one.communicate() for one in mixed]
    for one in (*running, *mixed):
        one.communicate()
    until(lambda: len(pmond.survivors()) - 1 == sum(r["pid"] > 0 for r in pmond.rows().values()), "one each")


def test_the_same_name_from_four(pmond: Pmond) -> None:
    racing = [pmond.begin("exec", "/bin/sleep", "--name", "a", "--", "1000") for _ in range(4)]
    codes = sorted(one.wait(60) for one in racing)
    for one in racing:
        one.communicate()
    assert codes == [0, 5, 5, 5]
    assert len(pmond.survivors()) == 2


def test_a_reader_that_goes_away(pmond: Pmond) -> None:
    pmond.declare(*(sleeper(f"p{number}") for number in range(30)))
    pmond.until("p29", "running")
    reading = pmond.begin("events", "-w")
    assert reading.stdout is not None
    reading.stdout.readline()
    reading.stdout.close()
    pmond.ok("restart", "p1")
    until(lambda: reading.poll() is not None, "it to end")
    assert "Traceback" not in (reading.stderr.read() if reading.stderr else "")
    reading.communicate() if reading.stderr is None else reading.stderr.close()
    assert pmond.row("p1")["status"] == "running"
