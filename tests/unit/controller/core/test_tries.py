"""A thousand probes are not asked together, however it came that their time is now."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from msgspec.structs import replace
from tests.support.factories import desired, wanted

from pmond.core.actions import PassDeadline, RunProbe
from pmond.core.case import Decision
from pmond.core.decide import decide
from pmond.core.evolve import evolve
from pmond.core.facts import Adopted, DeadlinePassed, ProbeBegun, ProbeFailed, ProbePassed, Spawned
from pmond.core.model import NOTHING_SEEN, Instance, Intent, Phase, Policy, State
from pmond.core.probing import Aspect

NOW = 1000.0
LIVE: dict[str, Any] = {"live": {"exec": ["/bin/true"], "interval": "10s", "start_period": 0}}
READY: dict[str, Any] = {"ready": {"exec": ["/bin/true"], "interval": "10s"}}
NAMES = [f"p{number}" for number in range(200)]
RUNNING = State(Instance(1, 7, "r1", 0, started_at=0.0, phase=Phase.RUNNING, ready_at=1.0))


def decided(want: Intent, state: State, now: float) -> Decision:
    return decide(want.name, desired(want), {want.name: state}, now, Policy())


def first_try_at(want: Intent, state: State) -> float:
    """When it is asked, of one whose time is long past at `NOW`."""
    assert decided(want, state, NOW).action == PassDeadline(want.name)
    state = evolve(state, want, DeadlinePassed(want.name), NOW, Policy())
    at = decided(want, state, NOW).wake_at
    assert at is not None
    asked = decided(want, state, at).action
    assert isinstance(asked, RunProbe)
    # A turn that is late once more changes nothing.
    assert isinstance(decided(want, state, at + 60.0).action, RunProbe)
    return at


def adopted(want: Intent) -> State:
    fact = Adopted(want.name, 1, 7, want.revision, 0, age=900.0, ready=True)
    return evolve(NOTHING_SEEN, want, fact, NOW - 5.0, Policy())


@pytest.mark.parametrize(
    ("fields", "state"),
    [(LIVE, RUNNING), (READY, RUNNING), (READY, None)],
    ids=["live, by an edit", "ready, by an edit", "ready, taken over by a new pmond"],
)
def test_those_that_are_overdue_together_are_spread_over_an_interval(
    fields: dict[str, Any], state: State | None
) -> None:
    all_wanted = [wanted(name, **fields) for name in NAMES]
    times = [first_try_at(one, state or adopted(one)) for one in all_wanted]
    assert all(NOW <= at <= NOW + 10.0 for at in times)
    assert max(Counter(int(at) for at in times).values()) < 2 * len(NAMES) / 10


def test_one_that_starts_is_asked_at_once_whoever_else_is() -> None:
    want = wanted(ready={"exec": ["/bin/true"], "interval": "10s"})
    state = evolve(NOTHING_SEEN, want, Spawned("web", 1, 7, "r1", 0), 0.0, Policy())
    assert isinstance(decided(want, state, 30.0).action, RunProbe)


def test_one_that_was_put_off_keeps_its_interval_and_may_be_put_off_again_after_a_try() -> None:
    want = wanted("p1", **LIVE)
    at = first_try_at(want, RUNNING)
    state = evolve(RUNNING, want, DeadlinePassed("p1"), NOW, Policy())
    for fact in (ProbeBegun("p1", 1, Aspect.LIVE, 1), ProbePassed("p1", 1, Aspect.LIVE, 1, "")):
        state = evolve(state, want, fact, at, Policy())
    assert decided(want, state, at).wake_at == at + 10.0
    assert isinstance(decided(want, state, at + 10.5).action, RunProbe)
    assert decided(want, state, at + 30.0).action == PassDeadline("p1"), "its probe was away and is back"


def test_a_try_whose_result_is_lost_is_made_again_in_time() -> None:
    want = wanted("p1", **LIVE)
    state = evolve(RUNNING, want, ProbeBegun("p1", 1, Aspect.LIVE, 1), 20.0, Policy())
    assert state.instance is not None and state.instance.live.under_way
    assert isinstance(decided(want, state, 400.0).action, RunProbe)
    assert not isinstance(decided(want, replace(state), 21.0).action, RunProbe)


def test_those_that_are_due_in_one_part_of_an_interval_are_asked_in_one_turn() -> None:
    all_wanted = [wanted(name, **LIVE) for name in NAMES]
    early = State(replace(RUNNING.instance, ready_at=0.0)) if RUNNING.instance else RUNNING
    times = [decided(one, early, 0.0).wake_at for one in all_wanted]
    assert len(set(times)) <= 51, "fiftieths of an interval"
    for one, at in zip(all_wanted, times, strict=True):
        assert at is not None and isinstance(decided(one, early, at).action, RunProbe)


def test_one_that_starts_is_not_kept_waiting_for_others() -> None:
    want = wanted("p7", ready={"exec": ["/bin/true"], "interval": "10s"})
    state = evolve(NOTHING_SEEN, want, Spawned("p7", 1, 7, "r1", 0), 0.013, Policy())
    begun = evolve(state, want, ProbeBegun("p7", 1, Aspect.READY, 1), 0.5, Policy())
    again = evolve(begun, want, ProbeFailed("p7", 1, Aspect.READY, 1, "no"), 0.55, Policy())
    assert decided(want, again, 0.6).wake_at == 10.5
