"""What is decided about one process: given what is wanted and seen, when, then."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace
from tests.support.factories import desired, wanted

from pmond.core.actions import Forget, Kill, Start, Stop
from pmond.core.case import Decision, Rule
from pmond.core.decide import decide
from pmond.core.model import (
    NOTHING_SEEN,
    Ending,
    ExitStatus,
    FlapPolicy,
    History,
    Instance,
    Intent,
    Phase,
    Policy,
    State,
)

FAILED, SUCCESS = ExitStatus(1), ExitStatus(0)


def instance(**values: Any) -> State:
    """A running instance of the present revision, started at 0."""
    known = {"number": 1, "pid": 7, "revision": "r1", "token": 0, "started_at": 0.0, "phase": Phase.RUNNING}
    return State(Instance(**{**known, **values}), History(number=1, attempts=1, revision="r1"))


def ended(exit: ExitStatus | None = FAILED, **values: Any) -> State:
    """Its first run ended by itself at 0."""
    known = {
        "number": 1,
        "attempts": 1,
        "revision": "r1",
        "ending": Ending.ITSELF,
        "ended_at": 0.0,
        "streak": 1,
    }
    return State(None, History(**{**known, "exit": exit, **values}))


def refused(transient: bool = False, **values: Any) -> State:
    known = {"ending": None, "error": "cannot start web: no such file", "error_transient": transient}
    return ended(None, **{**known, **values})


def on(
    want: Intent,
    state: State = NOTHING_SEEN,
    now: float = 100.0,
    others: tuple[tuple[Intent, State], ...] = (),
    **more: Any,
) -> Decision:
    """The decision on web."""
    seen = {other.spec.name: there for other, there in others} | {"web": state}
    everything = desired(want, *(other for other, _ in others), ending=more.pop("ending", False))
    return decide("web", everything, seen, now, Policy(**more))


class TestNothingRuns:
    def test_what_is_wanted_is_started_as_its_next_run(self) -> None:
        assert on(wanted()).action == Start("web", 1, "wanted up")
        assert on(wanted(), ended(ending=Ending.UNWANTED)).action == Start("web", 2, "wanted up")

    @pytest.mark.parametrize(
        ("want", "up"),
        [(wanted(), True), (wanted(autostart=False), False), (wanted(held=False), False),
         (wanted(autostart=False, held=True), True), (wanted(held=True, deleting=True), False)],
    )  # fmt: skip
    def test_deletion_then_the_hold_then_the_spec_decide_whether_it_is_up(
        self, want: Intent, up: bool
    ) -> None:
        assert isinstance(on(want).action, Start) is up

    def test_a_stop_says_who_and_pmond_going_down_says_so(self) -> None:
        assert on(wanted(held=False)).reason == "stopped by ana"
        assert on(wanted(), ending=True).reason == "pmond is shutting down"
        assert on(wanted(autostart=False)).rule is Rule.DOWN

    def test_a_deleted_one_is_forgotten(self) -> None:
        assert on(wanted(deleting=True), ended()).action == Forget("web")

    def test_the_first_restart_after_a_crash_is_at_once(self) -> None:
        assert on(wanted(), ended(), now=0.0).action == Start("web", 2, "exited with code 1")

    def test_the_second_waits_and_says_until_when(self) -> None:
        decision = on(wanted(restart={"jitter": 0.0}), ended(streak=2), now=0.05)
        assert (decision.rule, decision.wake_at, decision.action) == (Rule.BACKOFF, 0.1, None)
        assert on(wanted(restart={"jitter": 0.0}), ended(streak=2), now=0.1).rule is Rule.RESTART

    def test_an_edited_policy_applies_to_the_run_that_has_just_ended(self) -> None:
        crashed = ended()
        assert on(wanted(restart={"policy": "never"}), crashed).rule is Rule.NEVER
        assert on(wanted(no_auto_restart=True), crashed).reason == "exited with code 1; it is not restarted"
        assert on(wanted(restart={"policy": "on-failure"}), crashed).rule is Rule.RESTART

    @pytest.mark.parametrize(
        ("policy", "rule"),
        [("always", Rule.RESTART), ("on-failure", Rule.COMPLETED), ("never", Rule.COMPLETED)],
    )
    def test_success_completes_a_one_shot(self, policy: str, rule: Rule) -> None:
        assert on(wanted(restart={"policy": policy}), ended(SUCCESS)).rule is rule

    def test_an_unknown_exit_is_no_success(self) -> None:
        assert on(wanted(restart={"policy": "on-failure"}), ended(ExitStatus())).rule is Rule.RESTART

    def test_an_edit_or_a_restart_is_a_fresh_start_whatever_was_before(self) -> None:
        hopeless = ended(streak=20, failures=(0.0, 0.0, 0.0))
        never: dict[str, Any] = {"restart": {"policy": "never", "max_failures": 3}}
        assert on(wanted(**never), hopeless, now=0.0).rule is Rule.NEVER
        assert on(wanted(revision="r2", **never), hopeless, now=0.0).rule is Rule.START
        assert on(wanted(token=1, **never), hopeless, now=0.0).rule is Rule.START

    def test_a_final_exit_code_is_final(self) -> None:
        want = wanted(restart={"no_restart_exit_codes": [78]})
        assert (
            on(want, ended(ExitStatus(78))).reason == "exited with code 78, after which it is not restarted"
        )
        assert on(want, ended()).rule is Rule.RESTART

    def test_too_many_failures_end_the_tries_for_good_and_say_what_to_do(self) -> None:
        want = wanted(restart={"max_failures": 3, "window": "60s"})
        decision = on(want, ended(failures=(0.0, 1.0, 2.0)), now=1e6)
        assert (decision.rule, decision.wake_at) == (Rule.GAVE_UP, None)
        assert "failed 3 times in 1m" in decision.reason and "pmon3 restart web" in decision.reason

    def test_a_program_that_cannot_be_started_counts_as_failed_too(self) -> None:
        want = wanted(restart={"max_failures": 2})
        assert on(want, refused(failures=(0.0, 1.0))).rule is Rule.GAVE_UP
        assert on(wanted(restart={"policy": "never"}), refused()).reason == "cannot start web: no such file"

    def test_want_of_resources_is_retried_whatever_the_policy_says(self) -> None:
        want = wanted(restart={"policy": "never", "max_failures": 1})
        decision = on(want, refused(transient=True, streak=2), now=0.0)
        assert decision.rule is Rule.BACKOFF and decision.wake_at is not None
        assert on(want, refused(transient=True, streak=2), now=1.0).rule is Rule.RESTART

    @pytest.mark.parametrize("last", [refused(streak=3), ended(SUCCESS, streak=3)])
    def test_in_a_flap_period_what_does_not_count_as_flapping_still_backs_off(self, last: State) -> None:
        period = replace(last.history, flap=replace(last.history.flap, since=0.0, restarts=(0.0,)))
        flapping = FlapPolicy(True, 1, 60.0, 30.0)
        decision = on(wanted(), State(None, period), now=0.0, flap=flapping)
        assert decision.rule is Rule.BACKOFF and decision.wake_at is not None and decision.wake_at > 0.0


class TestDependencies:
    WEB = wanted(dependencies=["db"])
    DB = wanted("db")

    def test_a_first_start_waits_until_the_dependency_has_settled(self) -> None:
        young = on(self.WEB, now=0.5, others=((self.DB, instance()),))
        assert (young.rule, young.wake_at) == (Rule.AWAIT_DEPENDENCIES, 1.0)
        assert on(self.WEB, now=1.0, others=((self.DB, instance()),)).rule is Rule.START

    def test_a_dependency_that_is_down_says_how_to_start_it(self) -> None:
        decision = on(self.WEB, others=((wanted("db", held=False), State()),))
        assert decision.reason == "waits for db, which is stopped (pmon3 start db)"
        assert decision.wake_at is None

    @pytest.mark.parametrize(
        "db", [wanted("db", token=1), wanted("db", revision="r2"), wanted("db", held=False)]
    )
    def test_a_dependency_that_is_about_to_be_stopped_is_not_met(self, db: Intent) -> None:
        assert on(self.WEB, others=((db, instance()),)).rule is Rule.AWAIT_DEPENDENCIES

    def test_a_deferred_revision_of_a_dependency_is_met(self) -> None:
        db = wanted("db", revision="r2", deferred=True)
        assert on(self.WEB, others=((db, instance()),)).rule is Rule.START

    def test_a_completed_one_shot_is_met_until_it_is_to_run_again(self) -> None:
        job = wanted("db", restart={"policy": "on-failure"})
        assert on(self.WEB, others=((job, ended(SUCCESS)),)).rule is Rule.START
        again = wanted("db", token=1, restart={"policy": "on-failure"})
        assert on(self.WEB, others=((again, ended(SUCCESS)),)).rule is Rule.AWAIT_DEPENDENCIES

    def test_a_crashed_process_is_restarted_whatever_its_dependencies_do(self) -> None:
        assert on(self.WEB, ended(), others=((self.DB, State()),)).rule is Rule.RESTART

    def test_what_others_need_is_stopped_last(self) -> None:
        db = wanted("web", held=False)
        up, down = wanted("api", dependencies=["web"]), wanted("api", dependencies=["web"], held=False)
        assert on(db, instance(), others=((down, instance()),)).reason == "ends after api"
        assert on(db, instance(), others=((down, State()),)).rule is Rule.STOP
        many = tuple((wanted(f"api{n}", dependencies=["web"], held=False), instance()) for n in range(5))
        assert on(db, instance(), others=many).reason == "ends after api0, api1, api2 and others"
        assert on(db, instance(), others=((up, instance()),)).rule is Rule.STOP


class TestAnInstanceRuns:
    def test_it_is_left_alone(self) -> None:
        assert on(wanted(), instance()) == Decision(Rule.RUNNING)

    def test_it_counts_as_running_after_a_moment(self) -> None:
        assert on(wanted(), instance(phase=Phase.STARTING), now=0.0).wake_at == 0.2

    def test_unwanted_it_is_asked_to_end(self) -> None:
        decision = on(wanted(held=False, stop={"signal": "SIGINT", "timeout": "3s"}), instance())
        assert decision.action == Stop("web", 1, Ending.UNWANTED, 2, 3.0, True, "stopped by ana")

    def test_force_does_not_ask(self) -> None:
        assert isinstance(on(wanted(held=False, forced=True), instance()).action, Kill)
        assert on(wanted(forced=True), instance()).rule is Rule.RUNNING

    def test_going_down_with_pmond_is_remembered_as_that(self) -> None:
        action = on(wanted(), instance(), ending=True).action
        assert isinstance(action, Stop) and action.ending is Ending.SHUTDOWN

    def test_sigkill_comes_when_the_grace_is_over_and_again_when_it_does_not_help(self) -> None:
        asked = {"phase": Phase.STOPPING, "kill_at": 10.0}
        assert on(wanted(held=False), instance(**asked), now=9.9).wake_at == 10.0
        assert isinstance(on(wanted(held=False), instance(**asked), now=10.0).action, Kill)
        killed = instance(**asked, killed_at=10.0)
        assert on(wanted(held=False), killed, now=11.0).wake_at == 12.0
        assert isinstance(on(wanted(held=False), killed, now=12.0).action, Kill)

    def test_a_new_revision_or_token_replaces_it(self) -> None:
        for want, reason in (
            (wanted(revision="r2"), "its spec changed"),
            (wanted(token=1), "a restart was asked for"),
        ):
            decision = on(want, instance())
            assert isinstance(decision.action, Stop) and decision.action.ending is Ending.SUPERSEDED
            assert decision.reason == reason

    def test_a_deferred_revision_waits_for_the_next_start(self) -> None:
        later = wanted(revision="r2", deferred=True)
        assert on(later, instance()).rule is Rule.RUNNING
        assert on(later, ended()).rule is Rule.START
        assert on(wanted(revision="r2", token=1, deferred=True), instance()).rule is Rule.REPLACE

    def test_a_stop_that_an_earlier_pmond_began_is_finished(self) -> None:
        begun = instance(ending=Ending.SHUTDOWN, adopted=True)
        stop = on(wanted(), begun).action
        assert isinstance(stop, Stop) and stop.ending is Ending.SHUTDOWN
        stop = on(wanted(held=False), begun).action
        assert isinstance(stop, Stop) and stop.ending is Ending.UNWANTED

    @pytest.mark.parametrize("kill_group", [True, False])
    def test_what_its_main_program_left_behind_is_cleared_as_a_tree(self, kill_group: bool) -> None:
        want = wanted(stop={"kill_group": kill_group})
        left = instance(phase=Phase.STOPPING, ended_at=5.0, exit=FAILED)
        stop = on(want, left).action
        assert isinstance(stop, Stop) and stop.tree and stop.ending is Ending.ITSELF
        kill = on(want, replace(left, instance=replace(left.instance, kill_at=6.0))).action  # type: ignore[type-var]
        assert isinstance(kill, Kill) and kill.tree
