"""`diff`: what applying a manifest would do."""

from typing import Annotated

import typer

from pmon3 import options, planning


def command(
    files: options.Manifests = None,
    set_name: options.SetName = None,
    prune: options.Prune = False,
    exit_zero: Annotated[bool, typer.Option("--exit-zero", help="Exit code 0 for differences too.")] = False,
    shape: options.PlanOutput = options.PlanShape.TABLE,
) -> int:
    """Show how a manifest differs from what is there.

    Exit code 1 when it does.
    """
    return planning.show_plan(files, set_name, prune, shape.value, exit_zero)
