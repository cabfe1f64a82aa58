"""What probes have found, as callers see it."""

from __future__ import annotations

from collections.abc import Callable

from pmon3_schema.probes import ProbeSpec
from pmon3_schema.process import ProcessSpec
from pmon3_schema.status import ProbeStatus
from pmond.core.model import Instance
from pmond.core.probing import NOT_PROBED, Aspect, Probing


def probe_json(
    spec: ProcessSpec, instance: Instance | None, at: Callable[[float], str]
) -> dict[str, ProbeStatus]:
    """The last result of each probe that is declared; `at`: a time of the loop, for people."""
    declared: dict[Aspect, ProbeSpec] = {Aspect.READY: spec.ready, Aspect.LIVE: spec.live}
    found = {
        Aspect.READY: instance.ready if instance is not None else NOT_PROBED,
        Aspect.LIVE: instance.live if instance is not None else NOT_PROBED,
    }
    return {
        aspect.value: _status(probe.kind, found[aspect], at)
        for aspect, probe in declared.items()
        if probe.kind
    }


def _status(kind: str, probing: Probing, at: Callable[[float], str]) -> ProbeStatus:
    return {
        "kind": kind,
        "ok": probing.ok,
        "message": probing.message,
        "at": at(probing.at) if probing.at is not None else None,
        "in_a_row": probing.in_a_row,
    }
