"""`suspend`: take no new content from the source of a set."""

from __future__ import annotations

from typing import Annotated

import typer

from pmon3 import options
from pmon3.address import connect


def command(
    set_name: Annotated[str, typer.Argument(metavar="SET", help="The set, by name or path.")],
    reason: options.Reason = "",
    duration: options.For = None,
) -> None:
    """Take no new content for a set until resume.

    What it declared before is kept running."""
    body = {
        "set": options.set_reference(set_name),
        "reason": reason,
        "seconds": options.duration(duration),
    }
    connect().post("/v1/suspend", body)
