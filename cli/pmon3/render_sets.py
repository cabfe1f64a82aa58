"""Sets and their history as text for people. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pmon3.fitting import SHORTEN, SHORTEN_LEFT, WRAP, Column, wrapped
from pmon3.output import diagnostic_line
from pmon3.table import CENTRE, GREEN, PLAIN, RED, RIGHT, YELLOW, Style, table, visible
from pmon3.times import column_time, in_local_times, with_zone

_HISTORY_OUTCOMES = {"done": GREEN, "failed": RED, "rolled_back": RED}
_WELL = {"Synced", "Healthy"}
_COLOURED = (1, 2)
"""The places of sync and health."""
_OUTCOME = 3
"""The place of the outcome of a revision."""


def sets_text(sets: Sequence[dict[str, Any]], style: Style = PLAIN) -> str:
    """The table of sets, and below it what keeps each from being in sync."""
    rows = [
        (
            one["name"], one["sync"], one["health"], str(one["processes"]), str(one["version"] or ""),
            column_time(one["checked_at"]),
        )
        for one in sets
    ]  # fmt: skip

    def colour(row: int, place: int) -> int | None:
        if place not in _COLOURED:
            return None
        word = rows[row][place]
        return GREEN if word in _WELL else RED if word in {"OutOfSync", "Degraded"} else YELLOW

    columns = (
        Column("Set", 3, fit=SHORTEN_LEFT), Column("Sync", 6), Column("Health", 7),
        Column("Processes", 9, RIGHT, rank=3), Column("Version", 7, RIGHT, rank=2),
        Column(with_zone("Checked"), 19, rank=1),
    )  # fmt: skip
    lines = [part for one in sets for line in _remarks(one) for part in _wrapped(visible(line), style)]
    return table(columns, rows, colour, style) + "".join(f"{line}\n" for line in lines)


def _wrapped(line: str, style: Style) -> list[str]:
    """A remark in lines that the terminal has room for, those after the first one set in."""
    if style.columns is None or len(line) <= style.columns:
        return [line]
    first, *rest = wrapped(line, style.columns)
    return [first, *(f"  {part}" for part in wrapped(" ".join(rest), max(20, style.columns - 2)))]


def history_text(revisions: Sequence[dict[str, Any]], style: Style = PLAIN) -> str:
    """The table of revisions, newest first."""
    rows = [
        (
            str(one["revision"]), column_time(one["time"]), one["by"], one["outcome"],
            ", ".join(f"{n} {w}" for w, n in one["summary"].items() if n and w not in ("unchanged", "held")),
            one["commit"][:10], one["message"],
        )
        for one in revisions
    ]  # fmt: skip
    columns = (
        Column("Revision", 8, CENTRE), Column(with_zone("Date"), 19, rank=2),
        Column("By", 4, fit=SHORTEN, rank=3), Column("Outcome", 7), Column("Changes", 10, fit=WRAP),
        Column("Commit", 7, rank=1), Column("Message", 10, fit=WRAP),
    )  # fmt: skip

    def colour(row: int, place: int) -> int | None:
        return _HISTORY_OUTCOMES.get(rows[row][place]) if place == _OUTCOME else None

    return table(columns, rows, colour, style)


def _remarks(one: dict[str, Any]) -> list[str]:
    lines = []
    if not one["accepted"]:
        lines.append(f"{one['name']}: not accepted ({one['reason']}): {one['message']}")
        lines += [f"  {diagnostic_line(diagnostic)}" for diagnostic in one["diagnostics"]]
    for condition in one["conditions"]:
        missing = condition["type"] == "Accepted" and condition["status"] == "Unknown"
        if condition["message"] and (missing or condition["type"] in {"Suspended", "Synced", "Followed"}):
            lines.append(f"{one['name']}: {in_local_times(condition['message'])}")
    if one["chosen"] and any(one["chosen"].values()):
        said = ", ".join(f"{what} {', '.join(names)}" for what, names in one["chosen"].items() if names)
        lines.append(f"{one['name']}: chosen when it was applied: {said}")
    kept = [member for member in one["inventory"] if not member["declared"]]
    for member in kept:
        why = {"confirm": f"pmon3 approve {member['name']} deletes it", False: "protected (prune: false)"}
        said = why.get(member["prune"], "--prune deletes it")
        lines.append(f"{one['name']}: {member['name']} is no longer declared: {said}")
    return lines
