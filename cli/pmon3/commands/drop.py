"""`drop`: stop and forget every process."""

from pmon3 import coming_back, options, waiting
from pmon3.address import connect


def command(
    force: options.Force = False,
    timeout: options.Timeout = "60s",
    no_wait: options.NoWait = False,
    output: options.Output = options.OutputFormat.TABLE,
) -> None:
    """Stop and delete all processes."""
    wait_options = waiting.WaitOptions(options.seconds(timeout), no_wait)
    client = connect()
    before = client.get("/v1/processes")
    settled = waiting.act(client, "drop", {"all": True, "force": force}, waiting.DELETED, wait_options)
    waiting.show_all(client, settled, output.value)
    coming_back.tell(client, before)
