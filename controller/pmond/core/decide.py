"""What to do about one process: an ordered table of named rules, first match wins.

Each rule looks at a `Case` (what is wanted, what is seen, the time) and answers with a
`Decision` or passes. A decision has a reason for people, at most one action, and the time to
look again if time alone can change it. The planner performs the action; the report turns the
same decision into the published status, so what is shown and what is done cannot differ.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice

from pmon3_schema.process import ProcessSpec
from pmon3_schema.scalars import format_duration, signal_name
from pmond.core import backoff, flap
from pmond.core.actions import Action, Forget, Kill, Start, Stop
from pmond.core.model import (
    NOTHING_SEEN,
    Desired,
    Ending,
    ExitStatus,
    Instance,
    Observed,
    Phase,
    Policy,
    State,
    Wanted,
)


class Rule(StrEnum):
    """The rules by name, in the order in which they are tried."""

    CLEAR_TREE = "clear tree"
    AWAIT_KILLED = "await killed"
    FORCE = "force"
    AWAIT_STOPPED = "await stopped"
    AWAIT_DEPENDANTS = "await dependants"
    STOP = "stop"
    REPLACE = "replace"
    STARTING = "starting"
    RUNNING = "running"
    FORGET = "forget"
    DOWN = "down"
    AWAIT_DEPENDENCIES = "await dependencies"
    START = "start"
    COMPLETED = "completed"
    NEVER = "never"
    NO_RESTART_CODE = "no restart code"
    GAVE_UP = "gave up"
    FLAPPING = "flapping"
    BACKOFF = "backoff"
    RESTART = "restart"


@dataclass(frozen=True, slots=True)
class Decision:
    """What a rule concluded."""

    rule: Rule
    reason: str = ""
    action: Action | None = None
    wake_at: float | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """Everything a rule may look at."""

    name: str
    wanted: Wanted | None
    state: State
    desired: Desired
    observed: Observed
    now: float
    policy: Policy

    @property
    def up(self) -> bool:
        return self.wanted is not None and self.wanted.up and not self.desired.ending

    @property
    def spec(self) -> ProcessSpec:
        return self.wanted.spec if self.wanted is not None else _DEFAULTS

    @property
    def fresh(self) -> bool:
        """The present revision and token were never tried."""
        history, wanted = self.state.history, self.wanted
        return wanted is not None and (history.revision, history.token) != (wanted.revision, wanted.token)


_DEFAULTS = ProcessSpec(file="/")
_MOST_NAMED = 3
"""Names that a reason lists at most."""


def decide(name: str, desired: Desired, observed: Observed, now: float, policy: Policy) -> Decision:
    """The decision on `name`; the last rule of each table always matches."""
    state = observed.get(name, NOTHING_SEEN)
    case = Case(name, desired.wanted.get(name), state, desired, observed, now, policy)
    if state.instance is not None:
        return _first(_WITH_INSTANCE, case, state.instance)
    for rule in _WITHOUT_INSTANCE:
        decision = rule(case)
        if decision is not None:
            return decision
    raise AssertionError("unreachable: the last rule matches everything")


def _first(
    rules: tuple[Callable[[Case, Instance], Decision | None], ...], case: Case, instance: Instance
) -> Decision:
    for rule in rules:
        decision = rule(case, instance)
        if decision is not None:
            return decision
    raise AssertionError("unreachable: the last rule matches everything")


# --- an instance is there ------------------------------------------------------------------


def _clear_tree(case: Case, instance: Instance) -> Decision | None:
    if instance.ended_at is None or instance.kill_at is not None:
        return None
    reason = "its main program ended and left other processes behind"
    return Decision(Rule.CLEAR_TREE, reason, _stop(case, instance, instance.ending, reason))


def _await_killed(case: Case, instance: Instance) -> Decision | None:
    if instance.killed_at is None:
        return None
    again = instance.killed_at + case.policy.empty_tree
    reason = "killed, not yet gone"
    if case.now < again:
        return Decision(Rule.AWAIT_KILLED, reason, wake_at=again)
    stuck = "it does not die: SIGKILL is sent again (a program in an uninterruptible wait, or out of reach)"
    return Decision(Rule.AWAIT_KILLED, stuck, _kill(case, instance, instance.ending, stuck))


def _force(case: Case, instance: Instance) -> Decision | None:
    if case.up or case.wanted is None or not case.wanted.forced:
        return None
    return Decision(
        Rule.FORCE, "stopped by force", _kill(case, instance, _down_ending(case), "stopped by force")
    )


def _await_stopped(case: Case, instance: Instance) -> Decision | None:
    if instance.phase is not Phase.STOPPING or instance.kill_at is None:
        return None
    if case.now >= instance.kill_at:
        reason = "it did not end in time"
        return Decision(Rule.AWAIT_STOPPED, reason, _kill(case, instance, instance.ending, reason))
    return Decision(Rule.AWAIT_STOPPED, "asked to end", wake_at=instance.kill_at)


def _await_dependants(case: Case, instance: Instance) -> Decision | None:
    """In a stop of several, what others depend on goes last."""
    if case.up:
        return None
    alive = (
        name
        for name in case.desired.dependants.get(case.name, ())
        if not case.desired.up(name) and case.observed.get(name, NOTHING_SEEN).instance is not None
    )
    named = list(islice(alive, _MOST_NAMED + 1))  # of thousands, finding one is enough
    if not named:
        return None
    others = " and others" if len(named) > _MOST_NAMED else ""
    return Decision(Rule.AWAIT_DEPENDANTS, f"ends after {', '.join(named[:_MOST_NAMED])}{others}")


def _stop_unwanted(case: Case, instance: Instance) -> Decision | None:
    if case.up:
        return None
    reason = _why_down(case)
    return Decision(Rule.STOP, reason, _stop(case, instance, _down_ending(case), reason))


def _replace(case: Case, instance: Instance) -> Decision | None:
    wanted = case.wanted
    assert wanted is not None
    if instance.token != wanted.token:
        reason = "a restart was asked for"
    elif _is_outdated(wanted, instance):
        reason = "its spec changed"
    else:
        return None
    return Decision(Rule.REPLACE, reason, _stop(case, instance, Ending.SUPERSEDED, reason))


def _starting(case: Case, instance: Instance) -> Decision | None:
    if instance.phase is not Phase.STARTING:
        return None
    return Decision(Rule.STARTING, "started", wake_at=instance.started_at + case.policy.min_ready)


def _running(case: Case, instance: Instance) -> Decision | None:
    return Decision(Rule.RUNNING)


def _stop(case: Case, instance: Instance, ending: Ending, reason: str) -> Stop:
    stop = case.spec.stop
    tree = _whole_tree(case, instance)
    return Stop(case.name, instance.number, ending, stop.signal, stop.timeout, tree, reason)


def _kill(case: Case, instance: Instance, ending: Ending, reason: str) -> Kill:
    return Kill(case.name, instance.number, ending, _whole_tree(case, instance), reason)


def _whole_tree(case: Case, instance: Instance) -> bool:
    """When the main program has ended, what is left of the instance is its tree."""
    return case.spec.stop.kill_group or instance.ended_at is not None


def _down_ending(case: Case) -> Ending:
    shutdown = case.desired.ending and case.wanted is not None and case.wanted.up
    return Ending.SHUTDOWN if shutdown else Ending.UNWANTED


def _why_down(case: Case) -> str:
    wanted = case.wanted
    if wanted is None or wanted.deleting:
        return "deleted"
    if wanted.hold is not None and not wanted.hold.up:
        why = f": {wanted.hold.reason}" if wanted.hold.reason else ""
        return f"stopped by {wanted.hold.by}{why}"
    return "pmond is shutting down" if case.desired.ending else "not started by itself (autostart: false)"


# --- no instance is there ------------------------------------------------------------------


def _forget(case: Case) -> Decision | None:
    if case.wanted is not None and not case.wanted.deleting:
        return None
    return Decision(Rule.FORGET, "deleted", Forget(case.name))


def _down(case: Case) -> Decision | None:
    return None if case.up else Decision(Rule.DOWN, _why_down(case))


def _await_dependencies(case: Case) -> Decision | None:
    if not _first_start(case):
        return None
    waits = [wait for name in case.spec.dependencies if (wait := _unmet(case, name)) is not None]
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
    return Decision(Rule.NEVER, history.error or f"{describe_exit(history.exit)}; it is not restarted")


def _no_restart_code(case: Case) -> Decision | None:
    history = case.state.history
    code = history.exit.code if history.exit is not None and not history.error else None
    if code is None or code not in case.spec.restart.no_restart_exit_codes:
        return None
    return Decision(Rule.NO_RESTART_CODE, f"{describe_exit(history.exit)}, after which it is not restarted")


def _gave_up(case: Case) -> Decision | None:
    history = case.state.history
    if history.error_transient or not backoff.gave_up(case.spec, history):
        return None
    restart = case.spec.restart
    why = history.error or describe_exit(history.exit)
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
    reason = f"{describe_exit(history.exit)}; flapping, {used} of {policy.threshold} restarts used"
    return Decision(Rule.FLAPPING, reason, wake_at=at)


def _backoff(case: Case) -> Decision | None:
    history = case.state.history
    if _counts_for_flap(case) and flap.current(history.flap, case.policy.flap, case.now).since is not None:
        return None  # the flap period alone says when; a delay on top would miss its restarts
    at = (history.ended_at or 0.0) + backoff.delay(case.spec.restart, history.streak, case.name)
    if case.now >= at:
        return None
    return Decision(Rule.BACKOFF, history.error or describe_exit(history.exit), wake_at=at)


def _counts_for_flap(case: Case) -> bool:
    """The last try ran and failed; only such ends are held back by flap detection."""
    history = case.state.history
    return not history.error and not backoff.succeeded(case.spec, history.exit)


def _restart(case: Case) -> Decision | None:
    why = case.state.history.error or describe_exit(case.state.history.exit)
    return Decision(Rule.RESTART, why, Start(case.name, case.state.history.number + 1, why))


def _first_start(case: Case) -> bool:
    """Not a restart after an end of its own; only such a start waits for dependencies.

    A process that crashes is restarted whatever its dependencies do: keeping it alive comes
    first, and the order was kept when it was first started.
    """
    history = case.state.history
    if case.fresh or history.attempts == 0:
        return True
    return not history.error and history.ending is not Ending.ITSELF


def _unmet(case: Case, name: str) -> tuple[str, float | None] | None:
    """Why the dependency `name` is not met, and when time alone may meet it; None if it is met."""
    wanted = case.desired.wanted.get(name)
    if wanted is None:
        return None
    state = case.observed.get(name, NOTHING_SEEN)
    instance = state.instance
    if instance is None:
        if _is_completed(wanted.spec, state) and not _is_fresh(wanted, state):
            return None
        return (name if case.desired.up(name) else f"{name}, which is stopped (pmon3 start {name})"), None
    if not case.desired.up(name) or _is_outdated(wanted, instance):
        return name, None  # it is about to be stopped
    met_at = instance.started_at + case.policy.settle
    if instance.phase is Phase.STOPPING or case.now < met_at or instance.phase is Phase.STARTING:
        stopping = instance.phase is Phase.STOPPING
        return name, None if stopping else max(met_at, instance.started_at + case.policy.min_ready)
    return None


def _is_outdated(wanted: Wanted, instance: Instance) -> bool:
    """A restart was asked for, or its spec changed and that is not to wait for the next start."""
    changed = instance.revision != wanted.revision and not wanted.deferred
    return changed or instance.token != wanted.token


def _is_fresh(wanted: Wanted, state: State) -> bool:
    return (state.history.revision, state.history.token) != (wanted.revision, wanted.token)


def _is_completed(spec: ProcessSpec, state: State) -> bool:
    history = state.history
    return (
        history.ending is Ending.ITSELF
        and not history.error
        and spec.policy != "always"
        and backoff.succeeded(spec, history.exit)
    )


def describe_exit(exit: ExitStatus | None) -> str:
    """``exited with code 3``, ``killed by SIGSEGV``, or that it is not known."""
    if exit is None or not exit.known:
        return "ended with an unknown exit status"
    if exit.signal is not None:
        return f"killed by {signal_name(exit.signal)}"
    return f"exited with code {exit.code}"


_WITH_INSTANCE = (
    _clear_tree,
    _await_killed,
    _force,
    _await_stopped,
    _await_dependants,
    _stop_unwanted,
    _replace,
    _starting,
    _running,
)
_WITHOUT_INSTANCE = (
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
