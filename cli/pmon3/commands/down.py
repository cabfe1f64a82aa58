"""`down`: the end of pmond and of what it runs."""

from __future__ import annotations

from typing import Annotated

import typer

from pmon3 import launch, options, output, progress
from pmon3.address import connect
from pmon3_schema.errors import ErrorCode, PmonError


def command(
    keep: Annotated[bool, typer.Option("--keep", help="Leave the processes running.")] = False,
    timeout: options.Timeout = "60s",
) -> None:
    """Stop all processes, then pmond.

    Processes stop in reverse order. Harmless when there is no pmond.
    """
    seconds = options.seconds(timeout)
    client = connect()
    try:
        version = client.get("/v1/version")
    except PmonError as error:
        if error.code is ErrorCode.UNREACHABLE and launch.nobody_listens(client.path):
            output.note(f"no pmond answers on {client.path}: nothing to do")
            return
        raise
    shown = progress.ProgressLine(progress.shutdown_look(client))
    with launch.ExitWatch(version["pid"]) as ending:
        client.post("/v1/shutdown", {"stop_processes": not keep})
        try:
            ending.wait(seconds, shown if progress.is_wanted() else None)
        finally:
            shown.clear()
    output.note(f"pmond (pid {version['pid']}) has ended")
