"""`events`: what has happened."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from pmon3 import options, output
from pmon3.address import connect
from pmon3.client import Query
from pmon3.fitting import width
from pmon3.render import event_colours, event_row, event_table
from pmon3.table import paint, visible
from pmon3.times import local_time


def command(
    references: options.References = None,
    limit: Annotated[
        int | None,
        typer.Option(
            "--lines", "-n", min=0, metavar="K", help="The last K; 50 by default, and 10 before new ones."
        ),
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", "--watch", "-w", help="Go on with new ones.")] = False,
    shape: options.Output = options.OutputFormat.TABLE,
) -> None:
    """Show what has happened to processes, oldest first."""
    query: Query = [("ref", reference) for reference in references or []]
    limit = (10 if follow else 50) if limit is None else limit
    query += [("limit", str(limit)), ("follow", "1" if follow else "0")]
    client = connect()
    if not follow:
        events = client.get("/v1/events", query)
        if references and limit and not events:
            # What was deleted has a history too; what has none has to be there, or it is a slip.
            client.get("/v1/processes", query[: len(references)])
        output.emit(events, shape.value, lambda style: event_table(events, style))
        return
    printed = Printed(shape.value)
    rest = b""
    for piece in client.stream("/v1/events", query):
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            if line.startswith(b"data:"):
                output.write_now(printed.line(json.loads(line[5:])))


class Printed:
    """Events one by one as they come; in lines whose columns are as wide as any so far."""

    def __init__(self, shape: str) -> None:
        self._shape = shape
        self._widths = [10, 12]

    def line(self, event: dict[str, Any]) -> str:
        """The text of one event, ending in a line feed."""
        if self._shape in (output.TABLE, output.WIDE):
            return self._in_columns(event)
        if self._shape == output.YAML:
            return output.yaml_text([event])
        if self._shape == output.NAME:
            return f"{visible(event['name'])}\n"
        return output.json_line(event)

    def _in_columns(self, event: dict[str, Any]) -> str:
        _, *cells = event_row(event)
        name, reason, message = map(visible, cells)
        self._widths = [
            max(known, width(text)) for known, text in zip(self._widths, (name, reason), strict=True)
        ]
        colour = event_colours([("", name, reason)])(0, 2)
        spaces = [" " * (size - width(text)) for size, text in zip(self._widths, (name, reason), strict=True)]
        shown = paint(reason, colour) if output.coloured() and colour is not None else reason
        return f"{local_time(event['time'])}  {name}{spaces[0]}  {shown}{spaces[1]}  {message}\n"
