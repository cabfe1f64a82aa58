"""The dependency graph as text: the seed's list, Mermaid, and Graphviz. Pure."""

from __future__ import annotations

from typing import Any

from pmon3.table import visible


def listing(graph: dict[str, Any]) -> str:
    """The seed's text, names numbered in starting order and those with dependencies.

    What they need stands below that as soon as it says more than the seed could.
    """
    dependents = graph["dependents"]
    taking_part = set(dependents)
    order = [*dependents, *(name for name in graph["order"] if name not in taking_part)]
    text = "Queue Order\n" + _numbered(order)
    text += "Dependency Graph Order\n" + _numbered(dependents) if dependents else ""
    plain = all(_words(one) == "started" for one in graph["dependencies"])
    return text if plain else text + "Dependencies\n" + _needs(graph)


def mermaid(graph: dict[str, Any]) -> str:
    """A Mermaid flowchart; an arrow points to what a process needs, broken where that need not be there."""
    number = {name: place for place, name in enumerate(graph["order"])}
    lines = [f'  n{place}["{_escaped_for_mermaid(name)}"]' for name, place in number.items()]
    for one in graph["dependencies"]:
        if one["needs"] in number:
            arrow = f"-->|{_words(one)}|" if one["required"] else f"-.->|{_words(one)}|"
            lines.append(f"  n{number[one['process']]} {arrow} n{number[one['needs']]}")
    return "\n".join(["graph LR", *lines]) + "\n"


def dot(graph: dict[str, Any]) -> str:
    """A Graphviz digraph; an arrow points to what a process needs, broken where that need not be there."""
    lines = [f"  {_quoted(name)};" for name in graph["order"]]
    for one in graph["dependencies"]:
        style = "" if one["required"] else ", style=dashed"
        ends = f"{_quoted(one['process'])} -> {_quoted(one['needs'])}"
        lines.append(f"  {ends} [label={_quoted(_words(one))}{style}];")
    return "\n".join(["digraph pmon3 {", *lines, "}"]) + "\n"


def _words(one: dict[str, Any]) -> str:
    """``ready, restart``: the condition, and what else is said of a dependency."""
    more = [
        word for word, said in (("not required", not one["required"]), ("restart", one["restart"])) if said
    ]
    return ", ".join([visible(one["condition"]), *more])


def _needs(graph: dict[str, Any]) -> str:
    needs: dict[str, list[str]] = {}
    for one in graph["dependencies"]:
        needs.setdefault(one["process"], []).append(f"{visible(one['needs'])} ({_words(one)})")
    return "".join(f"\t{visible(name)}: {', '.join(words)}\n" for name, words in needs.items())


def _numbered(names: list[str]) -> str:
    return "".join(f"\t{place}: {visible(name)}\n" for place, name in enumerate(names))


def _quoted(name: str) -> str:
    escaped = visible(name).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _escaped_for_mermaid(name: str) -> str:
    return visible(name).replace("#", "#35;").replace('"', "#quot;")
