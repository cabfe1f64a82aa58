"""Restarting processes one after another: the next one only when the one before serves again.

Theory of operation: the replicas of a process go by its `rollout`, so many at a time; different processes
come one by one, in the order in which they are listed. Nothing is asked of pmond but restarts and waits, so
whoever stops waiting (Ctrl-C) leaves the rest as it was.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from pmon3 import output, waiting
from pmon3.client import Client, path_segment
from pmon3.names import query
from pmon3_schema.errors import ErrorCode, PmonError
from pmon3_schema.scalars import parse_duration


class Pacing(NamedTuple):
    """How the replicas of one entry are replaced."""

    at_once: int = 1
    settle: float = 0.0
    """Seconds that a new one is ready for before the next one is restarted."""
    pause: float = 0.0
    """Seconds on top of that."""


def restart(client: Client, chosen: dict[str, Any], wait_options: waiting.WaitOptions) -> waiting.WaitResult:
    """Restart what is chosen; what is there at the end, or why it went no further."""
    if wait_options.no_wait:
        raise PmonError(
            ErrorCode.BAD_REQUEST, "cannot restart one after another without waiting", "leave --no-wait out"
        )
    rows = client.get("/v1/processes", query(chosen))
    began, done = time.monotonic(), 0
    for batch, pacing in _batches(client, rows):
        if done:
            time.sleep(pacing.pause)
        body = {"refs": [row["name"] for row in batch]}
        targets = client.post("/v1/actions/restart", body)["targets"]
        settled = waiting.wait(client, targets, waiting.READY, wait_options)
        if settled.error is None and pacing.settle:
            time.sleep(pacing.settle)
            settled = waiting.wait(client, targets, waiting.READY, waiting.WaitOptions(0.0))
        if settled.error is not None:
            output.note(f"{done} of {len(rows)} restarted; those after it run as before")
            return settled
        done += len(batch)
    output.note(f"{done} restarted, one after another, in {time.monotonic() - began:.1f} s")
    names = {row["name"] for row in rows}
    return waiting.WaitResult([row for row in client.get("/v1/processes") if row["name"] in names])


def _batches(client: Client, rows: Sequence[dict[str, Any]]) -> Iterator[tuple[list[dict[str, Any]], Pacing]]:
    """Those that are restarted together, in order."""
    for entry in dict.fromkeys(map(_entry_of, rows)):
        members = [row for row in rows if _entry_of(row) == entry]
        pacing = _pacing(client, members[0]["name"])
        for first in range(0, len(members), pacing.at_once):
            yield members[first : first + pacing.at_once], pacing


def _entry_of(row: dict[str, Any]) -> str:
    replica = row.get("replica")
    return str(replica["of"] if replica else row["name"])


def _pacing(client: Client, name: str) -> Pacing:
    rollout = client.get(f"/v1/processes/{path_segment(name)}")["spec"].get("rollout", {})
    return Pacing(
        rollout.get("max_parallel", 1), _seconds(rollout.get("min_ready")), _seconds(rollout.get("pause"))
    )


def _seconds(value: Any) -> float:
    return parse_duration(value) if isinstance(value, str) else float(value or 0.0)
