"""The rules for a process that has an instance, in the order in which they are tried."""

from __future__ import annotations

from itertools import islice
from zlib import crc32

from pmon3_schema.scalars import format_duration, format_size
from pmond.core import needs, probing, tries
from pmond.core.actions import PassDeadline, PlanRun, Reload, RunProbe
from pmond.core.case import Case, Decision, Rule, changed_files, is_outdated, is_ready, why_down
from pmond.core.endings import ceiling, down_ending, kill, stop
from pmond.core.model import NOTHING_SEEN, Ending, Instance, Phase
from pmond.core.timing import is_due, is_known

_SPLAY = 0.1
"""The share of `max_runtime` by which services are replaced earlier."""
_MOST_NAMED = 3
"""Names that a reason lists at most."""


def _clear_tree(case: Case, instance: Instance) -> Decision | None:
    if instance.ended_at is None or instance.kill_at is not None:
        return None
    reason = "its main program ended and left other processes behind"
    return Decision(Rule.CLEAR_TREE, reason, stop(case, instance, instance.ending, reason))


def _await_killed(case: Case, instance: Instance) -> Decision | None:
    if instance.killed_at is None:
        return None
    again = instance.killed_at + case.policy.empty_tree
    reason = "killed, not yet gone"
    if case.now < again:
        return Decision(Rule.AWAIT_KILLED, reason, wake_at=again)
    stuck = "it does not die: SIGKILL is sent again (a program in an uninterruptible wait, or out of reach)"
    return Decision(Rule.AWAIT_KILLED, stuck, kill(case, instance, instance.ending, stuck))


def _force(case: Case, instance: Instance) -> Decision | None:
    if case.up or case.wanted is None or not case.wanted.forced:
        return None
    return Decision(
        Rule.FORCE, "stopped by force", kill(case, instance, down_ending(case), "stopped by force")
    )


def _await_stopped(case: Case, instance: Instance) -> Decision | None:
    if instance.phase is not Phase.STOPPING or instance.kill_at is None:
        return None
    kill_at = min(instance.kill_at, ceiling(case))
    if case.now >= kill_at:
        reason = "it did not end in time"
        return Decision(Rule.AWAIT_STOPPED, reason, kill(case, instance, instance.ending, reason))
    return Decision(Rule.AWAIT_STOPPED, "asked to end", wake_at=kill_at)


def _await_dependants(case: Case, instance: Instance) -> Decision | None:
    """In a stop of several, what others depend on goes last; a stranger's process holds up his own only."""
    if case.up:
        return None
    alive = (
        name
        for name in case.desired.dependants.get(case.name, ())
        if not case.desired.up(name)
        and case.observed.get(name, NOTHING_SEEN).instance is not None
        and _may_hold_up(case, name)
    )
    named = list(islice(alive, _MOST_NAMED + 1))  # of thousands, finding one is enough
    if not named:
        return None
    others = " and others" if len(named) > _MOST_NAMED else ""
    return Decision(Rule.AWAIT_DEPENDANTS, f"ends after {', '.join(named[:_MOST_NAMED])}{others}")


def _may_hold_up(case: Case, dependant: str) -> bool:
    wanted = case.desired.wanted.get(dependant)
    return wanted is None or wanted.trusted or wanted.spec.user == case.spec.user


def _stop_unwanted(case: Case, instance: Instance) -> Decision | None:
    if case.up:
        return None
    reason = why_down(case)
    return Decision(Rule.STOP, reason, stop(case, instance, down_ending(case), reason))


def _replace(case: Case, instance: Instance) -> Decision | None:
    wanted = case.wanted
    assert wanted is not None
    if instance.token != wanted.token:
        reason = "a restart was asked for"
    elif other := needs.replaced(case, instance):
        reason = f"{other} was replaced"
    elif not is_outdated(wanted, case.state):
        return None
    elif instance.revision != wanted.revision and not wanted.deferred:
        reason = "its spec changed"
    else:
        reason = f"{', '.join(changed_files(case.state))} changed"
    return Decision(Rule.REPLACE, reason, stop(case, instance, Ending.SUPERSEDED, reason))


