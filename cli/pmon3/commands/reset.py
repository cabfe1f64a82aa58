"""`reset`: set restart counters back to 0."""

from pmon3 import options
from pmon3.address import connect
from pmon3.names import measured
from pmon3.output import emit_processes


def command(
    references: options.References = None,
    groups: options.Groups = None,
    labels: options.Labels = None,
    output: options.Output = options.OutputFormat.TABLE,
) -> None:
    """Reset the restart counters of all, or of those named."""
    named = references or groups or labels
    body = options.selection(references, groups, labels) if named else {"all": True}
    client = connect()
    client.post("/v1/actions/reset", body)
    emit_processes(measured(client), output.value)
