"""When the probes of one instance are tried next, and which of those times are put off."""

from __future__ import annotations

from collections.abc import Iterator

from pmon3_schema.process import ProcessSpec
from pmond.core import probing
from pmond.core.model import Instance, Phase
from pmond.core.probing import Aspect, Probing


def next_tries(spec: ProcessSpec, instance: Instance, name: str) -> Iterator[tuple[Aspect, float]]:
    """The next time of each probe that is tried again and again.

    Somebody may wait for one that starts; the others are asked in company.
    """
    at = probing.next_ready_try(spec.ready, instance.ready, instance.started_at, name)
    if at is not None and instance.phase is not Phase.RUNNING:
        yield Aspect.READY, at
    elif at is not None:
        yield Aspect.READY, probing.in_company(at, spec.ready.interval)
    if instance.phase is Phase.RUNNING:
        at = probing.next_live_try(spec.live, instance.live, serves_since(instance), name)
        if at is not None:
            yield Aspect.LIVE, probing.in_company(at, spec.live.interval)


def put_off(spec: ProcessSpec, instance: Instance, name: str, now: float) -> Iterator[Aspect]:
    """Whose time is to be put off. Not while it starts: somebody may wait for it to be ready."""
    if instance.phase is Phase.RUNNING:
        for aspect, at in next_tries(spec, instance, name):
            if probing.is_to_spread(probing_of(instance, aspect), at, now):
                yield aspect


def serves_since(instance: Instance) -> float:
    """Since when it is asked whether it lives."""
    return instance.started_at if instance.ready_at is None else instance.ready_at


def probing_of(instance: Instance, aspect: Aspect) -> Probing:
    """What that probe has found."""
    return instance.ready if aspect is Aspect.READY else instance.live
