"""What is published: the word, the reason, the conditions."""

from __future__ import annotations

import pytest
from tests.support.factories import desired, wanted

from pmon3_schema.status import Status
from pmond.core.case import Rule
from pmond.core.evolve import evolve
from pmond.core.facts import Exited, Spawned, StopSent
from pmond.core.model import NOTHING_SEEN, Ending, ExitStatus, History, Instance, Intent, Phase, Policy, State
from pmond.core.report import STATUS_OF_RULE, condition_values, exit_words, report

RUNS = State(Instance(1, 7, "r1", 0, 0.0, Phase.RUNNING), History(1, 1, "r1"))
CRASHED = State(None, History(1, 1, "r1", ending=Ending.ITSELF, exit=ExitStatus(1), ended_at=0.0, streak=9))


@pytest.mark.parametrize(
    ("want", "state", "word"),
    [
        (wanted(), NOTHING_SEEN, Status.QUEUED),
        (wanted(), RUNS, Status.RUNNING),
        (wanted(), State(Instance(1, 7, "r1", 0, 0.0)), Status.INIT),
        (wanted(held=False), NOTHING_SEEN, Status.STOPPED),
        (wanted(held=False), RUNS, Status.STOPPING),
        (wanted(token=1), RUNS, Status.RESTARTING),
        (wanted(), CRASHED, Status.BACKOFF),
        (wanted(no_auto_restart=True), CRASHED, Status.FAILED),
        (wanted(dependencies=["web"]), NOTHING_SEEN, Status.WAITING),
        (wanted(deleting=True), NOTHING_SEEN, Status.STOPPED),
    ],
)
def test_the_words(want: Intent, state: State, word: Status) -> None:
    assert report("web", desired(want), {"web": state}, 0.1, Policy()).status is word


def test_success_of_a_one_shot_is_completed_and_ready() -> None:
    done = State(None, History(1, 1, "r1", ending=Ending.ITSELF, exit=ExitStatus(0), ended_at=0.0))
    want = wanted(restart={"policy": "on-failure"})
    seen = report("web", desired(want), {"web": done}, 1.0, Policy())
    assert (seen.status, seen.ready) == (Status.COMPLETED, True)


def test_what_went_down_with_pmond_is_closed_and_comes_back() -> None:
    want, state = wanted(), RUNS
    for fact in (StopSent("web", 1, Ending.SHUTDOWN, 10.0), Exited("web", 1, ExitStatus(signal=15))):
        state = evolve(state, want, fact, 1.0, Policy())
    assert report("web", desired(want, ending=True), {"web": state}, 1.0, Policy()).status is Status.CLOSED
    assert report("web", desired(want), {"web": state}, 2.0, Policy()).status is Status.QUEUED
    back = evolve(state, want, Spawned("web", 2, 8, "r1", 0), 2.0, Policy())
    assert report("web", desired(want), {"web": back}, 2.0, Policy()).status is Status.INIT
    assert back.history.restart_count == 0


def test_backoff_says_why_and_when() -> None:
    seen = report("web", desired(wanted(restart={"jitter": 0.0})), {"web": CRASHED}, 0.0, Policy())
    assert seen.next_start_at == 12.8
    assert seen.reason == "exited with code 1; next restart in 12.8s"


def test_every_rule_without_a_word_of_its_own_goes_by_what_is_wanted() -> None:
    assert set(Rule) - STATUS_OF_RULE.keys() == {
        Rule.CLEAR_TREE, Rule.AWAIT_KILLED, Rule.AWAIT_STOPPED, Rule.HOOK, Rule.DOWN,
    }  # fmt: skip


def conditions(want: Intent, state: State) -> dict[str, str]:
    return {t.type: t.status for t in condition_values("web", desired(want), {"web": state}, 100.0, Policy())}


def test_conditions_answer_ready_progressing_stalled_held_and_out_of_date() -> None:
    assert conditions(wanted(held=True), RUNS) == {
        "Ready": "True", "Progressing": "False", "Stalled": "False", "Held": "True",
        "RestartRequired": "False",
    }  # fmt: skip
    assert conditions(wanted(revision="r2", deferred=True), RUNS)["RestartRequired"] == "True"
    assert conditions(wanted(no_auto_restart=True), CRASHED)["Stalled"] == "True"


def test_the_last_exit_is_a_code_or_the_name_of_a_signal() -> None:
    assert exit_words(NOTHING_SEEN) == (None, None)
    assert exit_words(CRASHED) == (1, None)
    assert exit_words(State(None, History(exit=ExitStatus(signal=11)))) == (None, "SIGSEGV")


@pytest.mark.parametrize(("now", "reason"), [(11.9, "Moving"), (12.0, "StopFailed")])
def test_a_tree_that_outlives_sigkill_is_said_to_be_stalled(now: float, reason: str) -> None:
    instance = Instance(
        1, 7, "r1", 0, 0.0, Phase.STOPPING, Ending.UNWANTED, kill_at=10.0, killed_at=10.0, ended_at=10.1
    )
    found = condition_values("web", desired(wanted()), {"web": State(instance)}, now, Policy(empty_tree=2.0))
    assert [truth.reason for truth in found if truth.type == "Stalled"] == [reason]
