"""What is published about a process, derived last from desired, observed and the time.

The status word comes from the very decision that the planner made. Conditions answer the
questions people ask: is it ready, is it what was declared, is it on its way, is it stuck.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from pmon3_schema.scalars import format_duration, signal_name
from pmon3_schema.status import Status
from pmond.core import flap
from pmond.core.case import Decision, Rule, changed_files, is_ready, waits_for_restart, why_held
from pmond.core.condition import ConditionValue
from pmond.core.decide import decide
from pmond.core.hooking import Moment
from pmond.core.model import NOTHING_SEEN, Desired, Ending, Hold, Intent, Observed, Phase, Policy, State

STATUS_OF_RULE = {
    Rule.AWAIT_DEPENDANTS: Status.STOPPING,
    Rule.STOP: Status.STOPPING,
    Rule.FORCE: Status.STOPPING,
    Rule.REPLACE: Status.RESTARTING,
    Rule.STOP_AGAIN: Status.STOPPING,
    Rule.NOT_READY: Status.RESTARTING,
    Rule.UNHEALTHY: Status.RESTARTING,
    Rule.OVERDUE: Status.RESTARTING,
    Rule.OVERSIZE: Status.RESTARTING,
    Rule.STARTING: Status.INIT,
    Rule.RELOAD: Status.RUNNING,
    Rule.RUNNING: Status.RUNNING,
    Rule.PLAN_RUN: Status.SCHEDULED,
    Rule.SCHEDULED: Status.SCHEDULED,
    Rule.FORGET: Status.STOPPED,
    Rule.AWAIT_DEPENDENCIES: Status.WAITING,
    Rule.START: Status.QUEUED,
    Rule.COMPLETED: Status.COMPLETED,
    Rule.NEVER: Status.FAILED,
    Rule.NO_RESTART_CODE: Status.FAILED,
    Rule.GAVE_UP: Status.FAILED,
    Rule.FLAPPING: Status.BACKOFF,
    Rule.BACKOFF: Status.BACKOFF,
    Rule.RESTART: Status.QUEUED,
}


SPEC_CHANGED = "SpecChanged"
"""The reason why a restart is required that was put off when its spec changed."""


class Report(Struct, frozen=True):
    """The published state of one process."""

    status: Status
    reason: str
    ready: bool
    next_start_at: float | None
    """When it is started again, in the loop's time, if that is known."""
    blocker: str = ""
    """The dependency that failed for good, where it waits for one."""


def report(name: str, desired: Desired, observed: Observed, now: float, policy: Policy) -> Report:
    """What to publish about `name`."""
    decision = decide(name, desired, observed, now, policy)
    state = observed.get(name, NOTHING_SEEN)
    status = _status(decision, desired, name, state)
    if decision.rule is Rule.PLAN_RUN and state.instance is not None:
        status = Status.RUNNING if state.instance.phase is Phase.RUNNING else Status.INIT
    reason = decision.reason
    next_start_at = decision.wake_at if status is Status.BACKOFF else None
    if next_start_at is not None:
        reason = f"{reason}; next restart in {format_duration(max(0.1, round(next_start_at - now, 1)))}"
    ready = status in (Status.COMPLETED, Status.SCHEDULED) or (
        status is Status.RUNNING and not _lost_readiness(desired, name, state)
    )
    return Report(status, reason, ready, next_start_at, decision.blocker)


def _lost_readiness(desired: Desired, name: str, state: State) -> bool:
    wanted, instance = desired.wanted.get(name), state.instance
    if wanted is None or instance is None:
        return False
    return not is_ready(wanted, instance)


def _status(decision: Decision, desired: Desired, name: str, state: State) -> Status:
    if decision.rule in STATUS_OF_RULE:
        return STATUS_OF_RULE[decision.rule]
    if decision.rule is Rule.HOOK:
        return _status_in_hook(desired, name, state)
    if decision.rule is Rule.DOWN:
        wanted = desired.wanted.get(name)
        if wanted is not None and wanted.staged and not wanted.deleting:
            return Status.WAITING
        if wanted is not None and wanted.is_none:
            return Status.STOPPED
        return Status.CLOSED if state.history.ending is Ending.SHUTDOWN else Status.STOPPED
    return Status.RESTARTING if desired.up(name) else Status.STOPPING


