"""`restart`: stop and start processes, perhaps with changed settings."""

from typing import Annotated

import typer

from pmon3 import options, rolling, spec_overrides, waiting
from pmon3.address import connect
from pmon3_schema.errors import ErrorCode, PmonError


def command(
    references: options.References = None,
    groups: options.Groups = None,
    args: spec_overrides.Arguments = None,
    user: spec_overrides.User = None,
    log_or_label: spec_overrides.LogOrLabel = None,
    label: spec_overrides.Label = None,
    log_dir: spec_overrides.LogFolder = None,
    no_autorestart: spec_overrides.NoAutorestart = None,
    env_vars: spec_overrides.Environment = None,
    env: options.Env = None,
    dependencies: spec_overrides.Dependencies = None,
    new_groups: spec_overrides.SpecGroups = None,
    one_by_one: Annotated[
        bool,
        typer.Option(
            "--rolling",
            help="One after another, replicas as their `rollout` says: the others serve meanwhile.",
        ),
    ] = False,
    timeout: options.Timeout = "60s",
    no_wait: options.NoWait = False,
    output: options.Output = options.OutputFormat.TABLE,
) -> None:
    """Restart processes, or start those that do not run.

    Settings given here change first.
    """
    log, labels = spec_overrides.split_log_or_label(log_or_label)
    changes = spec_overrides.SpecOverrides(
        args, user, log, log_dir, no_autorestart, env_vars, dependencies, new_groups
    )
    chosen = options.selection(references, groups, labels + (label or []))
    wait_options = waiting.WaitOptions(options.seconds(timeout), no_wait)
    if one_by_one:
        if changes.spec or env:
            why = "cannot restart one after another with other settings: they would count for all at once"
            raise PmonError(
                ErrorCode.BAD_REQUEST, why, "change them in the manifest: apply goes by `rollout`"
            )
        waiting.show_touched(rolling.restart(connect(), chosen, wait_options), output.value)
        return
    spec_overrides.bring_up("restart", chosen, changes, wait_options, output.value, env)
