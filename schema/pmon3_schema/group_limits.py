"""Where control groups (cgroup v2) keep the limits of `resources`: controllers, files, what is written."""

from __future__ import annotations

from typing import NamedTuple

from pmon3_schema.bounds import ResourcesSpec

_PERIOD = 100_000
"""Microseconds, over which processor time is meted out; the kernel's own default."""
_SHORTEST = 1_000
"""Microseconds in each of them, the least that the kernel takes."""


class Limit(NamedTuple):
    """One field of `resources`, and where the kernel keeps it."""

    field: str
    controller: str
    file: str
    unlimited: str

    def text(self, resources: ResourcesSpec) -> str:
        """What the file is to say."""
        value = getattr(resources, self.field)
        if value is None:
            return self.unlimited
        if self.field == "cpu":
            return f"{max(_SHORTEST, round(value * _PERIOD))} {_PERIOD}"
        return f"default {value}" if self.field == "io_weight" else str(value)


LIMITS = (
    Limit("memory_max", "memory", "memory.max", "max"),
    Limit("memory_high", "memory", "memory.high", "max"),
    Limit("cpu", "cpu", "cpu.max", f"max {_PERIOD}"),
    Limit("cpu_weight", "cpu", "cpu.weight", "100"),
    Limit("tasks_max", "pids", "pids.max", "max"),
    Limit("io_weight", "io", "io.weight", "default 100"),
)


ALL = tuple(dict.fromkeys(limit.controller for limit in LIMITS))
"""The controllers of all of them."""


def asked_for(resources: ResourcesSpec) -> tuple[Limit, ...]:
    """The limits that are declared."""
    return tuple(limit for limit in LIMITS if getattr(resources, limit.field) is not None)


def controllers_of(resources: ResourcesSpec) -> frozenset[str]:
    """What is needed to keep them."""
    return frozenset(limit.controller for limit in asked_for(resources))
