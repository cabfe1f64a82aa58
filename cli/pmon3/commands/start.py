"""`start`: start processes, perhaps with changed settings."""

from pmon3 import options, respec, waiting


def command(
    references: options.References = None,
    groups: options.Groups = None,
    args: respec.Arguments = None,
    user: respec.User = None,
    log_or_label: respec.LogOrLabel = None,
    label: respec.Label = None,
    log_dir: respec.LogFolder = None,
    no_autorestart: respec.NoAutorestart = None,
    env_vars: respec.Environment = None,
    dependencies: respec.Dependencies = None,
    new_groups: respec.SpecGroups = None,
    timeout: options.Timeout = "60s",
    no_wait: options.NoWait = False,
    output: options.Output = options.Shape.TABLE,
) -> None:
    """Start processes; those that run are started anew.

    As restart, but it does not count as one. Settings given here change first.
    """
    log, labels = respec.split_log_or_label(log_or_label)
    changes = respec.Changes(args, user, log, log_dir, no_autorestart, env_vars, dependencies, new_groups)
    chosen = options.selection(references, groups, labels + (label or []))
    patience = waiting.Patience(options.seconds(timeout), no_wait)
    respec.bring_up("start", chosen, changes, patience, output.value)
