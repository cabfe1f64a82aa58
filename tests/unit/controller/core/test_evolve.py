"""What facts make of what is seen, told as short stories."""

from __future__ import annotations

import pytest
from tests.support.factories import desired, wanted

from pmond.core.actions import Start, Stop
from pmond.core.case import why_ended
from pmond.core.decide import decide
from pmond.core.events import EventType, events
from pmond.core.evolve import evolve
from pmond.core.facts import (
    Adopted,
    DeadlinePassed,
    Exited,
    Fact,
    KillSent,
    MemoryHeld,
    Reset,
    RestartAsked,
    Spawned,
    SpawnFailed,
    StopSent,
    TreeEmpty,
)
from pmond.core.model import NOTHING_SEEN, Ending, ExitStatus, Intent, Phase, Policy, State

FAILED = ExitStatus(1)


def spawned(number: int, revision: str = "r1", token: int = 0) -> Spawned:
    return Spawned("web", number, 100 + number, revision, token)


def refused(number: int, transient: bool = False, revision: str = "r1") -> SpawnFailed:
    return SpawnFailed("web", number, revision, 0, "FileNotFound", "cannot start web", transient)


def crashed(number: int) -> Exited:
    return Exited("web", number, FAILED)


def after(*story: tuple[float, Fact], want: Intent | None = None, state: State = NOTHING_SEEN) -> State:
    for at, fact in story:
        state = evolve(state, want or wanted(), fact, at, Policy())
    return state


def test_a_start_becomes_a_running_instance_in_time() -> None:
    young = after((0.0, spawned(1)), (0.1, DeadlinePassed("web")))
    assert young.instance is not None and young.instance.phase is Phase.STARTING
    old = after((0.2, DeadlinePassed("web")), state=young)
    assert old.instance is not None and old.instance.phase is Phase.RUNNING


def test_crashes_in_a_row_grow_the_streak_and_a_stable_run_ends_it() -> None:
    twice = after((0.0, spawned(1)), (1.0, crashed(1)), (1.0, spawned(2)), (2.0, crashed(2)))
    assert twice.history.streak == 2
    assert twice.history.ran_for == 1.0
    stable = after((3.0, spawned(3)), (13.0, crashed(3)), state=twice)
    assert stable.history.streak == 1


def test_an_end_that_was_asked_for_is_no_failure() -> None:
    want = wanted(restart={"max_failures": 3})
    state = after((0.0, spawned(1)), (1.0, crashed(1)), (1.0, spawned(2)), want=want)
    state = after((2.0, StopSent("web", 2, Ending.UNWANTED, 12.0)), (3.0, crashed(2)), want=want, state=state)
    assert state.history.ending is Ending.UNWANTED
    assert (state.history.streak, state.history.failures) == (0, ())


def test_restarts_are_counted_when_they_are_automatic_or_asked_for() -> None:
    state = after((0.0, spawned(1)), (1.0, crashed(1)), (1.0, spawned(2)))
    assert state.history.restart_count == 1
    state = after((2.0, RestartAsked("web")), (2.0, StopSent("web", 2, Ending.SUPERSEDED, 9.0)), state=state)
    state = after((3.0, crashed(2)), (3.0, spawned(3, token=1)), state=state)
    assert state.history.restart_count == 2, "asked for once, counted once"
    state = after((4.0, StopSent("web", 3, Ending.UNWANTED, 9.0)), (4.0, crashed(3)), state=state)
    assert after((5.0, spawned(4, token=1)), state=state).history.restart_count == 2, "a start is no restart"
    assert after((6.0, Reset("web")), state=state).history.restart_count == 0


def test_a_new_revision_starts_with_a_clean_slate_but_keeps_its_count_of_restarts() -> None:
    state = after((0.0, spawned(1)), (1.0, crashed(1)), (1.0, spawned(2)), (2.0, crashed(2)))
    fresh = after((3.0, spawned(3, "r2")), state=state).history
    assert (fresh.streak, fresh.attempts, fresh.ending) == (0, 1, None)
    assert (fresh.number, fresh.restart_count) == (3, 1)


