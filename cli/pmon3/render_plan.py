"""A plan as text: one line per action, its changed fields below, a summary at the end. Pure.

Theory of operation: a change is one line where all changes of the process have room in one, with their
effects in a column; else it is three, the field, what it was and what it becomes, and nothing is cut off.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from pmon3.fitting import width
from pmon3.output import diagnostic_line
from pmon3.table import GREEN, PLAIN, RED, YELLOW, Style, paint, visible

_MARKS = {"create": "+", "start": "+", "adopt": "+", "prune": "-", "delete": "-", "stop": "-", "move": ">"}
_COLOURS = {"+": GREEN, "-": RED, "~": YELLOW, ">": YELLOW}
_DONE = {
    "create": "created", "start": "started", "restart": "restarted", "reload": "reloaded",
    "update": "updated", "move": "moved", "stop": "stopped", "delete": "deleted", "prune": "deleted",
    "release": "released", "adopt": "adopted",
}  # fmt: skip
_ORDER = ("create", "start", "restart", "reload", "update", "move", "stop", "delete", "prune", "release")


def is_change(action: dict[str, Any]) -> bool:
    """Whether an action of a plan is a difference; some only say that nothing is to be done."""
    return action["action"] not in ("none", "held", "unchanged")


def plan_text(plan: dict[str, Any], style: Style = PLAIN) -> str:
    """The plan, ending in its summary line."""
    actions = [action for action in plan["actions"] if is_change(action)]
    widest = max((width(visible(action["name"])) for action in actions), default=0)
    lines = [line for action in actions for line in _action_lines(action, widest, style)]
    lines += [f"  note: {_words(note)}" for note in plan["notes"]]
    lines += [diagnostic_line(diagnostic) for diagnostic in plan["diagnostics"]]
    return "".join(f"{line}\n" for line in [*lines, f"Plan: {summary(plan)}."])


def summary(plan: dict[str, Any]) -> str:
    """``1 create, 1 restart; 12 unchanged``."""
    counts: dict[str, int] = plan["summary"]
    changing = sorted((key for key in counts if key not in ("unchanged", "held")), key=_place)
    said = ", ".join(f"{counts[key]} {key}" for key in changing if counts[key]) or "no changes"
    quiet = ", ".join(f"{counts[key]} {key}" for key in ("unchanged", "held") if counts.get(key))
    return f"{said}; {quiet}" if quiet else said


def done(plan: dict[str, Any]) -> str:
    """``1 created, 299 restarted``: what a plan has brought about; empty where there was nothing to do."""
    counts: dict[str, int] = plan["summary"]
    words = sorted((word for word in counts if word in _DONE and counts[word]), key=_place)
    return ", ".join(f"{counts[word]} {_DONE[word]}" for word in words)


def _place(word: str) -> int:
    return _ORDER.index(word) if word in _ORDER else len(_ORDER)


def _action_lines(action: dict[str, Any], widest: int, style: Style) -> list[str]:
    mark = _MARKS.get(action["action"], "~")
    name = visible(action["name"])
    causes = "; ".join(_words(cause) for cause in action["causes"])
    head = f"{mark} {name}{' ' * (widest - width(name))} {action['action']:<8} {causes}".rstrip()
    return [
        paint(head, _COLOURS[mark]) if style.coloured else head,
        *_change_lines(action["changes"], style.columns),
    ]


def _change_lines(changes: Sequence[dict[str, Any]], columns: int | None) -> list[str]:
    rows = [
        (visible(c["path"]), _value(c["before"]), _value(c["after"]), visible(c["effect"])) for c in changes
    ]
    lines = _in_columns(rows) if rows else []
    if columns is None or all(width(line) <= columns for line in lines):
        return lines
    return [
        line
        for path, before, after, effect in rows
        for line in (f"    {path}  {effect}", f"      - {before}", f"      + {after}")
    ]


def _in_columns(rows: Sequence[tuple[str, str, str, str]]) -> list[str]:
    paths = max(width(path) for path, *_ in rows)
    values = [f"{before} -> {after}" for _, before, after, _ in rows]
    widest = max(map(width, values))
    return [
        f"    {row[0]}{' ' * (paths - width(row[0]))}  {value}{' ' * (widest - width(value))}  {row[3]}"
        for row, value in zip(rows, values, strict=True)
    ]


def from_to(change: dict[str, Any]) -> str:
    """``"8080" -> "8081"``."""
    return f"{_value(change['before'])} -> {_value(change['after'])}"


def _value(value: Any) -> str:
    return "none" if value is None else visible(json.dumps(value, ensure_ascii=False))


def _words(cause: Any) -> str:
    """A cause or note: text, or an object with a code and perhaps more."""
    if not isinstance(cause, dict):
        return visible(str(cause))
    return visible(str(cause.get("message") or " ".join(str(value) for value in cause.values())))
