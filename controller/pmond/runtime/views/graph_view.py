"""Who depends on whom, as callers see it. Values in, values out: a thread works it out for thousands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pmon3_schema import graph
from pmon3_schema.answers import Graph


def graph_json(edges: Mapping[str, Sequence[str]]) -> Graph:
    """The answer of `GET /v1/graph`. `edges`: what each process needs; unknown names do not count."""
    known = {name: [need for need in needs if need in edges] for name, needs in edges.items()}
    ordered = [name for layer in graph.layers(known, known) for name in layer]
    taking_part = {name for name, needs in known.items() if needs}
    taking_part |= {need for needs in known.values() for need in needs}
    dependents = [name for name in ordered if name in taking_part]
    return {
        "order": dependents + [name for name in ordered if name not in taking_part],
        "dependents": dependents,
        "edges": [[name, need] for name, needs in known.items() for need in needs],
        "cycles": graph.cycles(known, known),
    }
