"""`history`: the revisions of a set."""

from __future__ import annotations

from typing import Annotated

import typer

from pmon3 import options, output
from pmon3.address import connect
from pmon3.client import Query
from pmon3.render_sets import history_text


def command(
    reference: options.SetArgument = None,
    set_name: options.OneSet = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="The newest so many.")] = 20,
    shape: options.Output = options.OutputFormat.TABLE,
) -> None:
    """Show what was applied to a set, and how it ended.

    Each revision: when, by whom, why, from which git commit, how many changes."""
    query: Query = [("limit", str(limit))]
    if set_name or reference:
        query.append(("set", options.set_reference(set_name or reference or "")))
    revisions = connect().get("/v1/history", query)
    if shape is options.OutputFormat.NAME:  # what `rollback --to` is given
        output.write("".join(f"{one['revision']}\n" for one in revisions))
        return
    output.emit(revisions, shape.value, lambda style: history_text(revisions, style))
