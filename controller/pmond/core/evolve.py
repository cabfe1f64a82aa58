"""`evolve(state, wanted, fact, now)`: fold what happened into what is seen.

One handler per fact. A fact about another instance than the one that is seen is out of date
and changes nothing, so a repeated or late fact does no harm. An instance's phase only moves
forward; what its end means for the next start is kept in the history.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from pmon3_schema.process import ProcessSpec
from pmond.core import backoff, flap, hook_results, hooking, probing, readiness, timing
from pmond.core.case import has_daemonized
from pmond.core.facts import (
    Adopted,
    ClockJumped,
    Exited,
    Fact,
    FilesSeen,
    HookBegun,
    HookEnded,
    KillSent,
    MemoryHeld,
    ReloadBegun,
    Reloaded,
    Reset,
    RestartAsked,
    RunPlanned,
    Spawned,
    SpawnFailed,
    StopSent,
    TimingDropped,
    TreeEmpty,
)
from pmond.core.model import UNDECLARED, ExitStatus, History, Instance, Intent, Phase, Policy, State
from pmond.core.probing import NOT_PROBED
from pmond.core.timing import ASKED, Timing, served, why_now


def evolve(state: State, wanted: Intent | None, fact: Fact, now: float, policy: Policy) -> State:
    """The state of one process after `fact`, which became known at `now`."""
    spec = wanted.spec if wanted is not None else UNDECLARED
    return _HANDLERS[type(fact)](state, fact, spec, now, policy)


def _spawned(state: State, fact: Spawned, spec: ProcessSpec, now: float, policy: Policy) -> State:
    if state.instance is not None or fact.number <= state.history.number:
        return state
    history = _attempt(state.history, fact, policy)
    ending = state.history.ending
    known = history.timing
    why = why_now(known, fact.token, now) if known is not None and spec.schedule.wanted else ""
    if why:  # a run of its own, whatever became of the last one
        history = replace(history, streak=0, failures=())
    elif ending is not None and ending.counts and history.attempts > 1:
        history = replace(history, restart_count=history.restart_count + 1)
        if ending.is_own and backoff.failed(spec, state.history):
            history = replace(history, flap=flap.restarted(history.flap, policy.flap, now))
    instance = Instance(fact.number, fact.pid, fact.revision, fact.token, started_at=now, files=state.files,
        needs=fact.needs,
    )  # fmt: skip
    asked = why == ASKED or (not why and state.history.token != fact.token)
    instance = replace(instance, by=fact.by if asked else why)
    history = replace(
        history, error="", error_code="", error_transient=False, hooking=None,
        timing=served(known, fact.token, now),
    )  # fmt: skip
    return replace(state, instance=instance, history=history)


def _spawn_failed(state: State, fact: SpawnFailed, spec: ProcessSpec, now: float, policy: Policy) -> State:
    instance = state.instance
    if fact.number != instance.number if instance is not None else fact.number <= state.history.number:
        return state
    # With an instance it is the launcher's late report: that try was counted when it was spawned.
    history = state.history if instance is not None else _attempt(state.history, fact, policy)
    failures = history.failures
    if not fact.transient:
        failures = backoff.failures_in_window(spec.restart, (*failures, now), now)
    return replace(
        state,
        instance=None,
        history=replace(
            history,
            error=fact.message,
            error_code=fact.code,
            error_transient=fact.transient,
            ended_at=now,
            streak=history.streak + 1,
            failures=failures,
            hooking=hook_results.after_failed_start(fact, spec),
            timing=served(history.timing, fact.token, now),
        ),
    )


def _attempt(history: History, fact: Spawned | SpawnFailed, policy: Policy) -> History:
    """One more try; a new revision or an asked-for restart starts with a clean slate."""
    if (history.revision, history.token) == (fact.revision, fact.token):
        return replace(history, number=fact.number, attempts=history.attempts + 1)
    return History(
        number=fact.number,
        attempts=1,
        revision=fact.revision,
        token=fact.token,
        exit=history.exit,
        pid=history.pid,
        ended_at=history.ended_at,
        ran_for=history.ran_for,
        restart_count=history.restart_count,
        timing=history.timing,
    )


def _stop_sent(state: State, fact: StopSent, spec: ProcessSpec, now: float, policy: Policy) -> State:
    instance = state.run(fact.number)
    if instance is None or instance.killed_at is not None:
        return state
    stopping = replace(
        instance, phase=Phase.STOPPING, ending=fact.ending, kill_at=fact.kill_at, stop_reason=fact.reason
    )
    return replace(state, instance=stopping)


def _kill_sent(state: State, fact: KillSent, spec: ProcessSpec, now: float, policy: Policy) -> State:
    instance = state.run(fact.number)
    if instance is None:
        return state
    killed = replace(
        instance, phase=Phase.STOPPING, ending=fact.ending, kill_at=instance.kill_at or now, killed_at=now
    )
    return replace(state, instance=killed)


def _exited(state: State, fact: Exited, spec: ProcessSpec, now: float, policy: Policy) -> State:
    instance = state.run(fact.number)
    if instance is None or instance.ended_at is not None:
        return state
    ended = replace(instance, phase=Phase.STOPPING, ended_at=now, exit=fact.exit)
    if fact.tree_left and spec.stop.kill_group:
        return replace(state, instance=ended)
    return _gone(state, ended, spec)


def _tree_empty(state: State, fact: TreeEmpty, spec: ProcessSpec, now: float, policy: Policy) -> State:
    instance = state.run(fact.number)
    if instance is None or instance.ended_at is None:
        return state
    return _gone(state, instance, spec, left=True)


def _gone(state: State, instance: Instance, spec: ProcessSpec, left: bool = False) -> State:
    """Nothing of the instance is left: keep what its run means for the next one.

    `left`: its main program left others behind.
    """
    ended_at = instance.ended_at if instance.ended_at is not None else instance.started_at
    ran_for = ended_at - instance.started_at
    history = replace(
        state.history,
        number=instance.number,
        revision=instance.revision,
        token=instance.token,
        ending=instance.ending,
        exit=instance.exit or ExitStatus(),
        pid=instance.pid,
        ended_at=ended_at,
        ran_for=ran_for,
        daemonized=left and has_daemonized(instance),
        fault=instance.stop_reason if instance.ending.is_fault else "",
    )
    failed = instance.ending.is_own and backoff.failed(spec, history)
    history = replace(history, hooking=hooking.after_end(spec.hooks, instance.number, failed))
    if not instance.ending.is_own:
        return replace(state, instance=None, history=replace(history, streak=0, failures=()))
    streak = 1 if ran_for >= spec.restart.stable_after else history.streak + 1
    failures = history.failures
    if failed:
        failures = backoff.failures_in_window(spec.restart, (*failures, ended_at), ended_at)
    return replace(state, instance=None, history=replace(history, streak=streak, failures=failures))


def _adopted(state: State, fact: Adopted, spec: ProcessSpec, now: float, policy: Policy) -> State:
    if state.instance is not None:
        return state
    started_at = now - fact.age
    by_time = probing.is_timed(spec.ready)
    old_enough = by_time and now >= probing.timed_ready_at(spec.ready, started_at, policy.min_ready)
    is_ready = fact.ready or old_enough
    instance = Instance(
        fact.number,
        fact.pid,
        fact.revision,
        fact.token,
        started_at=started_at,
        phase=Phase.RUNNING if is_ready else Phase.STARTING,
        ending=fact.ending,
        adopted=True,
        files=fact.files,
        needs=fact.needs,
        ready=probing.passed(NOT_PROBED, "it was ready before", now) if fact.ready else NOT_PROBED,
        ready_at=now if is_ready else None,
        by=fact.by,
    )
    is_new = fact.number > state.history.number  # it was started, and nothing of that was saved
    known = state.history.timing
    history = replace(
        state.history,
        number=fact.number,
        revision=fact.revision,
        token=fact.token,
        attempts=max(1, state.history.attempts),
        error="",
        error_code="",
        error_transient=False,
        hooking=None,
        timing=served(known, fact.token, now) if is_new else known,
    )
    return replace(state, instance=instance, history=history)


def _files_seen(state: State, fact: FilesSeen, spec: ProcessSpec, now: float, policy: Policy) -> State:
    """A path that is new to an instance counts from now on: what it read of it before nobody knows."""
    instance = state.instance
    if instance is not None:
        known = dict(instance.files)
        read = tuple((path, known.get(path, digest)) for path, digest in fact.files)
        instance = instance if instance.files == read else replace(instance, files=read)
    if instance is state.instance and fact.files == state.files:
        return state
    return replace(state, instance=instance, files=fact.files)


def _memory_held(state: State, fact: MemoryHeld, spec: ProcessSpec, now: float, policy: Policy) -> State:
    instance = state.run(fact.number)
    if instance is None:
        return state
    return replace(state, instance=replace(instance, memory=fact.bytes))


def _reload_begun(state: State, fact: ReloadBegun, spec: ProcessSpec, now: float, policy: Policy) -> State:
    instance = state.run(fact.number)
    if instance is None:
        return state
    return replace(state, instance=replace(instance, reloading=fact.files))


def _reloaded(state: State, fact: Reloaded, spec: ProcessSpec, now: float, policy: Policy) -> State:
    """Failed or not, it is not told the same again."""
    instance = state.run(fact.number)
    if instance is None:
        return state
    read = replace(instance, files=fact.files, reloading=None, reload_error=fact.error)
    return replace(state, instance=read)


def _hook_begun(state: State, fact: HookBegun, spec: ProcessSpec, now: float, policy: Policy) -> State:
    return hook_results.begun(state, fact, now)


def _hook_ended(state: State, fact: HookEnded, spec: ProcessSpec, now: float, policy: Policy) -> State:
    after = hook_results.ended(state, fact, spec)
    return _spawn_failed(state, after, spec, now, policy) if isinstance(after, SpawnFailed) else after


def _run_planned(state: State, fact: RunPlanned, spec: ProcessSpec, now: float, policy: Policy) -> State:
    known = state.history.timing or Timing(token=max(1, state.history.token))
    same = known.key == fact.key
    known = known if same else replace(known, queued="")  # what was put aside was so by another schedule
    after = replace(
        known, key=fact.key, last=fact.last, last_at=fact.last_at, due=fact.due, due_at=fact.due_at,
        start_at=fact.start_at,
    )  # fmt: skip
    missed, overlapped = fact.missed and same, fact.overlapped and same
    after = timing.planned(after, spec.schedule, missed=missed, overlapped=overlapped)
    return replace(state, history=replace(state.history, timing=after))


def _clock_jumped(state: State, fact: ClockJumped, spec: ProcessSpec, now: float, policy: Policy) -> State:
    known = state.history.timing
    if known is None or known.stale:
        return state
    return replace(state, history=replace(state.history, timing=replace(known, stale=True)))


def _timing_dropped(
    state: State, fact: TimingDropped, spec: ProcessSpec, now: float, policy: Policy
) -> State:
    known = state.history.timing
    if known is None or known.stale:
        return state
    return replace(state, history=replace(state.history, timing=timing.dropped(known)))


def _reset(state: State, fact: Reset, spec: ProcessSpec, now: float, policy: Policy) -> State:
    history = replace(state.history, restart_count=0, streak=0, failures=(), flap=flap.CLEAR)
    return replace(state, history=history)


def _restart_asked(state: State, fact: RestartAsked, spec: ProcessSpec, now: float, policy: Policy) -> State:
    history = replace(state.history, restart_count=state.history.restart_count + 1)
    return replace(state, history=history)


_HANDLERS: dict[type, Callable[[State, Any, ProcessSpec, float, Policy], State]] = {
    Adopted: _adopted,
    ClockJumped: _clock_jumped,
    Exited: _exited,
    FilesSeen: _files_seen,
    HookBegun: _hook_begun,
    HookEnded: _hook_ended,
    MemoryHeld: _memory_held,
    KillSent: _kill_sent,
    ReloadBegun: _reload_begun,
    Reloaded: _reloaded,
    Reset: _reset,
    RunPlanned: _run_planned,
    TimingDropped: _timing_dropped,
    RestartAsked: _restart_asked,
    SpawnFailed: _spawn_failed,
    Spawned: _spawned,
    StopSent: _stop_sent,
    TreeEmpty: _tree_empty,
    **readiness.HANDLERS,
}
