"""Which processes a list shows, and in which order. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

ORDERS: dict[str, tuple[Callable[[dict[str, Any]], Any], bool]] = {
    "id": (lambda p: p["id"], False),
    "name": (lambda p: p["name"], False),
    "status": (lambda p: p["status"], False),
    "cpu": (lambda p: p["cpu_percent"], True),
    "memory": (lambda p: p["memory_bytes"], True),
    "restarts": (lambda p: p["restart_count"], True),
    "uptime": (lambda p: p["started_at"] if p["pid"] else "~", False),
}
"""What can be sorted by: the value, and whether the largest comes first. Who has run longest began first."""

_UNWELL = frozenset({"failed", "backoff"})


def in_order(processes: Sequence[dict[str, Any]], order: str, reverse: bool = False) -> list[dict[str, Any]]:
    """Sorted by one of `ORDERS`; equal ones by id."""
    value, largest_first = ORDERS[order]
    by_id = sorted(processes, key=lambda p: p["id"])
    return sorted(by_id, key=value, reverse=largest_first != reverse)


def is_unwell(process: dict[str, Any]) -> bool:
    """Whether somebody should look at it: it failed, waits after a failure, or runs and is not ready."""
    return process["status"] in _UNWELL or (process["status"] == "running" and not process["ready"])
