"""`wait`: until processes are in a state."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from pmon3 import exit_codes, options, output, waiting
from pmon3.address import connect
from pmon3.names import query
from pmon3_schema.errors import ErrorCode, PmonError


class Until(StrEnum):
    """What can be waited for."""

    READY = "ready"
    STOPPED = "stopped"
    DELETED = "deleted"
    COMPLETED = "completed"


def command(
    references: options.References = None,
    groups: options.Groups = None,
    labels: options.Labels = None,
    until: Annotated[Until, typer.Option("--for", help="The state to wait for.")] = Until.READY,
    timeout: options.Timeout = "60s",
    shape: options.Output = options.Shape.TABLE,
) -> int:
    """Wait until processes are in a state.

    Exit code 1 when that cannot happen, 4 when the time is over.
    """
    patience = waiting.Patience(options.seconds(timeout))
    chosen = options.selection(references, groups, labels)
    client = connect()
    try:
        processes = client.get("/v1/processes", query(chosen))
    except PmonError as error:
        if error.code is ErrorCode.NOT_FOUND and until is Until.DELETED:
            return exit_codes.DONE
        raise
    # Token 0: the present state counts; what a person waits for may be there already.
    targets = [{"name": p["name"], "generation": p["generation"], "token": 0} for p in processes]
    settled = waiting.wait(client, targets, until.value, patience)
    output.emit_processes(settled.processes, shape.value)
    if settled.error and settled.error.code is ErrorCode.UNMET:
        output.report(settled.error, shape is options.Shape.JSON)
        return exit_codes.NEGATIVE
    settled.check()
    return exit_codes.DONE
