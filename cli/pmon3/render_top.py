"""The screen of `top` as lines of text: pure functions from what pmond says to what is shown.

Theory of operation: `View` holds what the person chose (order, direction, how far it is scrolled);
`frame` makes exactly as many lines as the screen has, none wider than it. Where the screen is narrow
the least telling columns go first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from msgspec import Struct

from pmon3.fitting import width
from pmon3.listing import ORDERS, in_order
from pmon3.render import memory, status_colour
from pmon3.screen import fit
from pmon3.table import CYAN, RED, paint
from pmon3.times import uptime

KEYS = {"c": "cpu", "m": "memory", "n": "name", "i": "id", "r": "restarts"}
"""The keys that sort, and what they sort by."""

_LEAST_NAME = 8
_AROUND = 4
"""Lines that are no processes: two of totals, the titles, the keys."""


class View(Struct):
    """What the person chose."""

    order: str = "cpu"
    reverse: bool = False
    first: int = 0
    """The number of the first process shown, from 0."""

    def sort_by(self, order: str) -> None:
        """Another order; the same again turns it round."""
        self.reverse = order == self.order and not self.reverse
        self.order, self.first = order, 0

    def scroll(self, lines: int, processes: int, screen_lines: int) -> None:
        """Move by that many lines, until the last process is on the screen."""
        self.first = max(0, min(self.first + lines, processes - room(screen_lines)))

    def sorted(self, processes: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """In the order chosen; equal ones by id."""
        return in_order(processes, self.order, self.reverse)


class _TopColumn(NamedTuple):
    title: str
    size: int
    text: Callable[[dict[str, Any], float], str]
    order: str = ""
    right: bool = False


_NAME = _TopColumn("NAME", _LEAST_NAME, lambda p, _: p["name"], "name")
_COLUMNS = (
    _TopColumn("ID", 4, lambda p, _: str(p["id"]), "id", True),
    _NAME,
    _TopColumn("PID", 7, lambda p, _: str(p["pid"] or "-"), right=True),
    _TopColumn("⟳", 4, lambda p, _: str(p["restart_count"]), "restarts", True),
    _TopColumn("STATUS", 10, lambda p, _: p["status"]),
    _TopColumn("USER", 8, lambda p, _: p["user"]),
    _TopColumn("CPU%", 6, lambda p, _: f"{p['cpu_percent']:.1f}", "cpu", True),
    _TopColumn("MEMORY", 9, lambda p, _: memory(p["memory_bytes"]), "memory", True),
    _TopColumn("UP", 8, lambda p, now: uptime(p, now), right=True),
)
_EXPENDABLE = ("USER", "UP", "PID", "⟳", "ID", "MEMORY", "STATUS", "CPU%")
"""Titles in the order in which columns are left out."""


def frame(
    processes: Sequence[dict[str, Any]],
    view: View,
    size: tuple[int, int],
    now: float,
    head: str,
    error: str = "",
) -> list[str]:
    """The whole screen. `now` in seconds since the epoch; `error` replaces the second line."""
    columns, lines = size
    shown = _columns(columns)
    # The order is the only state of the view that must be seen: its column is marked.
    titles = " ".join(_cell(c, _title(c, view), shown, columns) for c in shown)
    totals = paint(fit(error, columns), RED) if error else fit(_totals(processes), columns)
    text = [fit(head, columns), totals, f"\x1b[7m{titles}\x1b[0m"]
    for process in view.sorted(processes)[view.first : view.first + room(lines)]:
        text.append(_row(process, shown, columns, now))
    text += [""] * (lines - 1 - len(text))
    return [*text[: lines - 1], paint(fit(_keys(columns), columns), CYAN)][:lines]


def room(lines: int) -> int:
    """How many processes such a screen shows."""
    return max(1, lines - _AROUND)


def _columns(columns: int) -> list[_TopColumn]:
    shown = list(_COLUMNS)
    for title in _EXPENDABLE:
        if sum(c.size + 1 for c in shown) - 1 <= columns:
            break
        shown = [c for c in shown if c.title != title]
    return shown


def _title(column: _TopColumn, view: View) -> str:
    if column.order != view.order:
        return column.title
    largest_first = ORDERS[view.order][1] != view.reverse
    return f"{column.title}{'▾' if largest_first else '▴'}"


def _row(process: dict[str, Any], shown: list[_TopColumn], columns: int, now: float) -> str:
    cells = []
    for column in shown:
        cell = _cell(column, column.text(process, now), shown, columns)
        cells.append(paint(cell, status_colour(process["status"])) if column.title == "STATUS" else cell)
    return " ".join(cells)


def _cell(column: _TopColumn, text: str, shown: list[_TopColumn], columns: int) -> str:
    size = column.size
    if column is _NAME:  # it takes what the others leave
        size = min(columns, columns - sum(c.size + 1 for c in shown if c is not _NAME))
    if width(text) > size:
        text = f"{fit(text, size - 1)}…"
    space = " " * (size - width(text))
    return space + text if column.right else text + space


def _totals(processes: Sequence[dict[str, Any]]) -> str:
    cpu = sum(p["cpu_percent"] for p in processes)
    used = sum(p["memory_bytes"] for p in processes)
    states = ", ".join(f"{n} {word}" for word, n in Counter(p["status"] for p in processes).most_common())
    return f"{len(processes)} processes ({states or 'none'})  CPU {cpu:.1f}%  memory {memory(used)}"


def _keys(columns: int) -> str:
    long = "sort: c CPU  m memory  n name  i id  r restarts (again: reverse)   q quit"
    return long if columns >= len(long) else "c m n i r: sort  q: quit"