def _stop_again(case: Case, instance: Instance) -> Decision | None:
    """An earlier pmond had begun to stop it: that is finished, as it would have been without its end."""
    if instance.ending is Ending.ITSELF:
        return None
    reason = "it was being stopped when pmond was killed"
    return Decision(Rule.STOP_AGAIN, reason, stop(case, instance, instance.ending, reason))


def _not_ready_in_time(case: Case, instance: Instance) -> Decision | None:
    limit = _ready_limit(case, instance)
    if limit is None or case.now < limit:
        return None
    last = f": {instance.ready.message}" if instance.ready.message else ""
    reason = f"not ready within {format_duration(case.spec.ready.deadline)}{last}"
    return Decision(Rule.NOT_READY, reason, stop(case, instance, Ending.UNREADY, reason))


def _unhealthy(case: Case, instance: Instance) -> Decision | None:
    live = case.spec.live
    if instance.phase is not Phase.RUNNING or instance.ends_itself:
        return None
    if not probing.is_unhealthy(live, instance.live):
        return None
    times = "" if live.failures == 1 else f" {instance.live.in_a_row} times in a row"
    reason = f"unhealthy: its live probe failed{times}: {instance.live.message}"
    return Decision(Rule.UNHEALTHY, reason, stop(case, instance, Ending.UNHEALTHY, reason))


def _next_run(case: Case, instance: Instance) -> Decision | None:
    """A run is due while one is going on: it is left out, put aside, or takes its place."""
    schedule, timing = case.spec.schedule, case.state.history.timing
    if not schedule.wanted or case.wanted is None:
        return None
    if timing is None or not is_known(timing, schedule):
        return Decision(Rule.PLAN_RUN, "its next run is worked out", PlanRun(case.name))
    if not is_due(timing, case.now):
        return None
    if schedule.overlap == "replace":
        reason = "its next run is due"
        return Decision(Rule.REPLACE, reason, stop(case, instance, Ending.SUPERSEDED, reason))
    return Decision(Rule.PLAN_RUN, "its next run is due", PlanRun(case.name, overlapped=True))


def _overdue(case: Case, instance: Instance) -> Decision | None:
    """A one-shot that takes too long has failed; a service is replaced, which is nobody's fault."""
    at = _run_ends_at(case, instance)
    if at is None or case.now < at:
        return None
    reason = f"it ran for {format_duration(case.spec.max_runtime)} (max_runtime)"
    ending = Ending.OVERDUE if case.spec.is_oneshot else Ending.SUPERSEDED
    return Decision(Rule.OVERDUE, reason, stop(case, instance, ending, reason))


def _next_run_at(case: Case) -> float | None:
    timing = case.state.history.timing
    return timing.start_at if timing is not None and case.spec.schedule.wanted else None


def _run_ends_at(case: Case, instance: Instance) -> float | None:
    """When its run has taken as long as it may; services that were started together do not end together."""
    spec = case.spec
    if not spec.max_runtime:
        return None
    share = 0.0 if spec.is_oneshot else _SPLAY * crc32(f"{case.name} {instance.number}".encode()) / 2**32
    at = instance.started_at + spec.max_runtime * (1.0 - share)
    # What it asks for while it is starting is time to become ready; that is not more time in all.
    asked = instance.extended_until if instance.phase is Phase.RUNNING else None
    return max(at, asked or 0.0)


def _oversize(case: Case, instance: Instance) -> Decision | None:
    """A service is replaced; a one-shot would begin its work again, so it is left to its limits."""
    limit = case.spec.restart.above_memory
    if not limit or instance.memory <= limit or case.spec.is_oneshot:
        return None
    reason = f"it holds {format_size(instance.memory)} of memory, more than {format_size(limit)}"
    return Decision(Rule.OVERSIZE, reason, stop(case, instance, Ending.OVERSIZE, reason))


def _ends_itself(case: Case, instance: Instance) -> Decision | None:
    """It says that it is stopping: it has the time for that which it would have had if it had been asked."""
    if not instance.ends_itself:
        return None
    reason = instance.said or "it says that it is stopping"
    until = instance.extended_until or instance.started_at
    if case.now < until:
        rule = Rule.STARTING if instance.phase is Phase.STARTING else Rule.RUNNING
        return Decision(rule, reason, wake_at=until)
    reason = "it said that it is stopping, and did not end in time"
    return Decision(Rule.UNHEALTHY, reason, stop(case, instance, Ending.UNHEALTHY, reason))


