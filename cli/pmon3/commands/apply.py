"""`apply`: make what is there be what a manifest says."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from pmon3 import options, output, waiting
from pmon3.address import connect
from pmon3.applying import apply
from pmon3.render_plan import plan_text


def command(
    files: options.Manifests = None,
    set_name: options.SetName = None,
    prune: options.Prune = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, do nothing.")] = False,
    timeout: options.Timeout = "60s",
    no_wait: options.NoWait = False,
    shape: options.PlanOutput = options.PlanShape.TABLE,
) -> None:
    """Make what is there be what manifests say.

    Starts and changes processes and, with --prune, deletes those the set no longer declares.
    """
    patience = waiting.Patience(options.seconds(timeout), no_wait or dry_run)
    client = connect()
    applied = apply(client, files, set_name, prune, dry_run)
    plans: list[dict[str, Any]] = [answer["plan"] for answer in applied]

    def shown(colour: bool) -> str:
        return "".join(plan_text(plan, colour) for plan in plans)

    output.emit(applied[0] if len(applied) == 1 else applied, shape.value, shown)
    targets = [target for answer in applied for target in answer["targets"]]
    if not patience.no_wait:
        waiting.wait(client, targets, waiting.READY, patience).check()
