"""Nice values and limits that somebody without the rights of root may give to what he runs.

Theory of operation: in his own shell he can lower what he has and never raise it. pmond has more rights than
he, so it asks what his own would allow: when he submits a spec by the hard limits of the process that asks;
when the program starts by the kernel itself, as his rights are all that is left by then (`launcher`).
"""

from __future__ import annotations

import os
import resource
from pathlib import Path

from pmon3_schema.process import ProcessSpec
from pmon3_schema.scalars import format_duration
from pmond.runtime.access.principal import Principal
from pmond.runtime.processes.instances import Tuning
from pmond.runtime.processes.launch import LIMIT_NUMBERS

SHORTEST_REST = 2.0
"""Seconds between restarts in the end."""
_ASKED = {"exec", "http", "tcp"}
_SHORTEST_INTERVAL = 0.001
"""Seconds; none at all counts as this."""
_ORDINARY_WEIGHT = 100
"""What every control group has."""
_LABELS = {
    resource.RLIMIT_NOFILE: "Max open files",
    resource.RLIMIT_AS: "Max address space",
    resource.RLIMIT_CPU: "Max cpu time",
    resource.RLIMIT_CORE: "Max core file size",
    resource.RLIMIT_NPROC: "Max processes",
}
"""What /proc/PID/limits calls them."""


def exceeded(spec: ProcessSpec, principal: Principal) -> str:
    """What of a spec only root could give: for an error message, empty if there is nothing."""
    if spec.priority is not None and spec.priority < 0:
        return f"priority {spec.priority} is for root to give"
    for weight in ("cpu_weight", "io_weight"):
        if (getattr(spec.resources, weight) or 0) > _ORDINARY_WEIGHT:
            return f"resources.{weight} above {_ORDINARY_WEIGHT}, more than others have, is for root to give"
    if spec.sandbox.capabilities:
        return "sandbox.capabilities are for root to give"
    if spec.policy != "never" and _restarts_without_rest(spec):
        return (
            f"restart: max_delay and stable_after below {format_duration(SHORTEST_REST)} are for root to give"
        )
    for name, number in LIMIT_NUMBERS.items():
        value = getattr(spec.limits, name)
        if value is not None and not _is_within(value, _hard_limit(principal, number)):
            return f"limits.{name} {value} is above the {_hard_limit(principal, number)} of the caller"
    return ""


def _restarts_without_rest(spec: ProcessSpec) -> bool:
    """Whether it may be started again and again, as fast as pmond can: all others would wait for that."""
    restart = spec.restart
    return min(max(restart.delay, restart.max_delay), restart.stable_after) < SHORTEST_REST


def probes_in_a_second(spec: ProcessSpec) -> float:
    """How many of its probes are tried each second, at most."""
    asked = (probe for probe in (spec.ready, spec.live) if probe.kind in _ASKED)
    return sum(1 / max(probe.interval, _SHORTEST_INTERVAL) for probe in asked)


def within_own(tuning: Tuning) -> Tuning:
    """The values without those above pmond's own, which every start begins with."""
    nice = os.getpriority(os.PRIO_PROCESS, 0)
    lower = tuning.priority is not None and tuning.priority < nice
    limits = (
        value if value is None or _is_within(value, resource.getrlimit(number)[1]) else None
        for number, value in zip(LIMIT_NUMBERS.values(), tuning.limits, strict=True)
    )
    return Tuning(None if lower else tuning.priority, tuple(limits))


def _hard_limit(principal: Principal, number: int) -> int:
    """That of the process that asks, and of pmond where that is lower."""
    own = resource.getrlimit(number)[1]
    theirs = _hard_limit_of(principal, _LABELS[number])
    return theirs if theirs is not None and _is_within(theirs, own) else own


def _hard_limit_of(principal: Principal, label: str) -> int | None:
    """The same by proc(5), which asks for no rights; None: it has ended, or does not say."""
    folder = Path(f"/proc/{principal.pid}")
    try:
        if folder.stat().st_uid != principal.uid:
            return None  # the number is another's by now
        lines = (folder / "limits").read_text("ascii").splitlines()
    except OSError:
        return None
    hard = next((line[len(label) :].split()[1] for line in lines if line.startswith(label)), "")
    return int(hard) if hard.isdecimal() else None


def _is_within(value: int, limit: int) -> bool:
    return limit == resource.RLIM_INFINITY or (value != resource.RLIM_INFINITY and value <= limit)
