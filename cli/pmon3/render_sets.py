"""Sets and their history as text for people. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pmon3.output import diagnostic_line
from pmon3.render import local_time
from pmon3.table import CENTRE, GREEN, RED, RIGHT, YELLOW, Column, table, visible

_SET_COLUMNS = (
    Column("Set", 3),
    Column("Sync", 6),
    Column("Health", 7),
    Column("Processes", 9, RIGHT),
    Column("Version", 7, RIGHT),
    Column("Checked", 19),
)
_HISTORY_COLUMNS = (
    Column("Revision", 8, CENTRE),
    Column("Date", 19),
    Column("By", 4),
    Column("Outcome", 7),
    Column("Changes", 10),
    Column("Commit", 7),
    Column("Message", 10),
)
_WELL = {"Synced", "Healthy"}
_COLOURED = (1, 2)
"""The places of sync and health."""


def sets_text(sets: Sequence[dict[str, Any]], coloured: bool = False) -> str:
    """The table of sets, and below it what keeps each from being in sync."""
    rows = [
        (
            one["name"], one["sync"], one["health"], str(one["processes"]), str(one["version"] or ""),
            local_time(one["checked_at"]),
        )
        for one in sets
    ]  # fmt: skip

    def colour(row: int, place: int) -> int | None:
        if place not in _COLOURED:
            return None
        word = rows[row][place]
        return GREEN if word in _WELL else RED if word in {"OutOfSync", "Degraded"} else YELLOW

    lines = [line for one in sets for line in _remarks(one)]
    return table(_SET_COLUMNS, rows, colour, coloured) + "".join(f"{visible(line)}\n" for line in lines)


def history_text(revisions: Sequence[dict[str, Any]], coloured: bool = False) -> str:
    """The table of revisions, newest first."""
    rows = [
        (
            str(one["revision"]), local_time(one["time"]), one["by"], one["outcome"],
            ", ".join(f"{n} {w}" for w, n in one["summary"].items() if n and w not in ("unchanged", "held")),
            one["commit"][:10], one["message"],
        )
        for one in revisions
    ]  # fmt: skip
    return table(_HISTORY_COLUMNS, rows, coloured=coloured)


def _remarks(one: dict[str, Any]) -> list[str]:
    lines = []
    if not one["accepted"]:
        lines.append(f"{one['name']}: not accepted ({one['reason']}): {one['message']}")
        lines += [f"  {diagnostic_line(diagnostic)}" for diagnostic in one["diagnostics"]]
    for condition in one["conditions"]:
        missing = condition["type"] == "Accepted" and condition["status"] == "Unknown"
        if condition["message"] and (missing or condition["type"] in {"Suspended", "Synced", "Followed"}):
            lines.append(f"{one['name']}: {condition['message']}")
    if one["chosen"] and any(one["chosen"].values()):
        said = ", ".join(f"{what} {', '.join(names)}" for what, names in one["chosen"].items() if names)
        lines.append(f"{one['name']}: chosen when it was applied: {said}")
    kept = [member for member in one["inventory"] if not member["declared"]]
    for member in kept:
        why = {"confirm": f"pmon3 approve {member['name']} deletes it", False: "protected (prune: false)"}
        said = why.get(member["prune"], "--prune deletes it")
        lines.append(f"{one['name']}: {member['name']} is no longer declared: {said}")
    return lines