def _starting(case: Case, instance: Instance) -> Decision | None:
    if instance.phase is not Phase.STARTING:
        return None
    ready = case.spec.ready
    if probing.is_timed(ready):
        ready_at = probing.timed_ready_at(ready, instance.started_at, case.policy.min_ready)
        return _decision(case, Rule.STARTING, "started", None, ready_at)
    due, at = _next_probe(case, instance)
    message = instance.said or instance.ready.message
    reason = f"not ready yet: {message}" if message else "not ready yet"
    limit = _ready_limit(case, instance, adopted=not probing.is_asked_again(ready))
    return _decision(case, Rule.STARTING, reason, due, _earliest(at, limit))


def _reload(case: Case, instance: Instance) -> Decision | None:
    """Only what runs is told: a program that is just starting may not yet listen to signals."""
    changed = changed_files(case.state)
    if not changed or instance.reloading is not None or case.spec.on_change not in ("reload", "signal"):
        return None
    reason = f"{', '.join(changed)} changed"
    return Decision(Rule.RELOAD, reason, Reload(case.name, instance.number, case.state.files, reason))


def _running(case: Case, instance: Instance) -> Decision | None:
    due, at = _next_probe(case, instance)
    if instance.reloading is not None:
        return _decision(case, Rule.RELOAD, "reloading", due, at)
    serves = case.wanted is None or is_ready(case.wanted, instance)
    said = instance.said or ("it says that it is reloading" if instance.announced else "")
    reason = said if serves else f"not ready: {instance.ready.message}"
    return _decision(case, Rule.RUNNING, reason, due, at)


def _decision(case: Case, rule: Rule, reason: str, due: RunProbe | None, at: float | None) -> Decision:
    """What is due, or when to look again; a time that an edit has moved into the past has come now."""
    if due is None and case.state.instance is not None:
        at = _earliest(_earliest(at, _run_ends_at(case, case.state.instance)), _next_run_at(case))
    if due is None and at is not None and at <= case.now:
        return Decision(rule, reason, PassDeadline(case.name))
    return Decision(rule, reason, due, None if due is not None else at)


def _next_probe(case: Case, instance: Instance) -> tuple[RunProbe | None, float | None]:
    """The probe that is due, and when to look again whether one is."""
    spec, earliest = case.spec, None
    if not (spec.ready.kind or spec.live.kind):
        return None, None  # of most processes nothing is asked, and that costs nothing
    for aspect, at in tries.next_tries(spec, instance, case.name):
        if at > case.now or tries.is_put_off(instance, aspect, at, case.now):
            earliest = _earliest(earliest, at)
        else:
            attempt = tries.probing_of(instance, aspect).attempt + 1
            return RunProbe(case.name, instance.number, aspect, attempt), None
    if instance.phase is Phase.RUNNING and spec.live.notify:
        counts_from = tries.serves_since(instance) + spec.live.start_period
        earliest = _earliest(earliest, probing.watchdog_due(spec.live, instance.live, counts_from))
    return None, earliest


def _ready_limit(case: Case, instance: Instance, *, adopted: bool = False) -> float | None:
    """When it must be ready; None: whenever it is.

    One that was found running is not stopped for it: what it said to an earlier pmond may be lost.
    """
    ready = case.spec.ready
    if instance.phase is not Phase.STARTING or probing.is_timed(ready) or not ready.deadline:
        return None
    if instance.adopted and not adopted:
        return None
    return max(instance.started_at + ready.deadline, instance.extended_until or 0.0)


def _earliest(one: float | None, other: float | None) -> float | None:
    if one is None or other is None:
        return one if other is None else other
    return min(one, other)


RULES = (
    _clear_tree,
    _await_killed,
    _force,
    _await_stopped,
    _await_dependants,
    _stop_unwanted,
    _replace,
    _stop_again,
    _not_ready_in_time,
    _unhealthy,
    _next_run,
    _overdue,
    _oversize,
    _ends_itself,
    _starting,
    _reload,
    _running,
)
