"""`log`: the end of what processes have written."""

from typing import Annotated

import typer

from pmon3 import options, output
from pmon3.address import connect
from pmon3.client import path_segment
from pmon3.names import resolve

Lines = Annotated[str, typer.Option("--lines", "-n", metavar="K", help="The last K lines; +K: from line K.")]


def command(
    references: options.References = None,
    groups: options.Groups = None,
    labels: options.Labels = None,
    lines: Lines = "10",
    everything: Annotated[
        bool, typer.Option("--all", "-a", help="Rotated files first, and all lines.")
    ] = False,
) -> None:
    """Show the last lines that processes have written."""
    client = connect()
    names = resolve(client, options.selection(references, groups, labels))
    query = [("lines", lines), ("follow", "0"), ("all", "1" if everything else "0")]
    for place, name in enumerate(names):
        if len(names) > 1:
            output.write(f"{chr(10) if place else ''}==> {name} <==\n")
        for piece in client.stream(f"/v1/logs/{path_segment(name)}", query):
            output.write_bytes(piece)
