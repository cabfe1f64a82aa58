"""`ls`: the process table. The plain forms are answered by `quick`, which shares `list_processes`."""

from pmon3 import options, quick


def command(
    references: options.References = None,
    groups: options.Groups = None,
    labels: options.Labels = None,
    output: options.Output = options.OutputFormat.TABLE,
) -> None:
    """List processes."""
    options.label_map(labels)
    quick.list_processes(references or [], groups or [], labels or [], output.value)
