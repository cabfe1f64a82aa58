"""`diff`: what applying a manifest would do."""

from typing import Annotated

import typer

from pmon3 import options, planning
from pmon3.applying import ApplyOptions


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
    exit_zero: Annotated[bool, typer.Option("--exit-zero", help="Exit code 0 for differences too.")] = False,
    shape: options.PlanOutput = options.PlanFormat.TABLE,
) -> int:
    """Show how a manifest differs from what is there.

    Exit code 1 when it does. With -o yaml as a unified diff of the entries.
    """
    choice = options.choice(profiles, variables)
    apply_options = ApplyOptions(prune, prune_limit, allow_empty, take_ownership, restart=restart or ())
    return planning.show_plan(files, set_name, apply_options, shape.value, exit_zero, choice=choice)