def test_a_start_that_fails_counts_as_a_failure_unless_resources_were_wanting() -> None:
    want = wanted(restart={"max_failures": 3})
    failing = after((0.0, refused(1)), (1.0, refused(2)), want=want).history
    assert (failing.failures, failing.streak, failing.error_code) == ((0.0, 1.0), 2, "FileNotFound")
    starved = after((0.0, refused(1, transient=True)), (1.0, refused(2, transient=True)), want=want).history
    assert (starved.failures, starved.streak, starved.error_transient) == ((), 2, True)
    assert after((2.0, spawned(3)), state=State(None, starved)).history.error == ""


def test_a_launcher_may_report_late_that_it_could_not_start_the_program() -> None:
    state = after((0.0, spawned(1)), (0.1, refused(1)))
    assert state.instance is None
    assert (state.history.attempts, state.history.streak, state.history.error) == (1, 1, "cannot start web")


def test_what_a_main_program_leaves_behind_keeps_the_instance_there() -> None:
    left = after((0.0, spawned(1)), (5.0, Exited("web", 1, FAILED, tree_left=True)))
    assert left.instance is not None and left.instance.phase is Phase.STOPPING
    gone = after((9.0, TreeEmpty("web", 1)), state=left)
    assert gone.instance is None
    assert (gone.history.ended_at, gone.history.exit, gone.history.ending) == (5.0, FAILED, Ending.ITSELF)


def test_without_kill_group_what_is_left_behind_is_left_alone() -> None:
    want = wanted(stop={"kill_group": False})
    state = after((0.0, spawned(1)), (5.0, Exited("web", 1, FAILED, tree_left=True)), want=want)
    assert state.instance is None


def test_facts_about_another_run_change_nothing() -> None:
    state = after((0.0, spawned(1)), (1.0, crashed(1)), (1.0, spawned(2)))
    old: list[Fact] = [
        crashed(1), TreeEmpty("web", 1), KillSent("web", 1, Ending.UNWANTED),
        StopSent("web", 1, Ending.UNWANTED, 3.0), spawned(1), refused(1),
    ]  # fmt: skip
    assert all(after((2.0, fact), state=state) is state for fact in old)


def test_a_repeated_start_does_not_bring_a_dead_run_back() -> None:
    dead = after((0.0, spawned(1)), (1.0, crashed(1)))
    assert after((1.0, spawned(1)), state=dead) is dead
    failed = after((0.0, refused(1)))
    assert after((0.0, refused(1)), state=failed) is failed


def test_a_kill_goes_forward_only() -> None:
    killed = after((0.0, spawned(1)), (1.0, KillSent("web", 1, Ending.UNWANTED)))
    assert after((2.0, StopSent("web", 1, Ending.ITSELF, 9.0)), state=killed) is killed
    assert after((3.0, DeadlinePassed("web")), state=killed) is killed


def test_an_adopted_run_keeps_its_age_and_has_no_old_error() -> None:
    state = after((100.0, Adopted("web", 4, 77, "r1", 2, 60.0)), state=after((0.0, refused(3))))
    assert state.instance is not None and state.instance.adopted
    assert (state.instance.started_at, state.instance.phase) == (40.0, Phase.RUNNING)
    assert (state.history.number, state.history.error) == (4, "")


def test_an_adopted_run_that_was_being_stopped_does_not_fail() -> None:
    adopted = Adopted("web", 4, 77, "r1", 2, 60.0, Ending.SHUTDOWN)
    state = after((100.0, adopted), (101.0, crashed(4)))
    assert (state.history.ending, state.history.streak) == (Ending.SHUTDOWN, 0)


def words(*story: tuple[float, Fact]) -> list[EventType]:
    state, told = NOTHING_SEEN, []
    for at, fact in story:
        before, state = state, evolve(state, wanted(), fact, at, Policy())
        told += [event.type for event in events("web", before, state)]
    return told


