"""`down`: the end of pmond and of what it runs."""

from __future__ import annotations

from typing import Annotated

import typer

from pmon3 import forgetting, launch, options, output, progress, waiting
from pmon3.address import connect
from pmon3_schema.errors import ErrorCode, PmonError


def command(
    keep: Annotated[bool, typer.Option("--keep", help="Leave the processes running.")] = False,
    delete: Annotated[
        bool,
        typer.Option("--delete", help="Forget all processes, sets and their history too; logs stay."),
    ] = False,
    timeout: options.WholeTimeout = "60s",
) -> None:
    """Stop all processes, then pmond.

    Processes stop in reverse order. Harmless when there is no pmond. What was declared or submitted comes
    back with the next start of pmond; after --delete only what its process config file declares.
    """
    seconds = options.seconds(timeout)
    if keep and delete:
        why = "cannot both leave processes running and forget them"
        raise PmonError(ErrorCode.BAD_REQUEST, why, "use --keep or --delete")
    client = connect()
    try:
        version = client.get("/v1/version")
    except PmonError as error:
        if error.code is ErrorCode.UNREACHABLE and launch.nobody_listens(client.path):
            if delete:
                why = "cannot delete what pmond remembers: it does not run"
                raise PmonError(ErrorCode.UNREACHABLE, why, "start it with pmon3 up first") from None
            output.note(f"no pmond answers on {client.path}: nothing to do")
            return
        raise
    if delete:
        forgetting.check(version["state_dir"])
        forgetting.delete_all(client, waiting.WaitOptions(seconds))
    shown = progress.ProgressLine(progress.shutdown_look(client))
    with launch.ExitWatch(version["pid"]) as ending:
        client.post("/v1/shutdown", {"stop_processes": not keep})
        try:
            ending.wait(seconds, shown if progress.is_wanted() else None)
        finally:
            shown.clear()
    if delete:
        forgetting.remove(version["state_dir"])
    forgotten = "; all that it knew is forgotten" if delete else ""
    output.note(f"pmond (pid {version['pid']}) has ended{forgotten}")
