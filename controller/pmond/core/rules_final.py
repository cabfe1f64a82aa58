"""The rules of ends that are final: nothing more happens by itself after them.

They stand among the rules of processes without an instance, and are asked too of a dependency that ended:
one that failed for good will never be what somebody waits for.
"""

from __future__ import annotations

from pmon3_schema.process import ProcessSpec
from pmon3_schema.scalars import format_duration
from pmond.core import backoff
from pmond.core.case import DAEMONIZED, Case, Decision, Rule, why_ended
from pmond.core.model import Ending, State


def completed(case: Case) -> Decision | None:
    if not is_completed(case.spec, case.state):
        return None
    return Decision(Rule.COMPLETED, DAEMONIZED if case.state.history.daemonized else "ended with success")


def never(case: Case) -> Decision | None:
    history = case.state.history
    if case.spec.policy != "never" or history.error_transient:
        return None
    return Decision(Rule.NEVER, history.error or f"{why_ended(history)}; it is not restarted")


def no_restart_code(case: Case) -> Decision | None:
    history = case.state.history
    own = not history.error and history.ending is Ending.ITSELF
    code = history.exit.code if history.exit is not None and own else None
    if code is None or code not in case.spec.restart.no_restart_exit_codes:
        return None
    return Decision(Rule.NO_RESTART_CODE, f"{why_ended(history)}, after which it is not restarted")


def gave_up(case: Case) -> Decision | None:
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


def is_completed(spec: ProcessSpec, state: State) -> bool:
    """Whether its last run ended by itself, with success, and that is all that was wanted of it."""
    history = state.history
    return (
        history.ending is Ending.ITSELF
        and not history.error
        and spec.policy != "always"
        and backoff.succeeded(spec, history.exit)
    )


def failed_for_good(case: Case) -> Decision | None:
    """Why a process that has no instance will not run again by itself; None: it may."""
    if case.fresh or case.state.instance is not None or is_completed(case.spec, case.state):
        return None
    if not case.state.history.error and not (case.state.history.ending and case.state.history.ending.is_own):
        return None
    return next((found for rule in (never, no_restart_code, gave_up) if (found := rule(case))), None)
