"""Answers of pmond as text for people: the process, property and group tables.

Theory of operation: pure functions from the dictionaries of `pmon3_schema.status` to text, in
the layout of the Go pmon3 (`table`), with its columns, placeholders and colours. Nothing heavy
is imported: this is on the path of the quick `ls`.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Sequence
from typing import Any

from pmon3.fitting import SHORTEN, WRAP, Column
from pmon3.table import (
    CENTRE,
    DARK,
    GREEN,
    GREY,
    OLIVE,
    PINK,
    PLAIN,
    RED,
    RIGHT,
    YELLOW,
    Style,
    table,
)
from pmon3.times import column_time, in_local_times, with_zone

_STATUS_COLOURS = {
    "running": GREEN,
    "completed": GREEN,
    "stopped": YELLOW,
    "failed": RED,
    "init": GREY,
    "backoff": PINK,
}
_FOLDED = re.compile(r"(\d+)/(\d+) running")
"""How many of several run; see `listing.folded`."""
_STATUS = 4
"""The place of the status among the columns of the process table."""

_PROCESS_COLUMNS = (
    Column("ID", 2, CENTRE, OLIVE, rank=7),
    Column("Name", 5, fit=SHORTEN),
    Column("PID", 3, rank=6),
    Column("⟳", 1, rank=5),
    Column("Status", 6),
    Column("User", 5, fit=SHORTEN, rank=1),
    Column("CPU", 4, RIGHT, rank=3),
    Column("Memory", 7, RIGHT, rank=4),
)
_DATE = "Date"
_WIDE_COLUMNS = (Column("Set", 3), Column("Command", 7), Column("Reason", 6))
_PROPERTY_COLUMNS = (Column("property", 15, colour=OLIVE), Column("description", 15, fit=WRAP))
_HOST_COLUMN = Column("Host", 4, fit=SHORTEN)
_GROUP_COLUMNS = (Column("ID", 2, CENTRE, OLIVE), Column("Name", 10, fit=SHORTEN))
_REASON_COLOURS = {
    **dict.fromkeys(("Started", "Running", "Ready", "Adopted"), GREEN),
    **dict.fromkeys(("Exited", "Killed", "TreeLeft", "NotReady", "MemoryExceeded"), PINK),
    **dict.fromkeys(
        (
            "StartFailed", "StopFailed", "ReloadFailed", "Unhealthy", "ReadyTimeout", "ManifestRejected",
            "ConfigRejected",
        ),
        RED,
    ),
}  # fmt: skip


def process_table(
    processes: Sequence[dict[str, Any]], style: Style = PLAIN, more_columns: bool = False
) -> str:
    """The table of `ls`, one row per process, in the order given; with more columns for `-o wide`."""
    hosts = any("host" in process for process in processes)
    rows = [
        (
            *((process["host"],) if hosts else ()),
            *_process_row(process),
            *(_wide_row(process) if more_columns else ()),
        )
        for process in processes
    ]
    status = _STATUS + hosts

    def colour(row: int, place: int) -> int | None:
        return status_colour(rows[row][status]) if place == status else None

    # Scripts know the column by the title that the Go pmon3 has; people want to know the zone.
    date = Column(with_zone(_DATE) if style.columns is not None else _DATE, 19, rank=2)
    first = (_HOST_COLUMN,) if hosts else ()
    return table(
        (*first, *_PROCESS_COLUMNS, date, *(_WIDE_COLUMNS if more_columns else ())), rows, colour, style
    )


def property_table(properties: Sequence[tuple[str, str]], style: Style = PLAIN) -> str:
    """The table of `desc`: properties with an empty value are left out, the status never is."""
    rows = [row for row in properties if row[1] or row[0] == "status"]

    def colour(row: int, place: int) -> int | None:
        return status_colour(rows[row][1]) if place == 1 and rows[row][0] == "status" else None

    return table(_PROPERTY_COLUMNS, rows, colour, style)


def group_table(groups: Sequence[dict[str, Any]], style: Style = PLAIN) -> str:
    """The table of `group ls`."""
    return table(_GROUP_COLUMNS, [(str(group["id"]), group["name"]) for group in groups], style=style)


def event_table(events: Sequence[dict[str, Any]], style: Style = PLAIN) -> str:
    """The table of `events`, oldest first."""
    rows = [event_row(event) for event in events]
    return table(event_columns(), rows, event_colours(rows), style)


def event_columns() -> tuple[Column, ...]:
    """Those of the table of events."""
    return (
        Column(with_zone(_DATE), 19, rank=1),
        Column("Name", 5, fit=SHORTEN),
        Column("Reason", 10),
        Column("Message", 10, fit=WRAP),
    )


def event_row(event: dict[str, Any]) -> tuple[str, ...]:
    """One event as a row of that table."""
    return column_time(event["time"]), event["name"], event["reason"], in_local_times(event["message"])


def event_colours(rows: Sequence[Sequence[str]]) -> Callable[[int, int], int | None]:
    """What has gone wrong is red there, what has come up green."""
    return lambda row, place: _REASON_COLOURS.get(rows[row][2]) if place == 2 else None


def status_colour(status: str) -> int:
    """The colour of a status word; the seed's grey for everything that is on its way."""
    folded = _FOLDED.fullmatch(status)
    if folded:
        return GREEN if folded[1] == folded[2] else PINK
    return _STATUS_COLOURS.get(status, DARK)


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


def status_words(process: dict[str, Any]) -> str:
    """The status; of one that runs and does not serve, that too."""
    lost = process["status"] == "running" and not process.get("ready", True)
    return "running, not ready" if lost else str(process["status"])


def _process_row(process: dict[str, Any]) -> tuple[str, ...]:
    return (
        str(process["id"]),
        process["name"],
        str(process["pid"]),
        str(process["restart_count"]),
        status_words(process),
        process["user"],
        f"{process['cpu_percent']:.1f}%",
        memory(process["memory_bytes"]),
        column_time(process["updated_at"]),
    )


def _wide_row(process: dict[str, Any]) -> tuple[str, ...]:
    return process["owner"], shlex.join([process["file"], *process["args"]]), process["reason"]
