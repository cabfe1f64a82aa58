"""The laws of rollouts notice what is wrong: faults planted in the core are caught by the same stories."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, find, settings
from hypothesis.errors import NoSuchExample
from msgspec.structs import replace
from tests.property.test_rollouts import STORIES, RolloutStory, told

from pmond.core import difference, pace, rollout
from pmond.core.rollout import CONTINUE, Advance, Progress, Rollout, RolloutOptions, to_json

pytestmark = pytest.mark.slow

Patch = pytest.MonkeyPatch


def order_through_others_ignored(patch: Patch) -> None:
    """The defect of an earlier version: one waited for another of a later wave, for ever."""
    right = rollout.rollout_of

    def short(comparison: Any, needs: Any, options: RolloutOptions) -> Rollout | None:
        names = {step.name for step in comparison.steps}
        kept = {name: [n for n in needed if n in names] for name, needed in needs.items() if name in names}
        return right(comparison, kept, options)

    patch.setattr("tests.support.declared_world.rollout_of", short)


def waves_ignored(patch: Patch) -> None:
    right = rollout._next

    def flat(one: Rollout, *more: Any) -> tuple[str, ...]:
        return right(replace(one, waves=(tuple(n for wave in one.waves for n in wave),)), *more)

    patch.setattr(rollout, "_next", flat)


def width_ignored(patch: Patch) -> None:
    right = rollout._next
    patch.setattr(rollout, "_next", lambda one, *more: right(replace(one, parallel=9), *more))


def those_under_way_not_counted(patch: Patch) -> None:
    right = rollout._next

    def forgetful(one: Rollout, progress: Any, moving: Any, blocked: Any) -> tuple[str, ...]:
        return right(one, progress, set(), blocked)

    patch.setattr(rollout, "_next", forgetful)


def goes_on_after_a_failure(patch: Patch) -> None:
    right = rollout.advance
    patch.setattr(
        "tests.support.declared_world.advance",
        lambda one, *more: right(replace(one, on_failure=CONTINUE), *more),
    )


def dependants_of_a_failure_let_go(patch: Patch) -> None:
    patch.setattr(rollout, "_depending_on", lambda failed, one: set())


def all_blocked_by_a_failure(patch: Patch) -> None:
    patch.setattr(
        rollout, "_depending_on", lambda failed, one: {n for w in one.waves for n in w} if failed else set()
    )


def failure_taken_for_the_end(patch: Patch) -> None:
    """It does not wait for what is on its way."""
    right = rollout.advance

    def hasty(one: Rollout, progress: Any, gone: bool) -> Advance:
        failed = Progress.FAILED in progress.values()
        return rollout._ended(one, progress) if failed else right(one, progress, gone)

    patch.setattr("tests.support.declared_world.advance", hasty)


def on_its_way_is_ready(patch: Patch) -> None:
    right = pace.progress_of

    def hasty(*seen: Any) -> Progress:
        where = right(*seen)
        return Progress.READY if where is Progress.MOVING else where

    patch.setattr(pace, "progress_of", hasty)


def crash_not_seen(patch: Patch) -> None:
    right = pace.progress_of

    def blind(*seen: Any) -> Progress:
        where = right(*seen)
        return Progress.READY if where is Progress.FAILED else where

    patch.setattr(pace, "progress_of", blind)


def patience_without_end(patch: Patch) -> None:
    patch.setattr(pace, "overdue_at", lambda *seen: 1e9)


def what_was_skipped_is_no_difference(patch: Patch) -> None:
    patch.setattr(difference, "_why_start", lambda *seen: "")


def needs_not_kept(patch: Patch) -> None:
    right = to_json
    patch.setattr("tests.property.test_rollouts.to_json", lambda one: right(one) | {"needs": {}})


def restarts_not_kept(patch: Patch) -> None:
    right = to_json
    patch.setattr("tests.property.test_rollouts.to_json", lambda one: right(one) | {"restarts": []})


FAULTS: list[Callable[[Patch], None]] = [
    order_through_others_ignored, waves_ignored, width_ignored, those_under_way_not_counted,
    goes_on_after_a_failure, dependants_of_a_failure_let_go, all_blocked_by_a_failure,
    failure_taken_for_the_end, on_its_way_is_ready, crash_not_seen, patience_without_end,
    what_was_skipped_is_no_difference, needs_not_kept, restarts_not_kept,
]  # fmt: skip


def is_broken(story: RolloutStory) -> bool:
    try:
        told(story)
    except AssertionError:
        return True
    return False


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__.replace("_", "-"))
def test_a_planted_fault_is_caught(fault: Callable[[Patch], None], monkeypatch: Patch) -> None:
    fault(monkeypatch)
    once = settings(
        max_examples=1500, phases=[Phase.generate], derandomize=True, database=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    try:
        find(STORIES, is_broken, settings=once)
    except NoSuchExample:
        pytest.fail(f"no story noticed: {fault.__name__}")
