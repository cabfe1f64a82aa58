"""`plan`: what applying a manifest would do."""

from typing import Annotated

import typer

from pmon3 import options, output, planning
from pmon3.applying import ApplyOptions
from pmon3_schema.errors import PmonError


def command(
    files: options.Manifests = None,
    set_name: options.SetName = None,
    profiles: options.Profiles = None,
    variables: options.Variables = None,
    prune: options.Prune = False,
    prune_limit: options.PruneLimit = "",
    allow_empty: options.AllowEmpty = False,
    take_ownership: options.TakeOwnership = False,
    restart: options.RestartNames = None,
    if_version: options.IfVersion = None,
    out: Annotated[
        str | None, typer.Option("--out", metavar="FILE", help="Save the plan, to be run by apply FILE.")
    ] = None,
    detailed: Annotated[
        bool,
        typer.Option("--detailed-exitcode", help="As Terraform: 0 no changes, 1 error, 2 changes."),
    ] = False,
    exit_zero: Annotated[bool, typer.Option("--exit-zero", help="Exit code 0 for differences too.")] = False,
    shape: options.PlanOutput = options.PlanFormat.TABLE,
) -> int:
    """Show what applying a manifest would do, in order.

    Exit code 1 when it would do something. A saved plan is run by `pmon3 apply FILE`, exactly or not at
    all; it contains the manifests, secrets included, and only its owner can read it.
    """
    choice = options.choice(profiles, variables)
    apply_options = ApplyOptions(
        prune, prune_limit, allow_empty, take_ownership, if_version, restart=restart or ()
    )
    if not detailed:
        return planning.show_plan(files, set_name, apply_options, shape.value, exit_zero, out, choice)
    try:
        return 2 * planning.show_plan(files, set_name, apply_options, shape.value, exit_zero, out, choice)
    except PmonError as error:
        output.report(error, shape is options.PlanFormat.JSON)
        return 1