def _status_in_hook(desired: Desired, name: str, state: State) -> Status:
    """Before a start it is being started; after an end it is being stopped, whatever comes then."""
    hooking = state.history.hooking
    if hooking is not None and hooking.moment is Moment.PRE_START:
        return Status.INIT if desired.up(name) else Status.STOPPING
    wanted = desired.wanted.get(name)
    again = wanted is not None and desired.up(name) and wanted.spec.policy == "always"
    return Status.RESTARTING if again else Status.STOPPING


def condition_values(
    name: str, desired: Desired, observed: Observed, now: float, policy: Policy
) -> Iterator[ConditionValue]:
    """The conditions of `name`."""
    seen = report(name, desired, observed, now, policy)
    wanted = desired.wanted.get(name)
    state = observed.get(name, NOTHING_SEEN)
    word = seen.status.word.capitalize()
    lost = seen.status is Status.RUNNING and not seen.ready
    ends = lost and state.instance is not None and state.instance.ends_itself
    word_of_ready = "EndsItself" if ends else "ProbeFailed" if lost else word
    yield ConditionValue("Ready", seen.ready, word_of_ready, seen.reason)
    yield ConditionValue(
        "Progressing",
        seen.status in {Status.QUEUED, Status.INIT, Status.RESTARTING, Status.STOPPING, Status.WAITING},
        word,
    )
    yield _stop_failed(state, now, policy) or _stalled(seen, wanted)
    if wanted is not None:
        yield _held(wanted.hold)
        yield _restart_required(wanted, state)
    if policy.flap.enabled:
        used = flap.used(state.history.flap, policy.flap, now)
        held_back = flap.current(state.history.flap, policy.flap, now).since is not None
        yield ConditionValue(
            "Flapping", held_back, "Restarts", f"{used} of {policy.flap.threshold} restarts used"
        )


def _stop_failed(state: State, now: float, policy: Policy) -> ConditionValue | None:
    instance = state.instance
    if instance is None or instance.killed_at is None or instance.kill_at is None:
        return None
    if now < instance.kill_at + policy.empty_tree:
        return None
    message = "SIGKILL did not end it (it waits for a device, or is out of reach); it is sent again and again"
    return ConditionValue("Stalled", True, "StopFailed", message)


def _stalled(seen: Report, wanted: Intent | None) -> ConditionValue:
    if seen.status is Status.FAILED:
        return ConditionValue("Stalled", True, "Failed", seen.reason)
    return ConditionValue("Stalled", False, "Moving" if wanted is not None else "Deleted")


def _held(hold: Hold | None) -> ConditionValue:
    if hold is None:
        return ConditionValue("Held", False, "NoHold")
    side = "Started" if hold.up else "Stopped"
    return ConditionValue("Held", True, side, f"{side.lower()} by {hold.by} at {hold.at}{why_held(hold)}")


def _restart_required(wanted: Intent, state: State) -> ConditionValue:
    instance = state.instance
    if instance is not None and instance.phase < Phase.STOPPING and waits_for_restart(wanted, state):
        message = "it runs with an earlier spec; a restart brings the new one"
        if not instance.revision:
            message = (
                "the state was lost, and with it what it was started with; a restart brings what is declared"
            )
        return ConditionValue("RestartRequired", True, SPEC_CHANGED, message)
    changed = changed_files(state) if wanted.spec.on_change == "none" else ()
    if changed:
        message = f"{', '.join(changed)} changed since it was started; a restart brings the new contents"
        return ConditionValue("RestartRequired", True, "FilesChanged", message)
    if instance is not None and instance.reload_error:
        message = f"it was told of a change and that failed: {instance.reload_error}"
        return ConditionValue("RestartRequired", True, "ReloadFailed", message)
    return ConditionValue("RestartRequired", False, "UpToDate")


def exit_words(state: State) -> tuple[int | None, str | None]:
    """The last exit as (code, signal name) for the published row."""
    exit = state.history.exit
    if exit is None:
        return None, None
    return exit.code, signal_name(exit.signal) if exit.signal is not None else None
