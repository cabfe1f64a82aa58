"""Occasions for event handlers: a restart, a failure for good, a backoff of flap detection.

Derived from the states before and after a turn and from the planner's own decision, so that a
handler is told what pmond does and nothing else. Manual restarts, stops and
successful exits trigger no handler.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from pmond.core.case import Rule, why_ended
from pmond.core.decide import decide
from pmond.core.model import NOTHING_SEEN, Desired, Ending, Instance, Observed, Policy, State


class NotificationType(StrEnum):
    """The word that a handler is told; its setting is `event_handling.process_WORD`."""

    RESTART = "restart"
    FAILURE = "failure"
    BACKOFF = "backoff"
    READY = "ready"
    UNHEALTHY = "unhealthy"


class Notification(Struct, frozen=True):
    """One thing that handlers are told about one process."""

    name: str
    type: NotificationType
    reason: str


_TYPE_OF_RULE = {
    Rule.NEVER: NotificationType.FAILURE,
    Rule.NO_RESTART_CODE: NotificationType.FAILURE,
    Rule.GAVE_UP: NotificationType.FAILURE,
    Rule.FLAPPING: NotificationType.BACKOFF,
}


def notification(
    name: str, before: State, desired: Desired, observed: Observed, now: float, policy: Policy
) -> Notification | None:
    """What the step of `name` from `before` to what is observed now is worth a notification of."""
    after = observed.get(name, NOTHING_SEEN)
    if not _is_another_run(before, after):
        return _of_its_health(name, before.instance, after.instance)
    if after.instance is not None:
        return _restart(name, after)
    decision = decide(name, desired, observed, now, policy)
    type = _TYPE_OF_RULE.get(decision.rule)
    return Notification(name, type, decision.reason) if type is not None else None


def _of_its_health(name: str, old: Instance | None, new: Instance | None) -> Notification | None:
    """What the probes of a run have found."""
    if old is None or new is None:
        return None
    if old.ready_at is None and new.ready_at is not None and new.ready.ok:
        return Notification(name, NotificationType.READY, new.ready.message)
    if old.ending is not new.ending and new.ending is Ending.UNHEALTHY:
        return Notification(name, NotificationType.UNHEALTHY, new.stop_reason)
    return None


def _is_another_run(before: State, after: State) -> bool:
    """A run ended, began, or could not begin."""
    old = before.instance.number if before.instance is not None else None
    new = after.instance.number if after.instance is not None else None
    return old != new or before.history.number != after.history.number


def _restart(name: str, after: State) -> Notification | None:
    history, instance = after.history, after.instance
    again = history.attempts > 1 and history.ending is not None and history.ending.counts
    if instance is None or instance.adopted or not again:
        return None
    return Notification(name, NotificationType.RESTART, why_ended(history))
