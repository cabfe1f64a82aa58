"""What facts about its probes make of an instance: `evolve`, as far as readiness and life go.

A result counts once: for the try that it belongs to, while that is awaited. So a result that is lost,
repeated or late does no harm; one that is lost is asked for again. Time is a probe too: deadlines make
ready what has no other, and miss the words of a watchdog.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from pmon3_schema.process import ProcessSpec
from pmond.core import probing, tries
from pmond.core.facts import DeadlinePassed, LineSeen, Notified, ProbeBegun, ProbeFailed, ProbePassed
from pmond.core.model import Instance, Phase, Policy, State
from pmond.core.probing import Aspect, Probing
from pmond.core.tries import probing_of


def _probe_begun(state: State, fact: ProbeBegun, spec: ProcessSpec, now: float, policy: Policy) -> State:
    instance = state.run(fact.number)
    if instance is None or fact.attempt <= probing_of(instance, fact.aspect).attempt:
        return state
    begun = probing.begun(probing_of(instance, fact.aspect), fact.attempt, now)
    return replace(state, instance=_with_probing(instance, fact.aspect, begun))


def _probe_passed(state: State, fact: ProbePassed, spec: ProcessSpec, now: float, policy: Policy) -> State:
    instance = _awaiting(state, fact)
    if instance is None:
        return state
    passed = probing.passed(probing_of(instance, fact.aspect), fact.message, now)
    instance = _with_probing(instance, fact.aspect, passed)
    if fact.aspect is Aspect.READY:
        instance = replace(instance, lost_ready=False)
        if probing.becomes_ready(spec.ready, passed):
            instance = _ready(instance, now)
    return replace(state, instance=instance)


def _probe_failed(state: State, fact: ProbeFailed, spec: ProcessSpec, now: float, policy: Policy) -> State:
    instance = _awaiting(state, fact)
    if instance is None:
        return state
    counts = fact.aspect is Aspect.READY or now >= _counts_from(instance, spec)
    failed = probing.failed(probing_of(instance, fact.aspect), fact.message, now, counts)
    instance = _with_probing(instance, fact.aspect, failed)
    if fact.aspect is Aspect.READY and instance.phase is Phase.RUNNING:
        instance = replace(instance, lost_ready=probing.loses_readiness(spec.ready, failed))
    return replace(state, instance=instance)


def _line_seen(state: State, fact: LineSeen, spec: ProcessSpec, now: float, policy: Policy) -> State:
    instance = state.run(fact.number)
    if instance is None or instance.phase is not Phase.STARTING or spec.ready.kind != "log":
        return state
    return replace(state, instance=_ready(_said_ready(instance, fact.message, now), now))


def _notified(state: State, fact: Notified, spec: ProcessSpec, now: float, policy: Policy) -> State:
    instance = state.run(fact.number)
    if instance is None or instance.ended_at is not None:
        return state
    after = replace(
        instance,
        said=instance.said if fact.status is None else fact.status,
        announced=fact.announced or ("" if fact.ready else instance.announced),
    )
    if after.ends_itself and not instance.ends_itself:
        after = replace(after, extended_until=now + spec.stop.timeout)
    if fact.extend:
        after = _extended(after, now + fact.extend)
    if fact.ready and after.phase is Phase.STARTING and spec.ready.kind == "notify":
        after = _ready(_said_ready(after, "READY=1", now), now)
    if spec.live.kind == "notify" and (fact.watchdog or fact.trigger):
        after = replace(after, live=_word(after.live, fact, spec, now))
    return state if after == instance else replace(state, instance=after)


def _word(live: Probing, fact: Notified, spec: ProcessSpec, now: float) -> Probing:
    """A word of its watchdog: that it lives, or that it wants to be replaced at once."""
    if not fact.trigger:
        return probing.passed(live, "WATCHDOG=1", now)
    return replace(probing.failed(live, "WATCHDOG=trigger", now), in_a_row=spec.live.failures)


def _extended(instance: Instance, until: float) -> Instance:
    """More time for what it is about: to become ready, to run, or to end."""
    if instance.phase < Phase.STOPPING:
        return replace(instance, extended_until=max(instance.extended_until or 0.0, until))
    if instance.phase is Phase.STOPPING and instance.kill_at is not None and instance.killed_at is None:
        return replace(instance, kill_at=max(instance.kill_at, until))
    return instance


def _deadline(state: State, fact: DeadlinePassed, spec: ProcessSpec, now: float, policy: Policy) -> State:
    instance = state.instance
    if instance is None:
        return state
    if instance.phase is Phase.STARTING and _is_due(instance, spec, now, policy):
        return replace(state, instance=_ready(instance, now))
    for aspect in tries.put_off(spec, instance, fact.name, now):
        spread = replace(probing_of(instance, aspect), spread_from=now)
        instance = _with_probing(instance, aspect, spread)
    if instance is not state.instance:
        return replace(state, instance=instance)
    if instance.phase is Phase.RUNNING and not instance.ends_itself:
        missed = probing.watchdog_due(spec.live, instance.live, _counts_from(instance, spec))
        if missed is not None and now >= missed:
            failed = probing.failed(instance.live, "no WATCHDOG=1 in time", now)
            return replace(state, instance=replace(instance, live=failed))
    return state


def _is_due(instance: Instance, spec: ProcessSpec, now: float, policy: Policy) -> bool:
    """Whether time alone makes it ready, or the patience with one whose word is perhaps lost is over."""
    if probing.is_timed(spec.ready):
        return now >= probing.timed_ready_at(spec.ready, instance.started_at, policy.min_ready)
    waited = bool(spec.ready.deadline) and now >= instance.started_at + spec.ready.deadline
    return instance.adopted and waited and not probing.is_asked_again(spec.ready)


def _ready(instance: Instance, now: float) -> Instance:
    """It serves from now on."""
    if instance.phase is not Phase.STARTING:
        return instance
    until = instance.extended_until if instance.ends_itself else None
    return replace(instance, phase=Phase.RUNNING, ready_at=now, extended_until=until)


def _said_ready(instance: Instance, message: str, now: float) -> Instance:
    return replace(instance, ready=probing.passed(instance.ready, message, now))


def _counts_from(instance: Instance, spec: ProcessSpec) -> float:
    """From when on failures of its live probe count."""
    return tries.serves_since(instance) + spec.live.start_period


def _with_probing(instance: Instance, aspect: Aspect, found: Probing) -> Instance:
    return replace(instance, ready=found) if aspect is Aspect.READY else replace(instance, live=found)


def _awaiting(state: State, fact: ProbePassed | ProbeFailed) -> Instance | None:
    """The instance, if it waits for the result of that very try."""
    instance = state.run(fact.number)
    if instance is None or not probing.awaits(probing_of(instance, fact.aspect), fact.attempt):
        return None
    return instance


Handler = Callable[[State, Any, ProcessSpec, float, Policy], State]

HANDLERS: dict[type, Handler] = {
    DeadlinePassed: _deadline,
    LineSeen: _line_seen,
    Notified: _notified,
    ProbeBegun: _probe_begun,
    ProbeFailed: _probe_failed,
    ProbePassed: _probe_passed,
}
