"""Dependencies as a graph of names: order, cycles, dependents. Pure and deterministic.

Theory of operation: `edges` maps a name to the names that it needs. Everything is iterative, so that
a chain of ten thousand processes is no deeper than one of two, and everything follows the order of
declaration, so that the same manifest always gives the same answer.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

Edges: TypeAlias = Mapping[str, Iterable[str]]


def layers(names: Iterable[str], edges: Edges) -> list[list[str]]:
    """Names in layers: everything that a name needs stands in an earlier layer.

    Needed names that are not among `names` are taken for granted. Names in a cycle, and those that need
    one of them, are left out: `cycles` tells which they are.
    """
    order = {name: index for index, name in enumerate(dict.fromkeys(names))}
    needs = {name: {n for n in edges.get(name, ()) if n in order} for name in order}
    users = dependents(needs)
    open_needs = {name: len(needed) for name, needed in needs.items()}
    layer = [name for name in order if not open_needs[name]]
    result = []
    while layer:
        result.append(layer)
        freed = []
        for name in layer:
            for user in users.get(name, ()):
                open_needs[user] -= 1
                if not open_needs[user]:
                    freed.append(user)
        layer = sorted(freed, key=order.__getitem__)
    return result


def dependents(edges: Edges) -> dict[str, list[str]]:
    """The reverse: a name to the names that need it directly."""
    users: dict[str, list[str]] = {}
    for name, needed in edges.items():
        for need in dict.fromkeys(needed):
            users.setdefault(need, []).append(name)
    return users


def reachable(start: Iterable[str], edges: Edges) -> list[str]:
    """`start` and everything needed by it, directly or not, nearest first."""
    found = dict.fromkeys(start)
    waiting = deque(found)
    while waiting:
        for need in edges.get(waiting.popleft(), ()):
            if need not in found:
                found[need] = None
                waiting.append(need)
    return list(found)


def cycles(names: Iterable[str], edges: Edges) -> list[list[str]]:
    """One cycle, ``[a, b, a]``, for each group of names that need each other."""
    order = list(dict.fromkeys(names))
    known = set(order)
    needs = {name: [n for n in dict.fromkeys(edges.get(name, ())) if n in known] for name in order}
    solved = {name for layer in layers(order, needs) for name in layer}
    result = []
    for group in _groups([name for name in order if name not in solved], needs):
        if len(group) > 1 or group[0] in needs[group[0]]:
            result.append(_shortest_cycle(group[0], set(group), needs))
    return result


def _shortest_cycle(first: str, group: set[str], needs: Mapping[str, Sequence[str]]) -> list[str]:
    came_from: dict[str, str] = {}
    waiting = deque([first])
    while waiting:
        name = waiting.popleft()
        for need in needs[name]:
            if need == first:
                path = [name]
                while path[-1] != first:
                    path.append(came_from[path[-1]])
                return [*reversed(path), first]
            if need in group and need not in came_from:
                came_from[need] = name
                waiting.append(need)
    raise ValueError(f"{first} is in no cycle")


def _groups(names: Sequence[str], needs: Mapping[str, Sequence[str]]) -> list[list[str]]:
    """Strongly connected components (Kosaraju's two passes), in order of declaration."""
    inside = set(names)
    forward = {name: [n for n in needs[name] if n in inside] for name in names}
    backward = dependents(forward)
    finished: list[str] = []
    seen: set[str] = set()
    for name in names:
        _visit(name, forward, seen, finished)
    position = {name: index for index, name in enumerate(names)}
    groups, assigned = [], set[str]()
    for name in reversed(finished):
        group: list[str] = []
        _visit(name, backward, assigned, group)
        if group:
            groups.append(sorted(group, key=position.__getitem__))
    return sorted(groups, key=lambda group: position[group[0]])


def _visit(start: str, edges: Mapping[str, Sequence[str]], seen: set[str], finished: list[str]) -> None:
    """Depth first from `start`; names are added to `finished` when all beyond them are."""
    if start in seen:
        return
    seen.add(start)
    stack = [(start, iter(edges.get(start, ())))]
    while stack:
        name, rest = stack[-1]
        for need in rest:
            if need not in seen:
                seen.add(need)
                stack.append((need, iter(edges.get(need, ()))))
                break
        else:
            finished.append(name)
            stack.pop()
