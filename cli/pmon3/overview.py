"""`pmon3 --help`: all verbs by section, without Typer, since it is the first thing that people type."""

from __future__ import annotations

from pmon3.fitting import wrapped
from pmon3.verbs import ALIASES, SECTIONS

_MOST_COLUMNS = 100
"""Wider lines are hard to read."""
_INDENT = 16


def overview(columns: int | None) -> str:
    """The text, for a terminal of so many columns (80 where it goes elsewhere)."""
    room = max(30, min(columns or 80, _MOST_COLUMNS)) - _INDENT
    lines = [
        "Usage: pmon3 COMMAND [ARGUMENT]...",
        "",
        "Keep declared processes running: ask the pmond that does.",
        "",
        "Commands:",
    ]
    for title, verbs in SECTIONS.items():
        lines += ["", f"  {title}"]
        for verb, summary in verbs.items():
            others = ALIASES[verb]
            text = f"{summary.rstrip('.')} (also: {', '.join(others)})." if others else summary
            first, *rest = wrapped(text, room)
            lines += [f"    {verb:<{_INDENT - 4}}{first}", *(" " * _INDENT + line for line in rest)]
    lines += [
        "",
        "Options:",
        "  -h, --help     Say this, or with a command what it does; pmon3 help COMMAND too.",
        "  -v, --version  The version of pmon3; pmon3 version also asks pmond.",
        "  --host HOST    With any command: the pmond of another machine, ssh://user@host; repeatable.",
        "  --on LABEL     All hosts with this label (tier=web) or of this group, by the hosts file.",
        "",
        "To begin with: pmon3 up, pmon3 exec ./app --name web, pmon3 ls, pmon3 logf web.",
        "pmon3 COMMAND --help says more about a command, with examples.",
    ]
    return "".join(f"{line}\n" for line in lines)
