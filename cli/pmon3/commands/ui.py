"""`ui`: all processes on the whole screen, with what can be done to them."""

from __future__ import annotations

import os
import sys

from pmon3 import terminal
from pmon3.address import connect
from pmon3_schema.errors import ErrorCode, PmonError


def command() -> None:
    """Show processes on the whole screen, and act on them.

    The list changes by itself. Keys show descriptions, logs and the graph of dependencies, filter, and
    start, stop and restart after a question; ? lists them. Needs an extra: pip install 'pmon3[tui]'.
    """
    # Imported here: an extra, and heavy.
    try:
        from pmon3_ui import application
    except ModuleNotFoundError as error:
        why = f"cannot show the terminal UI: {error.name} is not installed"
        raise PmonError(ErrorCode.REFUSED, why, "pip install 'pmon3[tui]'; top needs nothing") from None
    if not (terminal.is_terminal(sys.stdin) and terminal.is_terminal(sys.stdout)):
        why = "cannot show the terminal UI: this is not a terminal"
        raise PmonError(ErrorCode.BAD_REQUEST, why, "pmon3 ls --watch goes to pipes")
    if terminal.is_dumb(os.environ):
        why = "cannot show the terminal UI: a terminal with TERM=dumb cannot move its cursor"
        raise PmonError(ErrorCode.BAD_REQUEST, why, "pmon3 ls --watch | cat")
    client = connect()
    client.get("/v1/version")  # what is wrong from the beginning is said as everywhere
    application.run(client)
