"""Figures of a run, and the tables made of them."""

from __future__ import annotations

import datetime
import os
import platform
from collections.abc import Sequence
from pathlib import Path

from benchmarks.measures import Figures
from msgspec import Struct, field


class FigureColumn(Struct, frozen=True):
    """One figure: its heading, unit, and the system whose figure is 1 in the ratios."""

    key: str
    heading: str
    unit: str
    base: str | None


COLUMNS = (
    FigureColumn("restart_p50", "restart p50", "ms", "floor"),
    FigureColumn("restart_p99", "restart p99", "ms", "floor"),
    FigureColumn("kills", "kills", "", None),
    FigureColumn("bringup", "bring-up", "s", "floor"),
    FigureColumn("load", "bring-up, daemon up", "s", "floor"),
    FigureColumn("list", "list command", "ms", "pmon3"),
    FigureColumn("idle_cpu", "idle CPU", "%", "pmon3"),
    FigureColumn("wakeups", "wake-ups", "/s", None),
    FigureColumn("pss", "memory PSS", "MB", "pmon3"),
    FigureColumn("rss", "RSS", "MB", None),
)
_BASE_KEY = {"load": "bringup"}
"""The floor has no daemon that could be up before: its bring-up is the base of both."""


class Result(Struct, frozen=True):
    """One system at one size. `problem` says why figures are missing, or is empty."""

    system: str
    version: str
    size: int
    figures: Figures = field(default_factory=dict)
    problem: str = ""


def machine() -> dict[str, str]:
    """What the numbers were measured on."""
    return {
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "load": " ".join(f"{load:.2f}" for load in os.getloadavg()),
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def tables(results: Sequence[Result]) -> str:
    """One Markdown table per size, problems below it."""
    sizes = sorted({result.size for result in results})
    return "\n\n".join(_table([result for result in results if result.size == size], size) for size in sizes)


def _table(results: Sequence[Result], size: int) -> str:
    columns = [column for column in COLUMNS if any(column.key in result.figures for result in results)]
    bases = {result.system: result.figures for result in results}
    rows = [["system", *(column.heading for column in columns)]]
    rows += [
        [result.system, *(_cell(column, result.figures, bases) for column in columns)]
        for result in results
        if result.figures
    ]
    problems = [f"* {result.system}: {result.problem}" for result in results if result.problem]
    parts = [f"### {size:,} processes"]
    if columns:
        parts.append(_aligned(rows))
    if problems:
        parts.append("\n".join(problems))
    return "\n\n".join(parts)


def _cell(column: FigureColumn, figures: Figures, bases: dict[str, Figures]) -> str:
    value = figures.get(column.key)
    if value is None:
        return "–"
    text = f"{_number(value)} {column.unit}".replace(" /s", "/s").strip()
    base = bases.get(column.base or "", {}).get(_BASE_KEY.get(column.key, column.key))
    return f"{text} ({value / base:,.1f}×)" if base else text


def _number(value: float) -> str:
    """Three significant digits, never an exponent."""
    if value == int(value) or abs(value) >= 100:
        return f"{value:,.0f}"
    digits = 1 if abs(value) >= 10 else 2 if abs(value) >= 1 else 3
    return f"{value:.{digits}f}"


def _aligned(rows: list[list[str]]) -> str:
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]

    def line(row: list[str]) -> str:
        figures = [cell.rjust(width) for cell, width in zip(row, widths, strict=True)][1:]
        return f"| {' | '.join([row[0].ljust(widths[0]), *figures])} |"

    rule = f"|{'-' * (widths[0] + 2)}|" + "".join(f"{'-' * (width + 1)}:|" for width in widths[1:])
    return "\n".join([line(rows[0]), rule, *(line(row) for row in rows[1:])])
