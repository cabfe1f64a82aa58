"""`rollback`: go back to an earlier revision of a set."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from pmon3 import options, output, waiting
from pmon3.address import connect
from pmon3.render_plan import plan_text


def command(
    reference: options.SetArgument = None,
    set_name: options.OneSet = None,
    to: Annotated[int | None, typer.Option("--to", min=1, metavar="N", help="That revision.")] = None,
    stable: Annotated[
        bool, typer.Option("--to-stable", help="The last one that was rolled out whole.")
    ] = False,
    message: options.Message = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, do nothing.")] = False,
    timeout: options.Timeout = "60s",
    no_wait: options.NoWait = False,
    shape: options.PlanOutput = options.PlanFormat.TABLE,
) -> None:
    """Go back to an earlier revision of a set.

    To the one before the present one, unless --to or --to-stable says otherwise.
    The source of the set is suspended until it says something else, or until pmon3 resume.
    """
    body: dict[str, Any] = {"to": to, "stable": stable, "dry_run": dry_run, "message": message}
    if set_name or reference:
        body["set"] = options.set_reference(set_name or reference or "")
    wait_options = waiting.WaitOptions(options.seconds(timeout), no_wait or dry_run)
    client = connect()
    answer = client.post("/v1/rollback", body)
    output.emit(answer, shape.value, lambda style: plan_text(answer["plan"], style))
    name = answer["plan"]["set"]
    if not dry_run and any(one["name"] == name and one["suspended"] for one in client.get("/v1/sets")):
        output.note(
            f"{name} is suspended: what its source says is not taken in until that changes, or pmon3 resume"
        )
    if not wait_options.no_wait:
        waiting.wait(client, answer["targets"], waiting.READY, wait_options).check()
