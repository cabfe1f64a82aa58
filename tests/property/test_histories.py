"""The core against thousands of generated histories: safety at every step, the right state in the end.

`tests.support.laws` judges every step, `tests.support.histories` the end. A failure prints the
history cut down to the steps it needs; `live(generate(SEED))` runs it again.
"""

from __future__ import annotations

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.support.factories import desired, wanted
from tests.support.histories import GeneratedHistory, broken_by, generate, live, shortened
from tests.support.laws import is_up
from tests.support.simulated_loop import Disturbance, SimulatedLoop

from pmond.core.evolve import evolve
from pmond.core.facts import Adopted, Exited, Fact, KillSent, Spawned, SpawnFailed, StopSent, TreeEmpty
from pmond.core.model import NOTHING_SEEN, Ending, ExitStatus, FlapPolicy, Intent, Policy, State
from pmond.core.plan import plan
from pmond.core.report import report

HISTORIES = 1_000 if os.environ.get("CI") else 2_000
_BATCH = 250


def check(history: GeneratedHistory) -> None:
    if broken_by(history) is None:
        return
    least = shortened(history)
    pytest.fail(f"{broken_by(least)}\n{least}", pytrace=False)


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, HISTORIES, _BATCH))
def test_no_history_breaks_a_law(first: int) -> None:
    for seed in range(first, first + _BATCH):
        check(generate(seed))


def end(loop: SimulatedLoop) -> dict[str, str]:
    """The published words. What needs a process that is down may wait for it or run already; not told."""
    seen = (loop.desired, loop.observed, loop.now, loop.policy)
    names = [name for name in loop.wanted if not needs_one_that_is_down(loop, name)]
    return {name: report(name, *seen).status.word for name in names}


def needs_one_that_is_down(loop: SimulatedLoop, name: str) -> bool:
    needed = [other for other in loop.wanted[name].spec.needs if other in loop.wanted]
    return any(not is_up(loop, other) or needs_one_that_is_down(loop, other) for other in needed)


CERTAIN = {"edit", "hold down", "hold up", "unhold", "restart", "force", "reset", "resync"}
"""Steps whose outcome does not depend on what is known at the moment (a deletion may be over or not)."""


@pytest.mark.slow
def test_lost_repeated_and_late_facts_lead_to_the_same_end() -> None:
    for seed in range(10_000, 10_150):
        history = generate(seed, kinds=("steady", "stubborn", "rooted"))
        history = replace(history, steps=tuple(s for s in history.steps if s.verb in CERTAIN))
        calm = replace(history, disturbance=Disturbance())
        disturbed = replace(history, disturbance=Disturbance(0.3, 0.2, 0.3))
        assert end(live(calm)) == end(live(disturbed)), f"{disturbed}"


@pytest.mark.slow
def test_planning_neighbours_alone_leads_where_planning_everything_leads() -> None:
    for seed in range(20_000, 20_150):
        history = replace(generate(seed), disturbance=Disturbance())
        partial, whole = live(history), live(history, full=True)
        assert partial.observed == whole.observed, f"{history}"
        assert partial.wake_at == whole.wake_at, f"{history}"


@pytest.mark.slow
def test_the_same_history_ends_in_the_same_state() -> None:
    for seed in range(30_000, 30_030):
        assert live(generate(seed)).observed == live(generate(seed)).observed


# --- laws of evolve over any facts at all, in any order ------------------------------------

NUMBERS = st.integers(1, 4)
EXITS = st.sampled_from([ExitStatus(0), ExitStatus(1), ExitStatus(signal=9), ExitStatus()])
ENDINGS = st.sampled_from(list(Ending))
FACTS: st.SearchStrategy[Fact] = st.one_of(
    st.builds(Spawned, st.just("web"), NUMBERS, st.just(7), st.just("r1"), st.integers(0, 1)),
    st.builds(
        SpawnFailed,
        *(st.just("web"), NUMBERS, st.just("r1"), st.integers(0, 1), st.just("Denied"), st.just("cannot")),
        st.booleans(),
    ),
    st.builds(StopSent, st.just("web"), NUMBERS, ENDINGS, st.floats(0, 99)),
    st.builds(KillSent, st.just("web"), NUMBERS, ENDINGS),
    st.builds(Exited, st.just("web"), NUMBERS, EXITS, st.booleans()),
    st.builds(TreeEmpty, st.just("web"), NUMBERS),
)
POLICIES = st.sampled_from([Policy(), Policy(flap=FlapPolicy(True, 2, 10.0, 4.0))])
WANTED = st.builds(
    lambda **values: wanted("web", **values),
    held=st.sampled_from([None, True, False]),
    forced=st.booleans(),
    deferred=st.booleans(),
    deleting=st.booleans(),
    restart=st.fixed_dictionaries({"policy": st.sampled_from(["always", "on-failure", "never"])}),
)


@pytest.mark.slow
@given(st.lists(st.tuples(FACTS, st.floats(0, 5)), max_size=12), POLICIES, WANTED)
@settings(max_examples=300, deadline=None)
def test_any_facts_in_any_order_leave_a_state_that_can_be_planned_and_shown(
    told: list[tuple[Fact, float]], policy: Policy, want: Intent
) -> None:
    state, now, everything = NOTHING_SEEN, 0.0, desired(want)
    for fact, seconds in told:
        now += seconds
        before, state = state, evolve(state, want, fact, now, policy)
        assert state.history.number >= before.history.number
        if before.instance and state.instance:
            assert state.instance.number == before.instance.number
            assert state.instance.phase >= before.instance.phase
        seen: dict[str, State] = {"web": state}
        assert plan(everything, seen, now, policy) == plan(everything, seen, now, policy, ["web"])
        report("web", everything, seen, now, policy)


@pytest.mark.slow
@given(FACTS, st.lists(FACTS, max_size=8), POLICIES)
@settings(max_examples=300, deadline=None)
def test_a_repeated_fact_changes_nothing_but_the_time_of_its_sending(
    fact: Fact, before: list[Fact], policy: Policy
) -> None:
    state = NOTHING_SEEN
    for earlier in before:
        state = evolve(state, None, earlier, 1.0, policy)
    once = evolve(state, None, fact, 2.0, policy)
    assert evolve(once, None, fact, 2.0, policy) == once


def test_an_adopted_instance_is_running_when_it_is_old_enough() -> None:
    young = evolve(NOTHING_SEEN, None, Adopted("web", 3, 7, "r1", 0, age=0.1), 9.0, Policy())
    old = evolve(NOTHING_SEEN, None, Adopted("web", 3, 7, "r1", 0, age=0.2), 9.0, Policy())
    assert young.instance is not None and young.instance.phase.name == "STARTING"
    assert old.instance is not None and old.instance.phase.name == "RUNNING"
    assert old.instance.started_at == 8.8
