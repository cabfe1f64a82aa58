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
    """Show the versions of pmon3 and of pmond."""
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
    return (
        f"{text}pmond version {daemon['version']} (pid {daemon['pid']}, {daemon['socket']})\n"
        if daemon
        else text
    )
