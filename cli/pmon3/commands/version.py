"""`version`: of the command line and of the pmond it talks to."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from pmon3 import options, output
from pmon3.address import connect
from pmon3_schema._version import __version__
from pmon3_schema.errors import ErrorCode, PmonError


def command(
    client_only: Annotated[bool, typer.Option("--client", help="Do not ask pmond.")] = False,
    shape: options.Output = options.OutputFormat.TABLE,
) -> None:
    """Show the versions of pmon3 and of pmond.

    And what you are to that pmond: owner, administrator, operator or viewer.
    """
    daemon = None if client_only else _daemon()
    answer: dict[str, Any] = {"name": "pmon3", "version": __version__, "pmond": daemon}
    output.emit(answer, shape.value, lambda _: _text(daemon))


def _daemon() -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = connect().get("/v1/version")
    except PmonError as error:
        if error.code is not ErrorCode.UNREACHABLE:
            raise
        output.note(error.message)
        return None
    return found


def _text(daemon: dict[str, Any] | None) -> str:
    text = f"pmon3 version {__version__}\n"
    if daemon is None:
        return text
    text += f"pmond version {daemon['version']} (pid {daemon['pid']}, {daemon['socket']})\n"
    # One of an older version does not say it.
    return text + (f"you are: {daemon['you_are']} ({daemon['user']})\n" if "you_are" in daemon else "")
