"""The dependency graph as text: the seed's list, Mermaid, and Graphviz. Pure."""

from __future__ import annotations

from typing import Any

from pmon3.table import visible


def listing(graph: dict[str, Any]) -> str:
    """The seed's text: all names numbered in starting order, then those with dependencies."""
    dependents = graph["dependents"]
    taking_part = set(dependents)
    order = [*dependents, *(name for name in graph["order"] if name not in taking_part)]
    text = "Queue Order\n" + _numbered(order)
    return text + "Dependency Graph Order\n" + _numbered(dependents) if dependents else text


def mermaid(graph: dict[str, Any]) -> str:
    """A Mermaid flowchart; an arrow points to what a process needs."""
    number = {name: place for place, name in enumerate(graph["order"])}
    lines = [f'  n{place}["{_escaped_for_mermaid(name)}"]' for name, place in number.items()]
    lines += [f"  n{number[name]} --> n{number[needs]}" for name, needs in graph["edges"] if needs in number]
    return "\n".join(["graph LR", *lines]) + "\n"


def dot(graph: dict[str, Any]) -> str:
    """A Graphviz digraph; an arrow points to what a process needs."""
    lines = [f"  {_quoted(name)};" for name in graph["order"]]
    lines += [f"  {_quoted(name)} -> {_quoted(needs)};" for name, needs in graph["edges"]]
    return "\n".join(["digraph pmon3 {", *lines, "}"]) + "\n"


def _numbered(names: list[str]) -> str:
    return "".join(f"\t{place}: {visible(name)}\n" for place, name in enumerate(names))


def _quoted(name: str) -> str:
    escaped = visible(name).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _escaped_for_mermaid(name: str) -> str:
    return visible(name).replace("#", "#35;").replace('"', "#quot;")
