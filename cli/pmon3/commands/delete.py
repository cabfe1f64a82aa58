"""`del`: stop processes and forget them."""

from pmon3 import coming_back, options, waiting
from pmon3.address import connect
from pmon3.names import query


def command(
    references: options.References = None,
    groups: options.Groups = None,
    labels: options.Labels = None,
    force: options.Force = False,
    timeout: options.Timeout = "60s",
    no_wait: options.NoWait = False,
    output: options.Output = options.OutputFormat.TABLE,
) -> None:
    """Delete processes: stop them, then forget them."""
    wait_options = waiting.WaitOptions(options.seconds(timeout), no_wait)
    client = connect()
    chosen = options.selection(references, groups, labels)
    before = client.get("/v1/processes", query(chosen))
    settled = waiting.act(client, "delete", chosen | {"force": force}, waiting.DELETED, wait_options)
    waiting.show_touched(waiting.deleted(before, settled), output.value)
    coming_back.tell(client, before)
