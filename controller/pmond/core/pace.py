"""How far each process of a rollout is, and whether it gets further.

Theory of operation: the time limit is one of progress. A process whose turn has come goes through stages, and
the limit begins anew with each; what it may take by its own spec (the grace of a stop, the time to get
ready, what it asked for itself) comes on top. `look` is asked whenever something changed and is given what it
answered last, so the shell keeps a value and decides nothing.
"""

from __future__ import annotations

from enum import IntEnum

from msgspec import Struct

from pmon3_schema.status import Status
from pmond.core.model import Intent, Phase, State
from pmond.core.report import Report
from pmond.core.rollout import Progress


class Stage(IntEnum):
    """How far a process has come whose turn has come; it only grows."""

    ENDING = 0
    """What ran before is being ended, or something that it needs is awaited."""
    STARTED = 1
    """What is declared now runs."""


class Pace(Struct, frozen=True):
    """Where a process is; while it is on its way also how far, since when, and until when it may be so."""

    progress: Progress
    stage: Stage = Stage.ENDING
    since: float = 0.0
    overdue_at: float = 0.0


def look(
    before: Pace | None,
    intent: Intent,
    state: State,
    seen: Report,
    now: float,
    patience: float,
    *,
    in_turn: bool = False,
) -> Pace:
    """The pace of a process, `before` being the last one; `patience` is in seconds.

    `in_turn`: it is a replica, and the next one waits until this one has been ready for as long as is wanted.
    """
    progress = progress_of(intent, state, seen)
    if in_turn and progress is Progress.READY and (settled_at := _settled_at(intent, state)) > now:
        return Pace(Progress.MOVING, Stage.STARTED, now, settled_at)
    if progress is not Progress.MOVING:
        return Pace(progress)
    stage = stage_of(intent, state)
    # One that was late is on its way still: it may get there before the rollout ends.
    goes_on = before is not None and before.overdue_at > 0 and stage <= before.stage
    since = before.since if before is not None and goes_on else now
    at = overdue_at(intent, state, since, patience)
    return Pace(Progress.FAILED if now >= at else Progress.MOVING, stage, since, at)


def _settled_at(intent: Intent, state: State) -> float:
    """When one that is ready has been so for long enough for the next one to be replaced."""
    rollout, instance = intent.spec.rollout, state.instance
    if instance is None or instance.ready_at is None or instance.token < intent.token:
        return 0.0
    return instance.ready_at + rollout.min_ready + rollout.pause


def stage_of(intent: Intent, state: State) -> Stage:
    """How far a process has come since its turn came."""
    last = state.instance if state.instance is not None else state.history
    started = last.token >= intent.token and last.revision == intent.revision
    return Stage.STARTED if started else Stage.ENDING


def progress_of(intent: Intent, state: State, seen: Report) -> Progress:
    """Where a process is, its time limit apart."""
    if not intent.up_in_turn:
        return Progress.READY  # a person or a manifest decided that it need not run
    if intent.deferred or intent.staged:
        return Progress.HELD
    if seen.status is Status.SCHEDULED:
        return Progress.READY  # it runs in its own time
    if stage_of(intent, state) is Stage.ENDING:
        return Progress.FAILED if seen.blocker else Progress.MOVING
    if seen.ready:
        return Progress.READY
    ending, ended = state.history.ending, state.instance is None
    failed = ended and (bool(state.history.error) or (ending is not None and ending.is_own))
    return Progress.FAILED if failed or seen.status is Status.FAILED else Progress.MOVING


def overdue_at(intent: Intent, state: State, since: float, patience: float) -> float:
    """When a process that is on its way has failed; `since`: when it got further last.

    Its grace to end and its own time to get ready, which may be longer, are its own.
    """
    instance = state.instance
    if instance is None:
        hooking = state.history.hooking
        hook = intent.spec.hooks.timeout if hooking is not None and hooking.under_way else 0.0
        return since + hook + patience
    if instance.phase is Phase.STOPPING:
        return max(since, instance.kill_at or since) + patience
    ready = intent.spec.ready
    own = instance.started_at + ready.deadline if ready.kind else since
    return max(since, own, instance.extended_until or since) + patience
