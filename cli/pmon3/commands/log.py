"""`log`: the end of what processes have written."""

from collections.abc import Iterable
from typing import Annotated

import typer

from pmon3 import options, output
from pmon3.address import connect
from pmon3.client import path_segment
from pmon3.names import resolve
from pmon3.table import visible

Raw = Annotated[bool, typer.Option("--raw", help="Leave what steers a terminal as it is written.")]
Lines = Annotated[str, typer.Option("--lines", "-n", metavar="K", help="The last K lines; +K: from line K.")]


def command(
    references: options.References = None,
    groups: options.Groups = None,
    labels: options.Labels = None,
    lines: Lines = "10",
    everything: Annotated[
        bool, typer.Option("--all", "-a", help="Rotated files first, and all lines.")
    ] = False,
    raw: Raw = False,
) -> None:
    """Show the last lines that processes have written.

    On a terminal, what they have written can paint and do nothing else: anything that would move the
    cursor, change the title or the order of letters is shown as an escape. --raw leaves it as it is.
    """
    client = connect()
    names = resolve(client, options.selection(references, groups, labels))
    query = [("lines", lines), ("follow", "0"), ("all", "1" if everything else "0")]
    for place, name in enumerate(names):
        if len(names) > 1:
            output.write(f"{chr(10) if place else ''}==> {visible(name)} <==\n")
        show(client.stream(f"/v1/logs/{path_segment(name)}", query), raw)


def show(stream: Iterable[bytes], raw: bool) -> None:
    """Print one log, piece by piece; a terminal is left without its colours, however that ends."""
    text = output.LogWriter(raw)
    try:
        for piece in stream:
            text.feed(piece)
    finally:
        text.end()
