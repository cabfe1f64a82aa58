"""`ls`: the process table. The plain forms are answered by `quick`, which asks and prints the same."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer

from pmon3 import listing, options, quick, watching
from pmon3 import output as out
from pmon3.address import connect
from pmon3.names import measured


class ListOrder(StrEnum):
    """What a list can be sorted by."""

    ID = "id"
    NAME = "name"
    STATUS = "status"
    CPU = "cpu"
    MEMORY = "memory"
    RESTARTS = "restarts"
    UPTIME = "uptime"


def command(
    references: options.References = None,
    groups: options.Groups = None,
    labels: options.Labels = None,
    failed: Annotated[
        bool,
        typer.Option(
            "--failed", help="Only those that failed, wait after a failure, or run and are not ready."
        ),
    ] = False,
    order: Annotated[
        ListOrder, typer.Option("--sort", help="What to sort by; the largest figures come first.")
    ] = ListOrder.ID,
    reverse: Annotated[bool, typer.Option("--reverse", "-r", help="The other way round.")] = False,
    fold: Annotated[
        bool, typer.Option("--fold", help="The replicas of a process as one row, such as 6/6 running.")
    ] = False,
    watch: Annotated[
        bool, typer.Option("--watch", "-w", help="Go on and show each change; q ends it on a terminal.")
    ] = False,
    output: options.Output = options.OutputFormat.TABLE,
) -> None:
    """List processes.

    With -o wide also their sets, commands and reasons, however wide that is.
    """
    options.label_map(labels)
    client = connect()
    query = quick.query(references or [], groups or [], labels or [])

    def look() -> list[dict[str, Any]]:
        found = measured(client, query)
        shown = [process for process in found if listing.is_unwell(process)] if failed else found
        ordered = listing.in_order(shown, order.value, reverse)
        # For programs each stays what it is: a folded row is none of a process.
        for_people = output.value in (out.TABLE, out.WIDE, out.NAME)
        return listing.folded(ordered) if fold and for_people else ordered

    if watch:
        watching.watch(client, look, output.value)
    else:
        out.emit_processes(look(), output.value)
