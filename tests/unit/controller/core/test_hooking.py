"""Hooks and one-shots as decisions: what runs before a start and after an end, and never again."""

from __future__ import annotations

from msgspec.structs import replace
from tests.support.factories import desired, wanted

from pmond.core.actions import Action, EndHook, RunHook, Start, Stop
from pmond.core.case import Rule
from pmond.core.decide import decide
from pmond.core.evolve import evolve
from pmond.core.facts import Exited, Fact, HookBegun, HookEnded, Spawned, StopSent
from pmond.core.hooking import Moment
from pmond.core.model import NOTHING_SEEN, Ending, ExitStatus, Intent, Policy, State
from pmond.core.report import report

HOOKS = {"pre_start": ["one", "two"], "post_stop": ["after"], "on_failure": ["alarm"]}
JOB = wanted(type="oneshot", hooks=HOOKS)
PRE, POST, ALARM = Moment.PRE_START, Moment.POST_STOP, Moment.ON_FAILURE


def action(want: Intent, state: State, now: float = 10.0) -> Action | None:
    return decide("web", desired(want), {"web": state}, now, Policy()).action


def word(want: Intent, state: State) -> str:
    return report("web", desired(want), {"web": state}, 10.0, Policy()).status.word


def after(want: Intent, state: State, *facts: Fact, now: float = 10.0) -> State:
    for fact in facts:
        state = evolve(state, want, fact, now, Policy())
    return state


def ran(
    number: int, moment: Moment, index: int, error: str = "", transient: bool = False
) -> tuple[Fact, Fact]:
    of = ("web", number, moment, index)
    return HookBegun(*of, "r1", 0), HookEnded(*of, error, transient)


RUNS = after(JOB, NOTHING_SEEN, *ran(1, PRE, 0), *ran(1, PRE, 1), Spawned("web", 1, 7, "r1", 0))


def test_a_start_comes_after_its_commands_one_by_one() -> None:
    assert action(JOB, NOTHING_SEEN) == RunHook("web", 1, PRE, 0)
    begun = after(JOB, NOTHING_SEEN, ran(1, PRE, 0)[0])
    assert action(JOB, begun) is None
    assert word(JOB, begun) == "init"
    first = after(JOB, NOTHING_SEEN, *ran(1, PRE, 0))
    assert action(JOB, first) == RunHook("web", 1, PRE, 1)
    second = after(JOB, first, *ran(1, PRE, 1))
    assert isinstance(action(JOB, second), Start)


def test_a_command_that_fails_fails_the_start_with_its_reason() -> None:
    failed = after(JOB, NOTHING_SEEN, *ran(1, PRE, 0, "it exited with code 1"))
    assert (failed.history.error, failed.history.number) == ("it exited with code 1", 1)
    assert action(JOB, failed) == RunHook("web", 1, ALARM, 0)
    assert word(JOB, after(JOB, failed, *ran(1, ALARM, 0))) == "failed"


def test_a_start_that_was_cut_short_is_made_again_under_another_number() -> None:
    unseen = after(JOB, NOTHING_SEEN, *ran(1, PRE, 0, "nobody saw it", transient=True))
    assert action(JOB, unseen) == RunHook("web", 2, PRE, 0)


def test_nobody_wants_it_any_more() -> None:
    down = wanted(type="oneshot", hooks=HOOKS, held=False)
    begun = after(JOB, NOTHING_SEEN, ran(1, PRE, 0)[0])
    found = action(down, begun)
    assert isinstance(found, EndHook) and word(down, begun) == "stopping"
    ended = after(down, begun, HookEnded("web", 1, PRE, 0, "stopped", given_up=True))
    assert word(down, ended) == "stopped"
    assert action(JOB, ended) == RunHook("web", 2, PRE, 0), "its number is used"


def test_after_an_end_come_post_stop_and_after_a_failure_on_failure() -> None:
    ended = after(JOB, RUNS, Exited("web", 1, ExitStatus(3)))
    assert action(JOB, ended) == RunHook("web", 1, POST, 0)
    assert word(JOB, ended) == "stopping"
    cleared = after(JOB, ended, *ran(1, POST, 0, "it fails too"))
    assert action(JOB, cleared) == RunHook("web", 1, ALARM, 0)
    over = after(JOB, cleared, *ran(1, ALARM, 0))
    assert action(JOB, over) is None and word(JOB, over) == "failed"


