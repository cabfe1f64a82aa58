"""`events`: what has happened."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from pmon3 import options, output
from pmon3.address import connect
from pmon3.client import Query
from pmon3.render import event_table, local_time
from pmon3.table import visible


def command(
    references: options.References = None,
    limit: Annotated[int, typer.Option("--lines", "-n", min=0, help="The last so many.")] = 50,
    follow: Annotated[bool, typer.Option("--follow", "--watch", "-w", help="Go on with new ones.")] = False,
    shape: options.Output = options.OutputFormat.TABLE,
) -> None:
    """Show what has happened to processes, oldest first."""
    query: Query = [("ref", reference) for reference in references or []]
    query += [("limit", str(limit)), ("follow", "1" if follow else "0")]
    client = connect()
    if not follow:
        events = client.get("/v1/events", query)
        if references and limit and not events:
            # What was deleted has a history too; what has none has to be there, or it is a slip.
            client.get("/v1/processes", query[: len(references)])
        output.emit(events, shape.value, lambda colour: event_table(events, colour))
        return
    rest = b""
    for piece in client.stream("/v1/events", query):
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            if line.startswith(b"data:"):
                output.write_now(_line(json.loads(line[5:]), shape.value))


def _line(event: dict[str, Any], shape: str) -> str:
    if shape == output.TABLE:
        words = (local_time(event["time"]), event["name"] or "-", event["reason"], event["message"])
        return visible("  ".join(words)) + "\n"
    if shape == output.YAML:
        return output.yaml_text([event])
    return f"{visible(event['name'])}\n" if shape == output.NAME else output.json_line(event)
