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


def folded(processes: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """With the replicas of a process as one row, where the first of them stood: ``6/6 running``."""
    of: dict[str, list[dict[str, Any]]] = {}
    for process in processes:
        replica = process.get("replica")
        of.setdefault(f"{process.get('host', '')} {replica['of']}" if replica else "", []).append(process)
    rows: dict[int, dict[str, Any]] = {id(one): one for one in of.pop("", [])}
    rows |= {id(replicas[0]): _together(replicas) for replicas in of.values()}
    return [rows[id(process)] for process in processes if id(process) in rows]


def overrides(processes: Sequence[dict[str, Any]]) -> list[str]:
    """Of which entries there are more or fewer than their manifests say, a line for each."""
    lines: dict[tuple[str, str], str] = {}
    for process in processes:
        replica = process.get("replica")
        if replica and replica["declared"] != replica["count"]:
            of, host = replica["of"], process.get("host", "")
            lines[host, of] = f"{f'{host} ' if host else ''}{of}: {override(replica)}"
    return list(lines.values())


def override(replica: dict[str, Any]) -> str:
    """What the manifest says of one that is scaled, and how that comes back."""
    said = "one" if replica["declared"] is None else replica["declared"]
    return f"its manifest says {said}; pmon3 unhold {replica['of']} goes back to that"


def _together(replicas: Sequence[dict[str, Any]]) -> dict[str, Any]:
    first = replicas[0]
    count = first["replica"]["count"]
    if not count:  # the one row of an entry of which there are none
        return first
    serving = sum(one["status"] == "running" and one["ready"] for one in replicas)
    summed = {
        key: sum(one[key] for one in replicas) for key in ("restart_count", "cpu_percent", "memory_bytes")
    }
    newest = max(one["updated_at"] for one in replicas)
    status = f"{serving}/{len(replicas)} running"
    return {
        **first,
        **summed,
        "name": first["replica"]["of"],
        "pid": 0,
        "status": status,
        "updated_at": newest,
    }


def is_unwell(process: dict[str, Any]) -> bool:
    """Whether somebody should look at it: it failed, waits after a failure, or runs and is not ready."""
    return process["status"] in _UNWELL or (process["status"] == "running" and not process["ready"])
