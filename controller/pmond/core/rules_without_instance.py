"""The rules for a process that has no instance, in the order in which they are tried."""

from __future__ import annotations

from pmon3_schema.process import ProcessSpec
from pmon3_schema.process_parts import Dependency
from pmon3_schema.scalars import format_duration
from pmond.core import backoff, flap
from pmond.core.actions import Forget, Start
from pmond.core.case import Case, Decision, Rule, is_outdated, is_ready, why_down, why_ended
from pmond.core.model import NOTHING_SEEN, Ending, Intent, Phase, State


def _forget(case: Case) -> Decision | None:
    if case.wanted is not None and not case.wanted.deleting:
        return None
    return Decision(Rule.FORGET, "deleted", Forget(case.name))


def _down(case: Case) -> Decision | None:
    return None if case.up else Decision(Rule.DOWN, why_down(case))


def _await_dependencies(case: Case) -> Decision | None:
    if not _first_start(case):
        return None
    waits = [wait for need in case.spec.dependencies if (wait := _unmet(case, need)) is not None]
    if not waits:
        return None
    times = [at for _, at in waits if at is not None]
    return Decision(
        Rule.AWAIT_DEPENDENCIES,
        "waits for " + ", ".join(text for text, _ in waits),
        wake_at=min(times) if times else None,
    )


def _start(case: Case) -> Decision | None:
    if not _first_start(case):
        return None
    return Decision(Rule.START, "wanted up", Start(case.name, case.state.history.number + 1, "wanted up"))


def _completed(case: Case) -> Decision | None:
    return Decision(Rule.COMPLETED, "ended with success") if _is_completed(case.spec, case.state) else None


def _never(case: Case) -> Decision | None:
    history = case.state.history
    if case.spec.policy != "never" or history.error_transient:
        return None
    return Decision(Rule.NEVER, history.error or f"{why_ended(history)}; it is not restarted")


def _no_restart_code(case: Case) -> Decision | None:
    history = case.state.history
    own = not history.error and history.ending is Ending.ITSELF
    code = history.exit.code if history.exit is not None and own else None
    if code is None or code not in case.spec.restart.no_restart_exit_codes:
        return None
    return Decision(Rule.NO_RESTART_CODE, f"{why_ended(history)}, after which it is not restarted")


def _gave_up(case: Case) -> Decision | None:
    history = case.state.history
    if history.error_transient or not backoff.gave_up(case.spec, history):
        return None
    restart = case.spec.restart
    why = history.error or why_ended(history)
    return Decision(
        Rule.GAVE_UP,
        f"{why}; failed {restart.max_failures} times in {format_duration(restart.window)},"
        f" given up (pmon3 restart {case.name})",
    )


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
    return Decision(Rule.RESTART, why, Start(case.name, case.state.history.number + 1, why))


def _first_start(case: Case) -> bool:
    """Not a restart after an end of its own; only such a start waits for dependencies.

    A process that crashes is restarted whatever its dependencies do: keeping it alive comes
    first, and the order was kept when it was first started.
    """
    history = case.state.history
    if case.fresh or history.attempts == 0:
        return True
    return not history.error and (history.ending is None or not history.ending.is_own)


def _unmet(case: Case, need: Dependency) -> tuple[str, float | None] | None:
    """Why a dependency is not met, and when time alone may meet it; None if it is met."""
    name = need.name
    wanted = case.desired.wanted.get(name)
    if wanted is None:
        return None
    state = case.observed.get(name, NOTHING_SEEN)
    instance = state.instance
    if instance is None:
        if _is_completed(wanted.spec, state) and not _is_fresh(wanted, state):
            return None
        return (name if case.desired.up(name) else f"{name}, which is stopped (pmon3 start {name})"), None
    if not case.desired.up(name) or is_outdated(wanted, state) or instance.ending is not Ending.ITSELF:
        return name, None  # it is being stopped, or about to be
    if wanted.spec.ready.kind:
        return None if is_ready(wanted, instance) else (f"{name} to be ready", None)
    if instance.phase is not Phase.RUNNING:
        return name, None
    settled_at = instance.started_at + case.policy.settle
    return (name, settled_at) if case.now < settled_at else None


def _is_fresh(wanted: Intent, state: State) -> bool:
    return (state.history.revision, state.history.token) != (wanted.revision, wanted.token)


def _is_completed(spec: ProcessSpec, state: State) -> bool:
    history = state.history
    return (
        history.ending is Ending.ITSELF
        and not history.error
        and spec.policy != "always"
        and backoff.succeeded(spec, history.exit)
    )


RULES = (
    _forget,
    _down,
    _await_dependencies,
    _start,
    _completed,
    _never,
    _no_restart_code,
    _gave_up,
    _flapping,
    _backoff,
    _restart,
)
