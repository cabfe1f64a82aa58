"""Waiting for a set: what its conditions come to, alone and beside those of its processes."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from pmon3_schema.goals import WaitCondition, parse
from pmond.runtime.intent.set_conditions import set_status
from pmond.runtime.state.records import SourceRecord
from pmond.runtime.views.wait_conditions import Headway, Verdict, judge_set, outcome_of

MET, FAILED, OPEN = Verdict(met=True), Verdict(failed=True), Verdict()
RECORD = SourceRecord("/a", "file:/a", "", b"", True, [], "", 1)
WRONG = SourceRecord("/a", "file:/a", "", b"", False, [], "", 1, reason="Conflict", message="why")
GONE = SourceRecord("/a", "file:/a", "", b"", True, [], "", 1, reason="SourceMissing", message="where")


@pytest.mark.parametrize(
    ("until", "processes", "whole", "outcome"),
    [
        ("condition=Accepted", [], MET, "met"),
        ("condition=Accepted", [], FAILED, "failed"),
        ("condition=Accepted,ready", [MET, OPEN], MET, None),
        ("condition=Accepted,ready", [MET, MET], MET, "met"),
        ("condition=Accepted,ready", [MET, OPEN], FAILED, "failed"),
        ("condition=Accepted,ready", [MET, FAILED], OPEN, "failed"),
        ("condition=Accepted|ready", [MET, OPEN], MET, "met"),
        ("condition=Accepted|ready", [MET, MET], OPEN, "met"),
        ("condition=Accepted|ready", [FAILED, MET], OPEN, None),
        ("condition=Accepted|ready", [FAILED, MET], FAILED, "failed"),
        ("ready", [FAILED, OPEN], None, None),
        ("ready", [FAILED, MET], None, "failed"),
    ],
)
def test_the_set_is_one_part_of_the_goal_and_its_processes_the_other(
    until: str, processes: list[Verdict], whole: Verdict | None, outcome: str
) -> None:
    assert outcome_of(parse(until, of_set=True), processes, whole) == outcome


@pytest.mark.parametrize(
    ("record", "type", "status", "outdated", "verdict"),
    [
        (RECORD, "Accepted", "True", (), (True, False)),
        (RECORD, "Accepted", "False", (), (False, False)),
        (WRONG, "Accepted", "True", (), (False, True)),
        (WRONG, "Accepted", "False", (), (True, False)),
        (WRONG, "Synced", "True", (), (False, True)),
        (GONE, "Accepted", "Unknown", (), (True, False)),
        (GONE, "Accepted", "True", (), (False, False)),
        (RECORD, "Synced", "True", ("web",), (False, True)),
        (RECORD, "Accepted", "True", ("web",), (True, False)),
        (RECORD, "Followed", "False", (), (False, False)),
    ],
)
def test_what_only_a_person_can_mend_is_out_of_reach(
    record: SourceRecord, type: str, status: str, outdated: tuple[str, ...], verdict: tuple[bool, bool]
) -> None:
    one = set_status(record, "file:/a", ["web"], outdated, False)
    found = judge_set(one, WaitCondition("condition", type=type, status=status, of_set=True))
    assert (found.met, found.failed) == verdict


def test_what_somebody_deleted_keeps_a_set_from_being_in_sync_until_it_is_there_again() -> None:
    record = replace(RECORD, taken_out=["web"])
    synced = WaitCondition("condition", type="Synced", status="True", of_set=True)
    gone = judge_set(set_status(record, "file:/a", ["db"], (), False), synced)
    assert (gone.met, gone.failed) == (False, True)
    assert "web" in gone.reason and "read again" in gone.reason
    assert judge_set(set_status(record, "file:/a", ["db", "web"], (), False), synced).met


@pytest.mark.parametrize(("rolled_out", "settling"), [(True, ()), (False, ("web",)), (False, ())])
def test_a_set_is_under_way_while_it_is_rolled_out_or_something_of_it_is(
    rolled_out: bool, settling: tuple[str, ...]
) -> None:
    one = set_status(RECORD, "file:/a", ["web"], (), rolled_out, lambda: settling)
    progressing = WaitCondition("condition", type="Progressing", status="True", of_set=True)
    assert judge_set(one, progressing).met == (rolled_out or bool(settling))


def test_of_a_source_that_nobody_reads_no_verdict_is_left() -> None:
    one = set_status(WRONG, "file:/b", ["web"], (), False)
    assert judge_set(one, WaitCondition("condition", type="Accepted", of_set=True)).met
    gone = set_status(WRONG, "file:/b", [], (), False)
    assert judge_set(gone, WaitCondition("condition", type="Accepted", of_set=True)).failed


def test_getting_further_is_what_nobody_has_seen_before() -> None:
    headway = Headway()
    assert not headway.made({"web": Verdict(steps=0)})
    assert headway.made({"web": Verdict(steps=3), "db": Verdict(steps=0)})
    assert not headway.made({"web": Verdict(steps=2)}), "back is not further"
    assert not headway.made({"web": Verdict(steps=3)}), "and to and fro neither"
    assert headway.made({"db": Verdict(steps=1)})
