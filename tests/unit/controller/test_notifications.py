"""When event handlers are told, and when not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from tests.support.factories import desired, wanted

from pmond.core.evolve import evolve
from pmond.core.facts import Adopted, Exited, Fact, Reset, RestartAsked, Spawned, SpawnFailed, StopSent
from pmond.core.model import NOTHING_SEEN, Desired, Ending, ExitStatus, FlapPolicy, Intent, Policy, State
from pmond.core.notifications import Notification, NotificationType, notification

FAILED = ExitStatus(code=3)
POLICY = Policy()
ENDED = Exited("web", 1, FAILED)
ONE = Spawned("web", 1, 10, "r1", 0)
TWO = Spawned("web", 2, 11, "r1", 0)


def told(
    want: Intent, *steps: Sequence[Any], now: float = 5.0, policy: Policy = POLICY
) -> list[Notification | None]:
    """What each turn of these facts is notified of."""
    state, found, wants = NOTHING_SEEN, [], desired(want)
    for facts in steps:
        before = state
        for fact in facts:
            state = evolve(state, want, fact, now, policy)
        found.append(notification("web", before, wants, {"web": state}, now, policy))
    return found


def words(found: list[Notification | None]) -> list[str]:
    return ["" if one is None else one.type.value for one in found]


def test_a_restart_is_told_once_and_the_first_start_is_not() -> None:
    found = told(wanted(), [ONE], [ENDED], [TWO])
    assert words(found) == ["", "", "restart"]
    assert found[2] == Notification("web", NotificationType.RESTART, "exited with code 3")


def test_an_end_and_its_restart_in_one_turn_are_one_restart() -> None:
    assert words(told(wanted(), [ONE], [Exited("web", 1, FAILED), TWO])) == ["", "restart"]


def test_a_restart_that_a_person_asked_for_is_not_told() -> None:
    asked = Spawned("web", 2, 11, "r1", 1)
    steps = [ONE], [RestartAsked("web"), StopSent("web", 1, Ending.SUPERSEDED, 9.0)], [
        Exited("web", 1, ExitStatus(signal=15)), asked,
    ]  # fmt: skip
    assert words(told(wanted(token=1), *steps)) == ["", "", ""]


@pytest.mark.parametrize(
    "values",
    [
        {"no_auto_restart": True},
        {"restart": {"no_restart_exit_codes": [3]}},
        {"restart": {"max_failures": 1}},
    ],
)
def test_an_end_for_good_is_a_failure(values: dict[str, Any]) -> None:
    found = told(wanted(**values), [ONE], [ENDED], [Reset("web")])
    assert words(found) == ["", "failure", ""]


def test_a_program_that_cannot_start_and_is_not_restarted_is_a_failure() -> None:
    failed = SpawnFailed("web", 1, "r1", 0, "FileMissing", "cannot start web: no such file")
    found = told(wanted(no_auto_restart=True), [failed])
    assert found == [Notification("web", NotificationType.FAILURE, "cannot start web: no such file")]


def test_a_success_and_a_stop_are_not_told() -> None:
    done = told(wanted(no_auto_restart=True), [ONE], [Exited("web", 1, ExitStatus(code=0))])
    assert words(done) == ["", ""]
    stop: list[Fact] = [StopSent("web", 1, Ending.UNWANTED, 9.0), Exited("web", 1, ExitStatus(signal=15))]
    assert words(told(wanted(held=False), [ONE], stop)) == ["", ""]


def test_flap_detection_is_told_when_it_holds_back() -> None:
    policy = Policy(flap=FlapPolicy(enabled=True, threshold=1))
    steps = [ONE], [Exited("web", 1, FAILED), TWO], [Exited("web", 2, FAILED)]
    found = told(wanted(), *steps, policy=policy)
    assert words(found) == ["", "restart", "backoff"]
    assert found[2] is not None
    assert "1 of 1 restarts used" in found[2].reason


def test_a_delay_between_restarts_is_no_backoff() -> None:
    assert words(told(wanted(), [ONE], [Exited("web", 1, FAILED), TWO], [Exited("web", 2, FAILED)])) == [
        "",
        "restart",
        "",
    ]


def test_a_survivor_that_is_taken_over_is_not_told() -> None:
    before = State(None, evolve(NOTHING_SEEN, wanted(), ONE, 1.0, Policy()).history)
    after = evolve(before, wanted(), Adopted("web", 1, 10, "r1", 0, 4.0), 5.0, Policy())
    assert notification("web", before, Desired({"web": wanted()}), {"web": after}, 5.0, Policy()) is None