def test_the_history_lines_of_a_life() -> None:
    assert words(
        (0.0, spawned(1)), (0.2, DeadlinePassed("web")), (5.0, Exited("web", 1, FAILED, tree_left=True)),
        (5.0, StopSent("web", 1, Ending.ITSELF, 15.0)), (15.0, KillSent("web", 1, Ending.ITSELF)),
        (15.1, TreeEmpty("web", 1)), (15.1, spawned(2)), (16.0, StopSent("web", 2, Ending.UNWANTED, 26.0)),
        (17.0, crashed(2)),
    ) == [
        EventType.STARTED, EventType.RUNNING, EventType.TREE_LEFT, EventType.STOPPING, EventType.KILLED,
        EventType.EXITED, EventType.STARTED, EventType.STOPPING, EventType.STOPPED,
    ]  # fmt: skip


def test_each_failed_start_has_its_line_also_when_an_edit_came_between() -> None:
    story = (
        (0.0, refused(1)),
        (1.0, refused(2)),
        (2.0, refused(3, revision="r2")),
        (3.0, refused(4, revision="r3")),
    )
    assert words(*story) == [EventType.START_FAILED] * 4


def test_what_holds_more_memory_than_it_may_is_replaced_and_that_is_counted_but_no_failure() -> None:
    large, limit = MemoryHeld("web", 1, 400 << 20), {"above_memory": 300 << 20}
    want = wanted(restart={**limit, "policy": "never"})
    state = after((0.0, spawned(1)), (9.0, large), want=want)
    decision = decide("web", desired(want), {"web": state}, 9.0, Policy())
    assert decision.reason == "it holds 400 MiB of memory, more than 300 MiB"
    assert isinstance(decision.action, Stop) and decision.action.ending is Ending.OVERSIZE
    stopping = StopSent("web", 1, Ending.OVERSIZE, 19.0, decision.reason)
    ended = after((9.0, stopping), (9.1, Exited("web", 1, ExitStatus(signal=15))), state=state, want=want)
    assert isinstance(decide("web", desired(want), {"web": ended}, 9.1, Policy()).action, Start)
    again = after((9.1, spawned(2)), state=ended, want=want)
    assert (again.history.restart_count, again.history.failures, again.history.streak) == (1, (), 0)
    assert decide("web", desired(want), {"web": again}, 9.2, Policy()).action is None
    for other in (MemoryHeld("web", 2, 300 << 20), MemoryHeld("web", 1, 1 << 40)):
        assert (
            decide("web", desired(want), {"web": after((9.2, other), state=again)}, 9.2, Policy()).action
            is None
        )


def left_behind(code: int, after_seconds: float) -> State:
    end = Exited("web", 1, ExitStatus(code), tree_left=True)
    return after((0.0, spawned(1)), (after_seconds, end), (after_seconds + 1, TreeEmpty("web", 1)))


@pytest.mark.parametrize(("code", "seconds", "said"), [(0, 0.5, True), (0, 60.0, False), (3, 0.5, False)])
def test_a_program_that_goes_to_the_background_is_told_to_stay(code: int, seconds: float, said: bool) -> None:
    history = left_behind(code, seconds).history
    assert history.daemonized == said
    assert ("run it in the foreground" in why_ended(history)) == said
    again = after((70.0, spawned(2)), (71.0, Exited("web", 2, ExitStatus(0))), state=State(None, history))
    assert not again.history.daemonized, "it says so of the last run alone"


def test_a_launcher_that_never_became_the_program_is_told_as_a_start_that_failed() -> None:
    assert words((0.0, spawned(1)), (0.1, refused(1)), (0.2, spawned(2)), (9.0, crashed(2))) == [
        EventType.STARTED, EventType.START_FAILED, EventType.STARTED, EventType.EXITED,
    ]  # fmt: skip
