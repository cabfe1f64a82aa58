"""Who depends on whom, and how, as callers see it. Values only: a thread works it out for thousands."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from pmon3_schema import graph
from pmon3_schema.answers import Graph, GraphDependency
from pmon3_schema.process import ProcessSpec
from pmond.core.needs import condition_of
from pmond.core.replicas import meant


def graph_json(specs: Iterable[ProcessSpec], by_entry: Mapping[str, Sequence[str]]) -> Graph:
    """The answer of `GET /v1/graph`; what processes need that is not declared does not count.

    `by_entry`: the processes of each entry that stands for several.
    """
    declared = {spec.name: spec for spec in specs}
    known = {
        name: [need for need in meant(spec.needs, by_entry) if need in declared]
        for name, spec in declared.items()
    }
    ordered = [name for layer in graph.layers(known, known) for name in layer]
    taking_part = {name for name, needs in known.items() if needs}
    taking_part |= {need for needs in known.values() for need in needs}
    dependents = [name for name in ordered if name in taking_part]
    return {
        "order": dependents + [name for name in ordered if name not in taking_part],
        "dependents": dependents,
        "edges": [[name, need] for name, needs in known.items() for need in needs],
        "dependencies": [
            one for spec in declared.values() for one in _dependencies(spec, declared, by_entry)
        ],
        "cycles": graph.cycles(known, known),
    }


def _dependencies(
    spec: ProcessSpec, declared: Mapping[str, ProcessSpec], by_entry: Mapping[str, Sequence[str]]
) -> list[GraphDependency]:
    return [
        {
            "process": spec.name,
            "needs": name,
            "condition": condition_of(need, declared[name]),
            "required": need.required,
            "restart": need.restart,
        }
        for need in spec.dependencies
        for name in meant((need.name,), by_entry)
        if name in declared
    ]
