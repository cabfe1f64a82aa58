"""`resume`: take new content for a set again."""

from __future__ import annotations

from typing import Annotated

import typer

from pmon3 import options
from pmon3.address import connect


def command(
    set_name: Annotated[str, typer.Argument(metavar="SET", help="The set, by name or path.")],
) -> None:
    """Take new content for a set again.

    Ends what suspend or rollback began."""
    connect().post("/v1/resume", {"set": options.set_reference(set_name)})
