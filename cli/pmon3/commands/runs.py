"""`runs`: the runs of a process, when, how they ended and who asked for them."""

from __future__ import annotations

from typing import Annotated

import typer

from pmon3 import options, output
from pmon3.address import connect
from pmon3.render_runs import run_table


def command(
    reference: Annotated[str, typer.Argument(metavar="PROCESS", help="Id or name of the process.")],
    limit: Annotated[int, typer.Option("--lines", "-n", min=0, metavar="K", help="The last K.")] = 50,
    shape: options.Output = options.OutputFormat.TABLE,
) -> None:
    """Show the runs of a process, oldest first.

    Each run: when it began and ended, how, and who asked for it: a user, its schedule, or pmond."""
    runs = connect().get("/v1/runs", [("ref", reference), ("limit", str(limit))])
    if shape is options.OutputFormat.NAME:
        output.write("".join(f"{run['number']}\n" for run in runs))
        return
    output.emit(runs, shape.value, lambda style: run_table(runs, style))
