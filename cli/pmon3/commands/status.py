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

_NOT_WELL = ("Degraded", "Missing")


def command(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[SET]...", help="Sets, by name or path; all by default.")
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Exit code 1 also while one is out of sync or not well.")
    ] = False,
    shape: options.Output = options.OutputFormat.TABLE,
) -> int:
    """Show for each set whether it is in sync and well.

    Exit code 1 while a source is not accepted: what it said before is in force, and its mistakes
    are shown with their places. With --check also while a set is OutOfSync, Degraded or Missing.
    """
    return show(connect(), names or [], shape, check)


def show(client: Client, names: Sequence[str], shape: options.OutputFormat, check: bool = False) -> int:
    """Print these sets, or all; the exit code says whether all are accepted.

    `check`: whether they are in sync and well, too.
    """
    sets = chosen_sets(client, names)
    output.emit(sets, shape.value, lambda style: sets_text(sets, style))
    fine = all(one["accepted"] and not (check and _is_wrong(one)) for one in sets)
    return exit_codes.DONE if fine else exit_codes.NEGATIVE


def _instead(client: Client, name: str) -> str:
    """Whoever comes from another tool asks for the status of a process."""
    if any(one["name"] == name for one in client.get("/v1/processes")):
        return f"it is a process: pmon3 desc {name} says how it is"
    return "pmon3 status lists them"


def _is_wrong(one: dict[str, Any]) -> bool:
    return one["sync"] == "OutOfSync" or one["health"] in _NOT_WELL


def chosen_sets(client: Client, names: Sequence[str]) -> list[dict[str, Any]]:
    """What pmond says about these sets, or about all. Raises PmonError."""
    sets: list[dict[str, Any]] = client.get("/v1/sets")
    chosen = [options.set_reference(name) for name in names]
    for name in chosen:
        if not any(one["name"] == name for one in sets):
            raise PmonError(
                ErrorCode.NOT_FOUND, f"cannot find set {name!r}: there is none", _instead(client, name)
            )
    return [one for one in sets if one["name"] in chosen or not chosen]
