"""Answers of pmond as text for people: the process, property and group tables.

Theory of operation: pure functions from the dictionaries of `pmon3_schema.status` to text, in
the layout of the Go pmon3 (`table`), with its columns, placeholders and colours. Nothing heavy
is imported: this is on the path of the quick `ls`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pmon3.table import CENTRE, DARK, GREEN, GREY, OLIVE, PINK, RED, RIGHT, YELLOW, Column, table

_STATUS_COLOURS = {
    "running": GREEN,
    "completed": GREEN,
    "stopped": YELLOW,
    "failed": RED,
    "init": GREY,
    "backoff": PINK,
}
_STATUS = 4
"""The place of the status among the columns of the process table."""

_PROCESS_COLUMNS = (
    Column("ID", 2, CENTRE, OLIVE),
    Column("Name", 5),
    Column("PID", 3),
    Column("⟳", 1),
    Column("Status", 6),
    Column("User", 5),
    Column("CPU", 4, RIGHT),
    Column("Memory", 7, RIGHT),
    Column("Date", 19),
)
_PROPERTY_COLUMNS = (Column("property", 15, colour=OLIVE), Column("description", 15))
_GROUP_COLUMNS = (Column("ID", 2, CENTRE, OLIVE), Column("Name", 10))
_EVENT_COLUMNS = (Column("Date", 19), Column("Name", 5), Column("Reason", 10), Column("Message", 10))


def process_table(processes: Sequence[dict[str, Any]], coloured: bool = False) -> str:
    """The table of `ls`, one row per process, in the order given."""
    rows = [_process_row(process) for process in processes]

    def colour(row: int, place: int) -> int | None:
        return status_colour(rows[row][_STATUS]) if place == _STATUS else None

    return table(_PROCESS_COLUMNS, rows, colour, coloured)


def property_table(properties: Sequence[tuple[str, str]], coloured: bool = False) -> str:
    """The table of `desc`: properties with an empty value are left out, the status never is."""
    rows = [row for row in properties if row[1] or row[0] == "status"]

    def colour(row: int, place: int) -> int | None:
        return status_colour(rows[row][1]) if place == 1 and rows[row][0] == "status" else None

    return table(_PROPERTY_COLUMNS, rows, colour, coloured)


def group_table(groups: Sequence[dict[str, Any]], coloured: bool = False) -> str:
    """The table of `group ls`."""
    return table(_GROUP_COLUMNS, [(str(group["id"]), group["name"]) for group in groups], coloured=coloured)


def event_table(events: Sequence[dict[str, Any]], coloured: bool = False) -> str:
    """The table of `events`, oldest first."""
    rows = [(local_time(e["time"]), e["name"], e["reason"], e["message"]) for e in events]
    return table(_EVENT_COLUMNS, rows, coloured=coloured)


def status_colour(status: str) -> int:
    """The colour of a status word; the seed's grey for everything that is on its way."""
    return _STATUS_COLOURS.get(status, DARK)


def local_time(text: str | None) -> str:
    """An RFC 3339 time as `YYYY-MM-DD HH:MM:SS` in the caller's zone; empty for none."""
    if not text:
        return ""
    # Imported here: an empty table and `-o json` do without.
    from datetime import datetime

    try:
        # Four times as fast as strftime, and `ls` does it for every row.
        return datetime.fromisoformat(text).astimezone().isoformat(" ")[:19]
    except ValueError:
        return text


def memory(bytes_used: int) -> str:
    """Resident memory as the seed writes it: one decimal, steps of 1024, plain up to 1024 bytes."""
    if bytes_used <= 0:
        return "0.0 MB"
    if bytes_used <= 1024:
        return str(bytes_used)
    for unit, size in (("KB", 1024), ("MB", 1024**2)):
        if bytes_used < size * 1024:
            return f"{bytes_used / size:.1f} {unit}"
    return f"{bytes_used / 1024**3:.1f} GB"


def _process_row(process: dict[str, Any]) -> tuple[str, ...]:
    return (
        str(process["id"]),
        process["name"],
        str(process["pid"]),
        str(process["restart_count"]),
        process["status"],
        process["user"],
        f"{process['cpu_percent']:.1f}%",
        memory(process["memory_bytes"]),
        local_time(process["updated_at"]),
    )
