"""Which processes the terminal UI lists, and what their rows say. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from pmon3.fitting import shortened
from pmon3.listing import in_order, is_unwell
from pmon3.render import memory, status_colour, status_words
from pmon3.table import visible
from pmon3.times import column_time

ORDERS = ("id", "name", "status", "restarts", "cpu", "memory")
"""What the key for sorting goes through."""

_PADDING = 2
"""Cells that a column of the table has around its text."""
_FIXED = {"Status": 18, "PID": 7, "⟳": 3}
_SINCE = {"Since": 19}
_FIGURES = {"CPU": 8, "Memory": 9}
_LEAST_NAME = 8


class ListColumn(NamedTuple):
    """A column of the list."""

    title: str
    size: int


class Wanted(NamedTuple):
    """Which processes are listed, and how."""

    text: str = ""
    """Words that are all in the name, the status, a group or a label."""
    order: str = "id"
    measured: bool = False


def columns(total: int, measured: bool) -> list[ListColumn]:
    """Those that have room; the name has what the others leave."""
    fixed = _FIXED | (_FIGURES if measured else _SINCE)
    while fixed and _room(total, fixed) < _LEAST_NAME:
        fixed.popitem()
    return [
        ListColumn("Name", max(_LEAST_NAME, _room(total, fixed))),
        *(ListColumn(*one) for one in fixed.items()),
    ]


def _room(total: int, fixed: dict[str, int]) -> int:
    return total - sum(fixed.values()) - _PADDING * (len(fixed) + 1)


def cells(process: dict[str, Any], shown: Sequence[ListColumn]) -> list[str]:
    """The row of one process, one text for each column, nothing in it that steers a terminal."""
    texts = {
        "Name": process["name"],
        "Status": status_words(process),
        "PID": str(process["pid"] or "-"),
        "⟳": str(process["restart_count"]),
        "Since": column_time(process["updated_at"]),
        "CPU": f"{process['cpu_percent']:.1f}%",
        "Memory": memory(process["memory_bytes"]),
    }
    return [shortened(visible(texts[column.title]), column.size) for column in shown]


def colour(process: dict[str, Any]) -> int:
    """The colour of its status, of 256."""
    return status_colour(process["status"])


def listed(processes: Sequence[dict[str, Any]], wanted: Wanted) -> list[dict[str, Any]]:
    """Those that are wanted, in their order."""
    words = wanted.text.lower().split()
    found = [one for one in processes if all(word in _searched(one) for word in words)]
    return in_order(found, wanted.order)


def _searched(process: dict[str, Any]) -> str:
    labels = (f"{key}={value}" for key, value in process["labels"].items())
    return "\n".join([process["name"], status_words(process), *process["groups"], *labels]).lower()


def summary(processes: Sequence[dict[str, Any]], shown: int) -> str:
    """`14 processes, 12 running, 1 failed or not ready`."""
    running = sum(one["status"] == "running" for one in processes)
    unwell = sum(is_unwell(one) for one in processes)
    text = f"{len(processes)} process{'' if len(processes) == 1 else 'es'}, {running} running"
    text += f", {unwell} not well" if unwell else ""
    return text + (f"; {shown} shown" if shown != len(processes) else "")
