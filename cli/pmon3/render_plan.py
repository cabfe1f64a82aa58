"""A plan as text: one line per action, its changed fields below, a summary at the end. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from pmon3.output import diagnostic_line
from pmon3.table import GREEN, RED, YELLOW, paint, visible, width

_MARKS = {"create": "+", "start": "+", "adopt": "+", "prune": "-", "delete": "-", "stop": "-", "move": ">"}
_COLOURS = {"+": GREEN, "-": RED, "~": YELLOW, ">": YELLOW}
_ORDER = ("create", "start", "restart", "reload", "update", "move", "stop", "delete", "prune", "release")


def is_change(action: dict[str, Any]) -> bool:
    """Whether an action of a plan is a difference; some only say that nothing is to be done."""
    return action["action"] not in ("none", "held", "unchanged")


def plan_text(plan: dict[str, Any], coloured: bool = False) -> str:
    """The plan, ending in its summary line."""
    actions = [action for action in plan["actions"] if is_change(action)]
    widest = max((width(visible(action["name"])) for action in actions), default=0)
    lines = [line for action in actions for line in _action_lines(action, widest, coloured)]
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


def _place(word: str) -> int:
    return _ORDER.index(word) if word in _ORDER else len(_ORDER)


def _action_lines(action: dict[str, Any], widest: int, coloured: bool) -> list[str]:
    mark = _MARKS.get(action["action"], "~")
    name = visible(action["name"])
    causes = "; ".join(_words(cause) for cause in action["causes"])
    head = f"{mark} {name}{' ' * (widest - width(name))} {action['action']:<8} {causes}".rstrip()
    return [paint(head, _COLOURS[mark]) if coloured else head, *_change_lines(action["changes"])]


def _change_lines(changes: Sequence[dict[str, Any]]) -> list[str]:
    if not changes:
        return []
    rows = [
        (visible(c["path"]), f"{_value(c['before'])} -> {_value(c['after'])}", visible(c["effect"]))
        for c in changes
    ]
    paths = max(width(row[0]) for row in rows)
    values = max(width(row[1]) for row in rows)
    return [
        f"    {path}{' ' * (paths - width(path))}  {value}{' ' * (values - width(value))}  {effect}"
        for path, value, effect in rows
    ]


def _value(value: Any) -> str:
    return "none" if value is None else visible(json.dumps(value, ensure_ascii=False))


def _words(cause: Any) -> str:
    """A cause or note: text, or an object with a code and perhaps more."""
    if not isinstance(cause, dict):
        return visible(str(cause))
    return visible(str(cause.get("message") or " ".join(str(value) for value in cause.values())))
