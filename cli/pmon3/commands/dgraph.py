"""`dgraph`: the order in which processes start, and why."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Annotated, Any

import typer

from pmon3 import exit_codes, options, output
from pmon3.address import connect
from pmon3.draw_graph import dot, listing, mermaid
from pmon3.older_pmond import OlderPmond
from pmon3.table import visible


class GraphFormat(StrEnum):
    """The shapes of a graph."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"
    NAME = "name"
    MERMAID = "mermaid"
    DOT = "dot"


_DRAWN: dict[GraphFormat, Callable[[dict[str, Any]], str]] = {
    GraphFormat.TABLE: listing,
    GraphFormat.JSON: output.json_text,
    GraphFormat.YAML: output.yaml_text,
    GraphFormat.NAME: lambda graph: "".join(f"{visible(name)}\n" for name in graph["order"]),
    GraphFormat.MERMAID: mermaid,
    GraphFormat.DOT: dot,
}


def command(
    config_only: options.ConfigOnly = False,
    shape: Annotated[
        GraphFormat, typer.Option("--output", "-o", help="The shape of the answer.")
    ] = GraphFormat.TABLE,
) -> int:
    """Show the order in which processes start."""
    graph = connect().get("/v1/graph", [("process_config_only", "1" if config_only else "0")])
    if "dependencies" not in graph:
        raise OlderPmond
    output.write(_DRAWN[shape](graph))
    for cycle in graph["cycles"]:
        output.note(
            f"cannot order a cycle: {' -> '.join([*cycle, cycle[0]])} (remove one of these dependencies)"
        )
    return exit_codes.NEGATIVE if graph["cycles"] else exit_codes.DONE
