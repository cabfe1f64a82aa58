"""What a rule looks at, what it answers, and the questions that several rules ask.

A `Case` is one process at one moment. A `Decision` has a reason for people, at most one action,
and the time to look again if time alone can change it.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from pmon3_schema.process import ProcessSpec
from pmon3_schema.scalars import signal_name
from pmond.core import probing
from pmond.core.actions import Action
from pmond.core.model import (
    UNDECLARED,
    Desired,
    Ending,
    ExitStatus,
    History,
    Hold,
    Instance,
    Intent,
    Observed,
    Phase,
    Policy,
    State,
)

_DAEMONIZE_WITHIN = 10.0
"""Seconds: some wait until their daemon is ready."""
DAEMONIZED = (
    "its main program ended at once and left others behind, which were ended: run it in the foreground"
)
"""What to say of a program that puts itself in the background."""
_SIGKILL = 9


class Rule(StrEnum):
    """The rules by name, in the order in which they are tried."""

    CLEAR_TREE = "clear tree"
    AWAIT_KILLED = "await killed"
    FORCE = "force"
    AWAIT_STOPPED = "await stopped"
    AWAIT_DEPENDANTS = "await dependants"
    STOP = "stop"
    REPLACE = "replace"
    STOP_AGAIN = "stop again"
    NOT_READY = "not ready"
    UNHEALTHY = "unhealthy"
    OVERDUE = "overdue"
    OVERSIZE = "oversize"
    STARTING = "starting"
    RELOAD = "reload"
    RUNNING = "running"
    HOOK = "hook"
    PLAN_RUN = "plan run"
    SCHEDULED = "scheduled"
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


class Decision(Struct, frozen=True):
    """What a rule concluded."""

    rule: Rule
    reason: str = ""
    action: Action | None = None
    wake_at: float | None = None
    waits_for: tuple[str, ...] = ()
    """Dependencies that are not met."""
    blocker: str = ""
    """One of them that failed for good: it will not be met by itself any more."""
    idle: str = ""
    """One of them that is stopped, or is not started by itself."""


class Case(Struct, frozen=True):
    """Everything a rule may look at."""

    name: str
    wanted: Intent | None
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
        return self.wanted.spec if self.wanted is not None else UNDECLARED

    @property
    def fresh(self) -> bool:
        """The present revision and token were never tried."""
        history, wanted = self.state.history, self.wanted
        return wanted is not None and (history.revision, history.token) != (wanted.revision, wanted.token)


def is_outdated(wanted: Intent, state: State) -> bool:
    """A restart was asked for, its spec changed and that is not to wait, or a file that it watches."""
    instance = state.instance
    if instance is None:
        return False
    changed = instance.revision != wanted.revision and not wanted.deferred
    changed = changed and not wanted.spec.schedule.wanted  # a run that is going on is not cut short
    files = wanted.spec.on_change == "restart" and bool(changed_files(state))
    return changed or files or instance.token != wanted.token


def is_ready(wanted: Intent, instance: Instance) -> bool:
    """Whether it serves: it runs, and neither its ready probe nor the program says otherwise."""
    lost = instance.ends_itself or (instance.lost_ready and probing.is_asked_again(wanted.spec.ready))
    return instance.phase is Phase.RUNNING and not lost


def waits_for_restart(wanted: Intent, state: State) -> bool:
    """It runs with an earlier spec, because the restart that would bring the present one was put off."""
    instance = state.instance
    return wanted.deferred and instance is not None and instance.revision != wanted.revision


def changed_files(state: State) -> tuple[str, ...]:
    """The watched paths of an instance that say something else than when it read them."""
    if state.instance is None or state.instance.files == state.files:
        return ()
    known = dict(state.instance.files)
    return tuple(path for path, digest in state.files if known.get(path, digest) != digest)


def why_down(case: Case) -> str:
    """Why a process is not to run, for people."""
    wanted = case.wanted
    if wanted is None or wanted.deleting:
        return "deleted"
    if wanted.is_none:
        return "0 replicas"
    if wanted.staged:
        return "held back for its turn in a rollout (pmon3 start starts it now)"
    if wanted.hold is not None and not wanted.hold.up:
        return f"stopped by {wanted.hold.by}{why_held(wanted.hold)}"
    return "pmond is shutting down" if case.desired.ending else "not started by itself (autostart: false)"


def why_held(hold: Hold) -> str:
    """``: maintenance, until 2025-…``, as far as the person has said so."""
    why = f": {hold.reason}" if hold.reason else ""
    return f"{why}, until {hold.until}" if hold.until else why


def describe_exit(exit: ExitStatus | None) -> str:
    """``exited with code 3``, ``killed by SIGSEGV``, or that it is not known."""
    if exit is None or not exit.known:
        return "ended with an unknown exit status"
    if exit.signal is not None:
        return f"killed by {signal_name(exit.signal)}"
    return f"exited with code {exit.code}"


def why_ended(history: History) -> str:
    """Why the last run ended: what pmond stopped it for, or how it ended by itself."""
    return history.fault or (DAEMONIZED if history.daemonized else describe_end(history.exit))


def has_daemonized(instance: Instance) -> bool:
    """Whether a run that left others behind did so as programs do that put themselves in the background."""
    exit, ended_at = instance.exit, instance.ended_at
    soon = ended_at is not None and ended_at - instance.started_at < _DAEMONIZE_WITHIN
    return soon and instance.ending is Ending.ITSELF and exit is not None and exit.code == 0


def describe_end(exit: ExitStatus | None) -> str:
    """The same of an end that nobody asked for, with whose SIGKILL it was, as far as that is known."""
    text = describe_exit(exit)
    if exit is None or exit.signal != _SIGKILL:
        return text
    return f"{text}, not by pmond" + ("; the kernel was out of memory" if exit.out_of_memory else "")
