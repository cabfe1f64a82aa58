"""When the probes of one instance are tried next, and which of those times are put off."""

from __future__ import annotations

from pmon3_schema.process import ProcessSpec
from pmond.core import probing
from pmond.core.model import Instance, Phase
from pmond.core.probing import Aspect, Probing


def next_tries(spec: ProcessSpec, instance: Instance, name: str) -> list[tuple[Aspect, float]]:
    """The next time of each probe that is tried again and again.

    Somebody may wait for one that starts; the others are asked in company.
    """
    ready_at = probing.next_ready_try(spec.ready, instance.ready, instance.started_at, name)
    if instance.phase is not Phase.RUNNING:
        return [] if ready_at is None else [(Aspect.READY, ready_at)]
    found = []
    if ready_at is not None:
        found.append((Aspect.READY, probing.in_company(ready_at, spec.ready.interval)))
    live_at = probing.next_live_try(spec.live, instance.live, serves_since(instance), name)
    if live_at is not None:
        found.append((Aspect.LIVE, probing.in_company(live_at, spec.live.interval)))
    return found


def put_off(spec: ProcessSpec, instance: Instance, name: str, now: float) -> list[Aspect]:
    """Whose time is to be put off."""
    tried = next_tries(spec, instance, name)
    return [aspect for aspect, at in tried if is_put_off(instance, aspect, at, now)]


def is_put_off(instance: Instance, aspect: Aspect, at: float, now: float) -> bool:
    """Whether a try is to be put off. Not while it starts: somebody may wait for it to be ready."""
    if instance.phase is not Phase.RUNNING:
        return False
    return probing.is_to_spread(probing_of(instance, aspect), at, now)


def serves_since(instance: Instance) -> float:
    """Since when it is asked whether it lives."""
    return instance.started_at if instance.ready_at is None else instance.ready_at


def probing_of(instance: Instance, aspect: Aspect) -> Probing:
    """What that probe has found."""
    return instance.ready if aspect is Aspect.READY else instance.live
