"""What a program says of itself by systemd's protocol, besides that it is ready and alive."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from tests.support.factories import desired, wanted

from pmon3_schema.status import Status
from pmond.core.actions import PassDeadline, RunProbe, Stop
from pmond.core.case import Decision, Rule
from pmond.core.decide import decide
from pmond.core.events import EventType, events
from pmond.core.evolve import evolve
from pmond.core.facts import DeadlinePassed, Fact, Notified
from pmond.core.model import Ending, Instance, Intent, Phase, Policy, State
from pmond.core.report import condition_values, report

STARTED = Instance(number=1, pid=7, revision="r1", token=0, started_at=0.0)
STARTING = State(STARTED)
RUNNING = State(replace(STARTED, phase=Phase.RUNNING, ready_at=1.0))
NOTIFIES = wanted(ready={"notify": True}, stop={"timeout": "5s"})
WATCHED = wanted(live={"notify": True, "interval": "2s", "failures": 1, "start_period": 0})


def says(*, ready: bool = False, announced: str = "", extend: float = 0.0, status: str | None = None) -> Fact:
    return Notified("web", 1, ready=ready, announced=announced, extend=extend, status=status)


def told(want: Intent, state: State, *story: tuple[float, Fact]) -> State:
    for at, fact in story:
        state = evolve(state, want, fact, at, Policy())
    return state


def decision(want: Intent, state: State, now: float) -> Decision:
    return decide("web", desired(want), {"web": state}, now, Policy())


STOPPING = says(announced="stopping")


def test_one_that_says_that_it_is_stopping_serves_no_more() -> None:
    state = told(NOTIFIES, RUNNING, (10.0, STOPPING))
    seen = report("web", desired(NOTIFIES), {"web": state}, 10.0, Policy())
    assert (seen.status, seen.ready, seen.reason) == (Status.RUNNING, False, "it says that it is stopping")
    named = {c.type: c for c in condition_values("web", desired(NOTIFIES), {"web": state}, 10.0, Policy())}
    assert (named["Ready"].value, named["Ready"].reason) == (False, "EndsItself")
    assert [e.type for e in events("web", RUNNING, state)] == [EventType.NOT_READY]
    needs = wanted("needs", dependencies=["web"])
    decided = decide("needs", desired(NOTIFIES, needs), {"web": state}, 10.0, Policy())
    assert decided.rule is Rule.AWAIT_DEPENDENCIES


def test_it_has_the_time_to_end_that_it_would_have_if_it_were_asked_and_is_then_replaced() -> None:
    state = told(NOTIFIES, RUNNING, (10.0, STOPPING), (12.0, STOPPING))
    assert (decision(NOTIFIES, state, 12.0).action, decision(NOTIFIES, state, 12.0).wake_at) == (None, 15.0)
    late = decision(NOTIFIES, state, 15.0)
    assert isinstance(late.action, Stop) and late.action.ending is Ending.UNHEALTHY
    assert late.reason == "it said that it is stopping, and did not end in time"


def test_it_may_ask_for_more_of_it_and_may_change_its_mind() -> None:
    asks = says(announced="stopping", extend=30.0)
    assert decision(NOTIFIES, told(NOTIFIES, RUNNING, (10.0, asks)), 15.0).wake_at == 40.0
    longer = told(NOTIFIES, RUNNING, (10.0, STOPPING), (14.0, says(extend=30.0)))
    assert decision(NOTIFIES, longer, 15.0).wake_at == 44.0
    again = told(NOTIFIES, longer, (16.0, says(ready=True)))
    assert report("web", desired(NOTIFIES), {"web": again}, 16.0, Policy()).ready
    assert [e.type for e in events("web", longer, again)] == [EventType.READY]


def test_nobody_asks_whether_it_lives_while_it_says_that_it_is_stopping() -> None:
    state = told(WATCHED, RUNNING, (10.0, STOPPING))
    assert told(WATCHED, state, (19.0, DeadlinePassed("web"))) == state, "its watchdog may be silent"
    assert decision(WATCHED, state, 19.0).action is None
    asked = wanted(live={"exec": ["/bin/true"], "interval": "500ms", "failures": 1, "start_period": 0})
    assert isinstance(decision(asked, RUNNING, 1.6).action, RunProbe)
    assert decision(asked, told(asked, RUNNING, (1.6, STOPPING)), 1.6).action is None


def test_the_watchdog_of_one_that_reloads_is_listened_to_and_it_serves_on() -> None:
    state = told(WATCHED, RUNNING, (10.0, says(announced="reloading")))
    seen = report("web", desired(WATCHED), {"web": state}, 10.0, Policy())
    assert (seen.ready, seen.reason) == (True, "it says that it is reloading")
    assert isinstance(decision(WATCHED, state, 20.0).action, PassDeadline)
    done = told(WATCHED, state, (11.0, says(ready=True, status="serving")))
    assert report("web", desired(WATCHED), {"web": done}, 11.0, Policy()).reason == "serving"


@pytest.mark.parametrize(("extend", "at"), [(0.0, 60.0), (100.0, 150.0), (5.0, 60.0)])
def test_one_that_starts_may_ask_for_more_time_than_its_deadline(extend: float, at: float) -> None:
    state = told(NOTIFIES, STARTING, (50.0, says(extend=extend)))
    assert decision(NOTIFIES, state, 50.0).wake_at == at
    late = decision(NOTIFIES, state, at)
    assert late.rule is Rule.NOT_READY


def test_one_that_runs_may_ask_for_more_time_than_a_run_has_but_not_while_it_starts() -> None:
    job = wanted(type="oneshot", max_runtime="20s", ready={"notify": True})
    running = told(job, STARTING, (1.0, says(extend=300.0)), (2.0, says(ready=True)))
    assert decision(job, running, 20.0).rule is Rule.OVERDUE
    asked = told(job, running, (19.0, says(extend=10.0)))
    assert decision(job, asked, 20.0).wake_at == 29.0
    assert decision(job, asked, 29.0).rule is Rule.OVERDUE


def test_one_that_is_being_stopped_may_ask_for_more_grace() -> None:
    assert RUNNING.instance is not None
    asked = State(replace(RUNNING.instance, phase=Phase.STOPPING, ending=Ending.UNWANTED, kill_at=10.0))
    down = wanted(held=False)
    assert decision(down, told(down, asked, (9.0, says(extend=6.0))), 9.0).wake_at == 15.0
    assert decision(down, told(down, asked, (9.0, says(extend=0.5))), 9.0).wake_at == 10.0
