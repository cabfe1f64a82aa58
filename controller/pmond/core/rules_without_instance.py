"""The rules for a process that has no instance, in the order in which they are tried."""

from __future__ import annotations

from msgspec.structs import replace

from pmond.core import backoff, flap, needs
from pmond.core.actions import DropTiming, Forget, PlanRun, RunHook, Start
from pmond.core.case import Case, Decision, Rule, why_down, why_ended
from pmond.core.hooking import Moment, begun_before
from pmond.core.rules_final import completed, gave_up, never, no_restart_code
from pmond.core.rules_hooks import hook
from pmond.core.timing import is_known, why_now


def _forget(case: Case) -> Decision | None:
    if case.wanted is not None and not case.wanted.deleting:
        return None
    return Decision(Rule.FORGET, "deleted", Forget(case.name))


def _down(case: Case) -> Decision | None:
    if case.up:
        return None
    timing = case.state.history.timing
    given_up = case.wanted is not None and not case.wanted.up_in_turn
    if given_up and timing is not None and not timing.stale:
        return Decision(Rule.DOWN, why_down(case), DropTiming(case.name))
    return Decision(Rule.DOWN, why_down(case))


def _scheduled(case: Case) -> Decision | None:
    """What runs by a schedule starts when its time has come, or when it is asked for; else it waits."""
    if not case.spec.schedule.wanted or case.wanted is None:
        return None
    timing = case.state.history.timing
    if timing is None or not is_known(timing, case.spec.schedule):
        return Decision(Rule.PLAN_RUN, "its next run is worked out", PlanRun(case.name))
    if why := why_now(timing, case.wanted.token, case.now):
        return _await_all(case) or Decision(Rule.START, why, _start_of(case, why))
    again = _try_again(case)
    if again is None:
        return Decision(Rule.SCHEDULED, "between runs", wake_at=timing.start_at)
    times = [at for at in (again.wake_at, timing.start_at) if at is not None]
    return replace(again, wake_at=min(times, default=None)) if again.action is None else again


def _try_again(case: Case) -> Decision | None:
    """A run that failed is made again where the restart policy says so; None: it is not."""
    history = case.state.history
    failed = bool(history.error) or (
        history.ending is not None and history.ending.is_own and backoff.failed(case.spec, history)
    )
    if case.fresh or not failed or any(rule(case) for rule in (never, no_restart_code, gave_up)):
        return None
    return _flapping(case) or _backoff(case) or _restart(case)


def _await_dependencies(case: Case) -> Decision | None:
    return _await_all(case) if _first_start(case) else None


def _await_all(case: Case) -> Decision | None:
    waits = [wait for need in case.spec.dependencies if (wait := needs.unmet(case, need)) is not None]
    if not waits:
        return None
    times = [wait.wake_at for wait in waits if wait.wake_at is not None]
    return Decision(
        Rule.AWAIT_DEPENDENCIES,
        "waits for " + ", ".join(wait.text for wait in waits),
        wake_at=min(times) if times else None,
        waits_for=tuple(wait.name for wait in waits),
        blocker=next((wait.name for wait in waits if wait.hopeless), ""),
        idle=next((wait.name for wait in waits if wait.idle), ""),
    )


def _start(case: Case) -> Decision | None:
    if not _first_start(case):
        return None
    return Decision(Rule.START, "wanted up", _start_of(case, "wanted up"))


def _flapping(case: Case) -> Decision | None:
    history, policy = case.state.history, case.policy.flap
    at = flap.allowed_at(history.flap, policy, case.now)
    if at is None or not _counts_for_flap(case):
        return None
    used = flap.used(history.flap, policy, case.now)
    reason = f"{why_ended(history)}; flapping, {used} of {policy.threshold} restarts used"
    return Decision(Rule.FLAPPING, reason, wake_at=at)


def _backoff(case: Case) -> Decision | None:
    history = case.state.history
    if _counts_for_flap(case) and flap.current(history.flap, case.policy.flap, case.now).since is not None:
        return None  # the flap period alone says when; a delay on top would miss its restarts
    at = (history.ended_at or 0.0) + backoff.delay(case.spec.restart, history.streak, case.name)
    if case.now >= at:
        return None
    return Decision(Rule.BACKOFF, history.error or why_ended(history), wake_at=at)


def _counts_for_flap(case: Case) -> bool:
    """The last try ran and failed; only such ends are held back by flap detection."""
    history = case.state.history
    return not history.error and backoff.failed(case.spec, history)


def _restart(case: Case) -> Decision | None:
    why = case.state.history.error or why_ended(case.state.history)
    return Decision(Rule.RESTART, why, _start_of(case, why))


def _start_of(case: Case, reason: str) -> Start | RunHook:
    """The start, or the next of the commands that come before it."""
    number = case.state.history.number + 1
    begun = begun_before(case.state.history.hooking, number)
    if begun < len(case.spec.hooks.pre_start):
        return RunHook(case.name, number, Moment.PRE_START, begun)
    return Start(case.name, case.state.history.number + 1, reason, needs.runs_of(case))


def _first_start(case: Case) -> bool:
    """Not a restart after an end of its own; only such a start waits for dependencies.

    A process that crashes is restarted whatever its dependencies do: keeping it alive comes
    first, and the order was kept when it was first started.
    """
    history = case.state.history
    if case.fresh or history.attempts == 0:
        return True
    return not history.error and (history.ending is None or not history.ending.is_own)


RULES = (
    hook,
    _forget,
    _down,
    _scheduled,
    _await_dependencies,
    _start,
    completed,
    never,
    no_restart_code,
    gave_up,
    _flapping,
    _backoff,
    _restart,
)
