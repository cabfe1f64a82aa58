"""What a wait makes of one process: met, out of reach, or neither yet."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace
from tests.support.factories import desired, wanted

from pmon3_schema.goals import parse
from pmon3_schema.protocol import Promise
from pmond.core.model import Ending, ExitStatus, History, Instance, Intent, Phase, Policy, State
from pmond.runtime.views.process_verdicts import Sight, judge
from pmond.runtime.views.wait_conditions import Verdict

SINCE, NOW = 100.0, 200.0
RUNS = State(Instance(1, 7, "r1", 1, SINCE, Phase.RUNNING))
RAN = History(number=1, attempts=1, revision="r1", token=1, ending=Ending.ITSELF, pid=7)


def verdict(until: str, want: Intent | None, state: State | None, token: int = 1, **more: Any) -> Verdict:
    """On `web`; the caller was promised this token. Generations count, unless said otherwise."""
    sight = Sight(
        desired(*([want] if want is not None else [])),
        {} if state is None else {"web": state},
        NOW,
        Policy(),
        {"web": more.pop("decided", 1)},
        more.pop("quarantined", {}),
        more.pop("rolling_out", lambda name: False),
    )
    (condition,) = parse(until).conditions
    return judge(Promise(name="web", token=token, generation=1), condition, sight)


def ended(code: int) -> State:
    return State(
        None, History(**{**{n: getattr(RAN, n) for n in RAN.__struct_fields__}, "exit": ExitStatus(code)})
    )


def test_one_that_runs_with_what_was_promised_is_there() -> None:
    assert verdict("ready", wanted(token=1), RUNS).met
    assert verdict("synced", wanted(token=1), RUNS).met


def test_the_instance_of_an_earlier_restart_does_not_count() -> None:
    found = verdict("ready", wanted(token=2), RUNS, token=2)
    assert (found.met, found.failed) == (False, False)


def test_nothing_is_judged_by_what_was_decided_before_the_request() -> None:
    assert verdict("ready", wanted(token=1), RUNS, decided=0).reason == "it was not looked at since"


def test_one_that_a_person_stops_meanwhile_gets_nowhere() -> None:
    found = verdict("ready", wanted(token=1, held=False), None)
    assert found.failed and "stopped by ana" in found.reason


def test_one_that_is_started_again_while_somebody_waits_for_its_stop_is_out_of_reach() -> None:
    assert verdict("stopped", wanted(token=1), RUNS).reason == "it was started again"
    assert verdict("stopped", wanted(token=1, held=False), State()).met
    assert not verdict("stopped", wanted(token=1, held=False), RUNS).met


@pytest.mark.parametrize("until", ["deleted", "stopped"])
def test_what_is_gone_is_deleted_and_stopped_and_nothing_else(until: str) -> None:
    assert verdict(until, None, None).met
    assert verdict("ready", None, None) == Verdict(failed=True, reason="deleted")


def test_who_asked_for_a_deletion_hears_that_it_was_called_off_and_who_only_waits_goes_on() -> None:
    assert verdict("deleted", wanted(token=1), RUNS).failed
    assert not verdict("deleted", wanted(token=1), RUNS, token=0).failed
    assert not verdict("deleted", wanted(token=1, deleting=True), RUNS).failed


@pytest.mark.parametrize(("until", "met"), [("exited", True), ("exited=3", True), ("exited=0", False)])
def test_an_end_counts_with_the_code_that_is_asked_for(until: str, met: bool) -> None:
    want = wanted(token=1, restart={"policy": "never"})
    found = verdict(until, want, ended(3))
    assert (found.met, found.failed) == (met, not met)


def test_one_whose_turn_in_a_rollout_never_came_was_skipped() -> None:
    late = wanted(token=2, deferred=True)
    found = verdict("ready", late, RUNS, token=2)
    assert found.failed and found.reason.startswith("skipped")
    assert not verdict("ready", late, RUNS, token=2, rolling_out=lambda name: name == "cli").failed


def test_a_crash_after_it_was_asked_for_fails_a_start_and_not_who_waits_whatever_it_takes() -> None:
    want = wanted(token=1)
    assert verdict("ready", want, ended(1)).failed
    assert not verdict("ready", want, ended(1), token=0).failed


def test_a_process_that_an_error_of_pmond_keeps_from_moving_gets_nowhere() -> None:
    found = verdict("ready", wanted(token=1), RUNS, quarantined={"web": "KeyError: 'x'"})
    assert (found.failed, found.reason) == (True, "internal error: KeyError: 'x'")


@pytest.mark.parametrize("until", ["ready", "completed", "exited", "synced"])
def test_what_needs_one_that_failed_for_good_gets_nowhere_and_says_who_it_is(until: str) -> None:
    web, db = wanted(token=1, dependencies=["db"]), wanted("db", restart={"policy": "never"}, token=1)

    def judged(decided: int, db: Intent) -> Verdict:
        failed = {"db": ended(3)}
        sight = Sight(desired(web, db), failed, NOW, Policy(), {"web": decided}, {}, lambda name: False)
        return judge(Promise(name="web", token=1, generation=1), parse(until).conditions[0], sight)

    found = judged(1, db)
    assert (found.failed, found.blocker, {*found.awaits}) == (True, "db", {"db"})
    assert found.reason == "waits for db, which failed: exited with code 3; it is not restarted"
    assert not judged(0, db).failed, "not before it was looked at"
    again = judged(1, replace(db, token=2))
    assert (again.failed, {*again.awaits}) == (False, {"db"}), "it is started again: judged when that changes"


def test_who_waits_for_a_stop_does_not_mind_who_is_in_the_way() -> None:
    want = wanted(token=1, dependencies=["db"])
    sight = Sight(
        desired(want, wanted("db", held=False)), {}, NOW, Policy(), {"web": 1}, {}, lambda name: False
    )
    promise = Promise(name="web", token=0, generation=1)
    assert not judge(promise, parse("stopped").conditions[0], sight).failed
    assert judge(promise, parse("ready").conditions[0], sight).failed


def test_each_step_on_the_way_to_a_restart_is_one_further() -> None:
    old = RUNS.instance
    assert old is not None
    ending = State(replace(old, phase=Phase.STOPPING))
    new = State(replace(old, phase=Phase.STARTING, token=2))

    def steps(state: State | None, deferred: bool = False) -> int:
        return verdict("ready", wanted(token=2, deferred=deferred), state, token=2).steps

    way = [steps(RUNS, deferred=True), steps(RUNS), steps(ending), steps(new)]
    way.append(verdict("ready", wanted(token=1), RUNS).steps)
    assert way == sorted(set(way))
    assert steps(ended(1)) == steps(ending), "between the two nothing is new"
