"""Waves, whose turn it is, and how long a process may take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from msgspec.structs import replace
from tests.support.factories import spec

from pmon3_schema.process import ProcessSpec
from pmon3_schema.status import Status
from pmond.core.compare import compare
from pmond.core.intent import existing, held
from pmond.core.model import NOTHING_SEEN, Ending, History, Hold, Instance, Intent, Phase, State
from pmond.core.pace import Pace, Stage, look, overdue_at, progress_of, stage_of
from pmond.core.report import Report
from pmond.core.rollout import (
    Advance,
    Progress,
    Rollout,
    RolloutOptions,
    advance,
    from_json,
    rollout_of,
    to_json,
)
from pmond.core.step import START, CompareOptions

NOW = 100.0
OWNER = CompareOptions("file:/p")


def rolled_out(*specs: ProcessSpec, needs: Mapping[str, Sequence[str]], **options: Any) -> Rollout:
    """The rollout that starts these, whatever else is declared."""
    found = rollout_of(compare(specs, {}, OWNER), needs, RolloutOptions(on_failure="continue", **options))
    assert found is not None
    return found


def intent(**fields: Any) -> Intent:
    return Intent(spec("web", **fields), "r", token=2)


def running(phase: Phase = Phase.RUNNING, token: int = 2, **fields: Any) -> State:
    return State(Instance(1, 10, "r", token, started_at=NOW, phase=phase, **fields))


def ended(ending: Ending, token: int = 2, error: str = "", revision: str = "r") -> State:
    return State(history=History(number=1, token=token, revision=revision, ending=ending, error=error))


READY, NOT_YET = Report(Status.RUNNING, "", True, None), Report(Status.INIT, "started", False, None)


def test_order_is_kept_through_what_takes_no_part() -> None:
    """d needs c, which is there already and needs b, which is new."""
    needs = {"d": ("c",), "c": ("b",), "b": ("a",)}
    found = rolled_out(spec("d"), spec("b"), spec("a"), needs=needs)
    assert found.waves == (("a",), ("b",), ("d",))
    held = dict.fromkeys("abd", Progress.HELD)
    assert advance(found, {**held, "a": Progress.FAILED}, True) == Advance(
        outcome="failed", failed=("a",), skipped=("b", "d")
    ), "what needs the failed one through another is not let go either"


def test_ten_at_once_by_default_and_each_wave_by_itself() -> None:
    restarts = frozenset(f"p{number}" for number in range(30))
    found = Rollout((), (tuple(sorted(restarts)), ("last",)), {}, restarts | {"last"})
    progress = dict.fromkeys((*restarts, "last"), Progress.HELD)
    first = advance(found, progress, True).release
    assert len(first) == 10 and "last" not in first
    progress |= dict.fromkeys(first[:3], Progress.READY) | dict.fromkeys(first[3:], Progress.MOVING)
    assert len(advance(found, progress, True).release) == 3


def test_the_outcome_names_what_failed_and_what_was_not_reached() -> None:
    found = Rollout((), (("a", "b"), ("c",)), {}, frozenset("abc"), on_failure="rollback")
    progress = {"a": Progress.FAILED, "b": Progress.MOVING, "c": Progress.HELD}
    assert advance(found, progress, True) == Advance(), "what is on its way gets there first"
    progress["b"] = Progress.READY
    assert advance(found, progress, True) == Advance((), "rollback", ("a",), ("c",))


@pytest.mark.parametrize(
    ("state", "where"),
    [
        (running(token=1), Progress.MOVING),
        (running(Phase.STARTING), Progress.MOVING),
        (NOTHING_SEEN, Progress.MOVING),
        (ended(Ending.ITSELF), Progress.FAILED),
        (ended(Ending.UNREADY), Progress.FAILED),
        (ended(Ending.UNHEALTHY), Progress.FAILED),
        (ended(Ending.SUPERSEDED), Progress.MOVING),
        (ended(Ending.ITSELF, token=1), Progress.MOVING),
        (ended(Ending.ITSELF, revision="earlier"), Progress.MOVING),
        (ended(Ending.SUPERSEDED, error="no such file"), Progress.FAILED),
    ],
)
def test_where_a_process_is_follows_from_its_state(state: State, where: Progress) -> None:
    assert progress_of(intent(), state, NOT_YET) is where


def test_what_is_held_back_or_need_not_run_is_no_failure() -> None:
    assert progress_of(intent(), running(), READY) is Progress.READY
    assert progress_of(replace(intent(), staged=True), NOTHING_SEEN, NOT_YET) is Progress.HELD
    assert progress_of(replace(intent(), deferred=True), running(), READY) is Progress.HELD
    assert progress_of(intent(autostart=False), NOTHING_SEEN, NOT_YET) is Progress.READY


def test_one_that_waits_for_what_failed_for_good_has_failed_too_and_at_once() -> None:
    blocked = Report(Status.WAITING, "waits for db, which failed", False, None, blocker="db")
    assert progress_of(intent(), NOTHING_SEEN, blocked) is Progress.FAILED
    assert progress_of(intent(), running(token=1), NOT_YET) is Progress.MOVING


def test_the_time_limit_is_one_of_progress_and_begins_anew_with_each_stage() -> None:
    stages = [stage_of(intent(), state) for state in (running(token=1), NOTHING_SEEN, running(token=2))]
    assert stages == [Stage.ENDING, Stage.ENDING, Stage.STARTED]
    assert overdue_at(intent(), NOTHING_SEEN, NOW, 60.0) == 160.0
    assert overdue_at(intent(), running(), NOW, 5.0) == 105.0


def test_the_grace_of_a_stop_and_the_time_to_get_ready_do_not_count() -> None:
    stopping = running(Phase.STOPPING, token=1, kill_at=NOW + 90)
    assert overdue_at(intent(), stopping, NOW, 60.0) == NOW + 150
    probed = intent(ready={"exec": ["/bin/true"], "deadline": "5m"})
    assert overdue_at(probed, running(Phase.STARTING), NOW, 60.0) == NOW + 360
    extended = running(Phase.STARTING, extended_until=NOW + 1000)
    assert overdue_at(probed, extended, NOW, 60.0) == NOW + 1060


def test_what_gets_further_is_given_time_anew_and_what_does_not_has_failed() -> None:
    def seen_at(now: float, state: State, before: Pace | None) -> Pace:
        return look(before, intent(), state, NOT_YET, now, 60.0)

    ending = seen_at(NOW, running(token=1), None)
    assert ending == Pace(Progress.MOVING, Stage.ENDING, NOW, NOW + 60)
    assert seen_at(NOW + 59, running(token=1), ending) == ending
    assert seen_at(NOW + 60, running(token=1), ending).progress is Progress.FAILED
    started = seen_at(NOW + 59, running(), ending)
    assert started == Pace(Progress.MOVING, Stage.STARTED, NOW + 59, NOW + 119)
    late = seen_at(NOW + 119, running(), started)
    assert (late.progress, late.since) == (Progress.FAILED, NOW + 59)
    assert seen_at(NOW + 200, running(), late).progress is Progress.FAILED, (
        "being late does not pass by itself"
    )
    assert look(late, intent(), running(), READY, NOW + 200, 60.0) == Pace(Progress.READY), "better late"
    again = seen_at(NOW + 300, running(token=1), Pace(Progress.HELD))
    assert again.since == NOW + 300, "its next turn begins when it comes"


def test_what_a_rollout_holds_back_that_goes_on_is_no_difference() -> None:
    waiting = {"web": Intent(spec("web"), owner="file:/p", staged=True)}
    assert compare([spec("web")], existing(waiting, {}, awaited={"web"}), OWNER).steps == ()


def test_what_a_person_stops_waits_for_no_turn() -> None:
    down = Hold(up=False, by="ana", at="2025-03-04T05:06:07Z")
    after = held(Intent(spec("web"), staged=True, generation=3), down)
    assert (after.staged, after.hold, after.generation) == (False, down, 4)


def test_it_is_kept_as_it_is_and_read_from_what_an_older_pmond_kept() -> None:
    found = rolled_out(spec("b"), spec("a"), needs={"b": ("a",)}, patience=7.0, parallel=3)
    assert from_json(to_json(found)) == found
    older = {key: value for key, value in to_json(found).items() if key != "patience"}
    assert from_json(older).patience == 60.0


def test_what_a_rollout_never_let_go_is_a_difference_until_it_is_started() -> None:
    left = {"web": Intent(spec("web"), owner="file:/p", staged=True)}
    found = compare([spec("web")], existing(left, {}), OWNER)
    assert [(step.action, step.effect) for step in found.steps] == [(START, "start")]
    started = existing({"web": replace(left["web"], staged=False)}, {})
    assert compare([spec("web")], started, OWNER).steps == ()


def test_what_has_failed_is_tried_anew_in_its_turn_when_its_spec_changes() -> None:
    failed = existing({"web": Intent(spec("web"), owner="file:/p")}, {})
    (step,) = compare([spec("web", args="new")], failed, OWNER).steps
    assert (step.action, step.causes) == (START, ("/args/0 changed", "it does not run"))
    (step,) = compare([spec("web", description="new")], failed, OWNER).steps
    assert step.action == "update"
