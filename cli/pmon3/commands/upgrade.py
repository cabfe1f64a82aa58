"""`upgrade`: pmond becomes the code that is installed now."""

from __future__ import annotations

from pmon3 import options, output
from pmon3.address import connect
from pmon3_schema.errors import ErrorCode, PmonError


def command(timeout: options.WholeTimeout = "60s") -> None:
    """Replace the running pmond by the installed one.

    Processes, socket and state stay. An installation that does not work is refused.
    """
    client = connect()
    before = client.get("/v1/version")
    client.post("/v1/upgrade", {}, options.seconds(timeout))
    # It queues at the socket until the new code takes it.
    after = client.get("/v1/version")
    if after["started_at"] == before["started_at"]:
        raise PmonError(
            ErrorCode.REFUSED, "cannot upgrade: the new code could not be run", "see pmond's own log"
        )
    output.note(f"pmond (pid {after['pid']}) went from {before['version']} to {after['version']}")