def test_after_success_or_a_stop_nothing_has_failed() -> None:
    done = after(JOB, RUNS, Exited("web", 1, ExitStatus(0)), *ran(1, POST, 0))
    assert action(JOB, done) is None and word(JOB, done) == "completed"
    asked = StopSent("web", 1, Ending.UNWANTED, 20.0)
    down = wanted(type="oneshot", hooks=HOOKS, held=False)
    stopped = after(down, RUNS, asked, Exited("web", 1, ExitStatus(signal=15)), *ran(1, POST, 0))
    assert word(down, stopped) == "stopped"


def test_a_service_starts_again_when_its_hooks_are_over() -> None:
    service = wanted(hooks={"post_stop": ["after"]})
    runs = after(service, NOTHING_SEEN, Spawned("web", 1, 7, "r1", 0))
    ended = after(service, runs, Exited("web", 1, ExitStatus(3)))
    assert word(service, ended) == "restarting"
    assert isinstance(action(service, after(service, ended, *ran(1, POST, 0))), Start)


def test_facts_that_come_twice_or_late_change_nothing() -> None:
    begun, over = ran(1, PRE, 0)
    once = after(JOB, NOTHING_SEEN, begun, over)
    assert after(JOB, once, begun) is once
    assert after(JOB, once, over) is once
    assert after(JOB, RUNS, *ran(1, PRE, 1)) is RUNS
    assert after(JOB, RUNS, *ran(1, POST, 0)) is RUNS


def test_hooks_that_are_declared_after_an_end_are_of_the_next_one() -> None:
    plain = wanted(type="oneshot")
    done = after(plain, NOTHING_SEEN, Spawned("web", 1, 7, "r1", 0), Exited("web", 1, ExitStatus(0)))
    assert action(JOB, done) is None
    more = wanted(type="oneshot", hooks={"post_stop": ["after", "and more"]})
    assert action(more, after(JOB, RUNS, Exited("web", 1, ExitStatus(0)), *ran(1, POST, 0))) is None


def test_the_end_of_a_hook_that_nobody_saw_is_not_waited_for_for_ever() -> None:
    begun = after(JOB, NOTHING_SEEN, ran(1, PRE, 0)[0])
    limit = decide("web", desired(JOB), {"web": begun}, 10.0, Policy()).wake_at
    assert limit is not None
    assert isinstance(action(JOB, begun, limit), EndHook)


def test_a_one_shot_is_not_restarted_unless_that_is_said() -> None:
    assert wanted(type="oneshot").spec.policy == "never"
    assert wanted(type="oneshot", restart={"max_failures": 3}).spec.policy == "on-failure"
    assert wanted(type="oneshot", restart={"policy": "on-failure"}).spec.policy == "on-failure"


def test_a_run_may_take_as_long_as_is_said() -> None:
    short = wanted(type="oneshot", max_runtime="5s")
    runs = after(short, NOTHING_SEEN, Spawned("web", 1, 7, "r1", 0), now=0.0)
    assert decide("web", desired(short), {"web": runs}, 0.1, Policy()).wake_at == 0.2
    stop = action(short, runs, 5.0)
    assert isinstance(stop, Stop) and stop.ending is Ending.OVERDUE
    asked = StopSent("web", 1, Ending.OVERDUE, 20.0, stop.reason)
    ended = after(short, runs, asked, Exited("web", 1, ExitStatus(0)))
    assert word(short, ended) == "failed"
    assert ended.history.fault == "it ran for 5s (max_runtime)"


def test_services_of_one_age_are_replaced_one_after_the_other_and_have_not_failed() -> None:
    old = wanted(max_runtime="100s")
    runs = after(old, NOTHING_SEEN, Spawned("web", 1, 7, "r1", 0), now=0.0)
    stop = action(old, runs, 100.0)
    assert isinstance(stop, Stop) and stop.ending is Ending.SUPERSEDED
    running = replace(runs, instance=replace(runs.instance, phase=2)) if runs.instance else runs
    at = decide("web", desired(old), {"web": running}, 10.0, Policy()).wake_at
    assert at is not None and 90.0 <= at < 100.0
    assert decide("web", desired(old), {"web": running}, at, Policy()).rule is Rule.OVERDUE
