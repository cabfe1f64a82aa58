"""`restart`: stop and start processes, perhaps with changed settings."""

from pmon3 import options, spec_overrides, waiting


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
    spec_overrides.bring_up("restart", chosen, changes, wait_options, output.value, env)
