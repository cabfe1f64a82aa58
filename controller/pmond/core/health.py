"""Two words for a set: is it what was declared (sync), and is it well (health).

Health is that of its worst member; the order is that of Argo CD, from well to worst.
"""

from __future__ import annotations

from collections.abc import Iterable

from pmon3_schema.status import Status

HEALTH = ("Healthy", "Suspended", "Progressing", "Missing", "Degraded", "Unknown")
"""From well to worst."""

PROGRESSING = "Progressing"

_OF_STATUS = {
    Status.RUNNING: "Healthy",
    Status.COMPLETED: "Healthy",
    Status.SCHEDULED: "Healthy",
    Status.STOPPED: "Suspended",
    Status.QUEUED: "Progressing",
    Status.INIT: "Progressing",
    Status.RESTARTING: "Progressing",
    Status.WAITING: "Progressing",
    Status.STOPPING: "Progressing",
    Status.CLOSED: "Missing",
    Status.BACKOFF: "Degraded",
    Status.FAILED: "Degraded",
}


def health_of(status: Status) -> str:
    """The health of one process."""
    return _OF_STATUS[status]


def worst(found: Iterable[str]) -> str:
    """The health of a set with these members; an empty one is well."""
    return max(found, key=HEALTH.index, default="Healthy")


def sync_of(*, accepted: bool | None, suspended: bool, held: bool, outdated: bool, taken_out: bool) -> str:
    """Whether a set is what its source says: the first of these that is in the way.

    `accepted` is None where there is no source that could say anything.
    """
    if accepted is None:
        return "Unknown"
    if not accepted:
        return "OutOfSync"
    if suspended:
        return "Suspended"
    if outdated or taken_out:
        return "OutOfSync"
    return "Held" if held else "Synced"
