"""What a wait makes of one process at one moment. Pure.

Judged on nothing older than the caller's own request: an instance of an earlier token does not
count, nor does an end that happened before.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from msgspec import Struct
from msgspec.structs import replace

from pmon3_schema.goals import WaitCondition
from pmon3_schema.protocol import Promise
from pmon3_schema.rollout import AWAITS_TURN
from pmon3_schema.status import FINAL, Status
from pmond.core.blocked import blocked
from pmond.core.model import NOTHING_SEEN, Desired, Ending, Intent, Observed, Phase, Policy
from pmond.core.report import Report, condition_values, report
from pmond.runtime.views.wait_conditions import Verdict


class Sight(Struct, frozen=True):
    """All that it depends on."""

    desired: Desired
    observed: Observed
    now: float
    policy: Policy
    decided: Mapping[str, int]
    """For each process the last generation that was decided on."""
    quarantined: Mapping[str, str]
    rolling_out: Callable[[str], bool]
    """Whether a set is being rolled out."""


_MOST_STEPS = 5
_BY_RUNNING = frozenset({"ready", "completed", "exited", "synced"})
"""Conditions that a process which is never started cannot meet."""


def judge(target: Promise, condition: WaitCondition, sight: Sight) -> Verdict:
    """Whether a process is where a caller wants it, or cannot get there without somebody acting."""
    found = replace(_judged(target, condition, sight), steps=_steps(target, sight))
    if found.met:
        return replace(found, steps=_MOST_STEPS)
    looked_at = sight.decided.get(target.name, 0) >= target.generation
    if found.failed or not looked_at or condition.word not in _BY_RUNNING:
        return found
    way = blocked(target.name, sight.desired, sight.observed, sight.now, sight.policy)
    if not way.by:
        return replace(found, awaits=way.seen)
    return replace(found, failed=True, reason=way.reason, blocker=way.by, awaits=way.seen)


def _steps(target: Promise, sight: Sight) -> int:
    """How far it is on the way to an instance of that token; crashing again leads nowhere new."""
    one, state = sight.desired.wanted.get(target.name), sight.observed.get(target.name, NOTHING_SEEN)
    instance = state.instance
    token = instance.token if instance is not None else state.history.token
    if one is None or (token < target.token and (one.staged or one.deferred)):
        return 0
    if token < target.token:
        return 2 if instance is None or instance.phase is Phase.STOPPING else 1
    ended = instance is not None and instance.phase is Phase.STOPPING
    return 4 if ended else 3


def _judged(target: Promise, condition: WaitCondition, sight: Sight) -> Verdict:
    one = sight.desired.wanted.get(target.name)
    until = condition.word
    if one is None:
        met = until in {"deleted", "stopped"}
        return Verdict(met=met, failed=not met, reason="deleted")
    seen = report(target.name, sight.desired, sight.observed, sight.now, sight.policy)
    aside = sight.quarantined.get(target.name)
    if aside:
        return Verdict(failed=True, reason=f"internal error: {aside}")
    if sight.decided.get(target.name, 0) < target.generation:
        return Verdict(reason="it was not looked at since")
    if until == "stopped":
        return _stopped(target, seen, sight)
    if until == "deleted":
        # Whoever only waits (token 0) may wait for somebody else to delete it.
        kept = bool(target.token) and not one.deleting
        return Verdict(failed=kept, reason=f"it is {seen.status.word}")
    if until == "exited":
        return _exited(target, seen, sight, condition.code)
    if until == "synced":
        return _synced(one, seen, sight)
    if until == "condition":
        found = condition_values(target.name, sight.desired, sight.observed, sight.now, sight.policy)
        status = next((truth.status for truth in found if truth.type == condition.type), "Unknown")
        return Verdict(met=status == condition.status, reason=f"{condition.type} is {status}")
    return _up(target, one, seen, sight, until)


def _exited(target: Promise, seen: Report, sight: Sight, code: int | None) -> Verdict:
    """Its program ended by itself, with that code if one is asked for."""
    state = sight.observed.get(target.name, NOTHING_SEEN)
    history = state.history
    token = state.instance.token if state.instance is not None else history.token
    ended = history.ending is Ending.ITSELF and history.exit is not None and token >= target.token
    if ended and history.exit is not None and code in (None, history.exit.code):
        return Verdict(met=True)
    final = state.instance is None and seen.status in FINAL
    return Verdict(failed=final, reason=seen.reason or f"it is {seen.status.word}")


def _synced(one: Intent, seen: Report, sight: Sight) -> Verdict:
    """What runs, or has run to its end, is what is declared."""
    instance = sight.observed.get(one.name, NOTHING_SEEN).instance
    if one.staged or (
        instance is not None and (instance.revision, instance.token) != (one.revision, one.token)
    ):
        stuck = (one.staged or one.deferred) and not sight.rolling_out(one.owner)
        return Verdict(failed=stuck, reason="it does not run with what is declared")
    if instance is None and seen.status is Status.FAILED:
        return Verdict(failed=True, reason=seen.reason)
    met = (instance is not None) == one.up or seen.status is Status.COMPLETED
    return Verdict(met=met, reason="it does not run")


def _stopped(target: Promise, seen: Report, sight: Sight) -> Verdict:
    state = sight.observed.get(target.name, NOTHING_SEEN)
    in_hook = seen.status is Status.STOPPING
    if state.instance is None and not sight.desired.up(target.name) and not in_hook:
        return Verdict(met=True)
    if state.instance is None and seen.status in {Status.FAILED, Status.COMPLETED}:
        return Verdict(met=True)
    if sight.desired.up(target.name) and target.token:
        return Verdict(failed=True, reason="it was started again")
    return Verdict(reason=seen.reason or f"it is {seen.status.word}")


def _up(target: Promise, wanted: Intent, seen: Report, sight: Sight, until: str) -> Verdict:
    state = sight.observed.get(target.name, NOTHING_SEEN)
    goal = {Status.COMPLETED} if until == "completed" else {Status.RUNNING, Status.COMPLETED}
    instance, history = state.instance, state.history
    token = instance.token if instance is not None else history.token
    reason = seen.reason or f"it is {seen.status.word}"
    if seen.status is Status.SCHEDULED and history.timing is not None and until == "ready":
        asked = target.token > max(token, history.timing.token) and not history.timing.stale
        return Verdict(met=not asked, reason="waits for its run")
    if token < target.token:
        if wanted.staged or wanted.deferred:
            if sight.rolling_out(wanted.owner):
                return Verdict(reason=AWAITS_TURN)
            return Verdict(failed=True, reason="skipped: the rollout ended before its turn")
        if not sight.desired.up(target.name):
            return Verdict(failed=True, reason=reason)
        return Verdict(reason=reason)
    if seen.status in goal:  # what runs may have lost its readiness, and may find it again
        return Verdict(met=seen.ready or until != "ready", reason=reason)
    if seen.status in {Status.FAILED, Status.STOPPED, Status.CLOSED}:
        return Verdict(failed=True, reason=reason)
    tried = (history.revision, history.token) == (wanted.revision, target.token)
    failed = tried and (history.ending is Ending.ITSELF or bool(history.error))
    if until == "ready" and target.token and failed and instance is None:
        return Verdict(failed=True, reason=reason)
    return Verdict(reason=reason)
