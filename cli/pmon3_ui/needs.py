"""The dependency graph as a tree of text: below each process what it needs. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pmon3.table import visible

Need = Mapping[str, Any]


def tree(graph: Mapping[str, Any], status_of: Mapping[str, str]) -> list[str]:
    """The lines: first what nobody needs and its needs; what needs nothing and nobody needs, at the end.

    What has been shown with all its needs is not shown so again, so the text stays short, and ends, also
    where there is a cycle.
    """
    needs: dict[str, list[Need]] = {}
    for one in graph["dependencies"]:
        needs.setdefault(one["process"], []).append(one)
    needed = {one["needs"] for one in graph["dependencies"]}
    roots = [name for name in needs if name not in needed]
    lines: list[str] = []
    told: set[str] = set()
    for name in [*roots, *needs]:  # what is left after the roots stands in a cycle
        if name not in told:
            lines += _below(name, needs, status_of, told)
    alone = [name for name in graph["order"] if name not in needs and name not in needed]
    if alone:
        lines += ["", "Needs nothing, and nothing needs it:", *(f"  {_named(x, status_of)}" for x in alone)]
    lines += [f"A cycle: {' -> '.join(map(visible, [*c, c[0]]))}" for c in graph["cycles"]]
    return lines or ["There are no processes."]


def _below(
    name: str, needs: Mapping[str, Sequence[Need]], status_of: Mapping[str, str], told: set[str]
) -> Iterator[str]:
    """A process and its needs, by a stack of our own: a chain may be longer than Python's."""
    stack: list[tuple[str, str, str, str]] = [(name, "", "", "")]
    while stack:
        current, lead, branch, condition = stack.pop()
        again = current in told and current in needs
        yield f"{lead}{branch}{_named(current, status_of)}{condition}{' (see above)' if again else ''}"
        if again:
            continue
        told.add(current)
        below = lead + {"": "", "├─ ": "│  ", "└─ ": "   "}[branch]
        mine = needs.get(current, ())
        for place, one in reversed(list(enumerate(mine, 1))):
            stack.append((one["needs"], below, "└─ " if place == len(mine) else "├─ ", _condition(one)))


def _named(name: str, status_of: Mapping[str, str]) -> str:
    return f"{visible(name)}  [{status_of[name]}]" if name in status_of else visible(name)


def _condition(one: Need) -> str:
    more = "" if one["required"] else ", not required"
    return f" must be {visible(one['condition'])}{more}"
