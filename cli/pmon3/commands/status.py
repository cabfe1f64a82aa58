"""`status`: are the sets what their sources say, and well?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from pmon3 import exit_codes, options, output
from pmon3.address import connect
from pmon3.client import Client
from pmon3.render_sets import sets_text
from pmon3_schema.errors import ErrorCode, PmonError


def command(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[SET]...", help="Sets, by name or path; all by default.")
    ] = None,
    shape: options.Output = options.OutputFormat.TABLE,
) -> int:
    """Show for each set whether it is in sync and well.

    Exit code 1 while a source is not accepted: what it said before is in force, and its mistakes
    are shown with their places.
    """
    return show(connect(), names or [], shape)


def show(client: Client, names: Sequence[str], shape: options.OutputFormat) -> int:
    """Print these sets, or all; the exit code says whether all are accepted."""
    sets = chosen_sets(client, names)
    output.emit(sets, shape.value, lambda style: sets_text(sets, style))
    return exit_codes.DONE if all(one["accepted"] for one in sets) else exit_codes.NEGATIVE


def chosen_sets(client: Client, names: Sequence[str]) -> list[dict[str, Any]]:
    """What pmond says about these sets, or about all. Raises PmonError."""
    sets: list[dict[str, Any]] = client.get("/v1/sets")
    chosen = [options.set_reference(name) for name in names]
    for name in chosen:
        if not any(one["name"] == name for one in sets):
            hint = "pmon3 status lists them"
            raise PmonError(ErrorCode.NOT_FOUND, f"cannot find set {name!r}: there is none", hint)
    return [one for one in sets if one["name"] in chosen or not chosen]
