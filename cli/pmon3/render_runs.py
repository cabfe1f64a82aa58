"""The table of `runs`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pmon3.fitting import Column
from pmon3.table import GREEN, GREY, PINK, PLAIN, RED, RIGHT, YELLOW, Style, table
from pmon3.times import column_time, with_zone
from pmon3_schema.scalars import format_duration

_COLOURS = {
    "running": GREEN,
    "succeeded": GREEN,
    "failed": RED,
    "not started": RED,
    "stopped": YELLOW,
    "unknown": PINK,
}
_OUTCOME = 4
"""The place of the outcome among the columns."""


def run_table(runs: Sequence[dict[str, Any]], style: Style = PLAIN) -> str:
    """The runs of one process, oldest first."""

    def colour(row: int, place: int) -> int | None:
        return _COLOURS.get(runs[row]["outcome"], GREY) if place == _OUTCOME else None

    return table(_columns(), [_row(run) for run in runs], colour, style)


def _columns() -> tuple[Column, ...]:
    return (
        Column("Run", 3, RIGHT),
        Column(with_zone("Started"), 19),
        Column("Ended", 19, rank=1),
        Column("Lasted", 6, RIGHT),
        Column("Outcome", 9),
        Column("By", 5),
    )


def _row(run: dict[str, Any]) -> tuple[str, ...]:
    ended = column_time(run["ended_at"]) if run["ended_at"] else "-"
    lasted = format_duration(round(run["duration_seconds"], 3))
    return str(run["number"]), column_time(run["started_at"]), ended, lasted, _outcome(run), run["by"]


def _outcome(run: dict[str, Any]) -> str:
    how: str = run["outcome"]
    if how == "failed" and run["exit_code"] is not None:
        return f"{how} ({run['exit_code']})"
    return f"{how} ({run['exit_signal']})" if run["exit_signal"] else how
