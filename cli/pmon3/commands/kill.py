"""`kill`: stop every process."""

from pmon3 import options, waiting
from pmon3.address import connect


def command(
    force: options.Force = False,
    timeout: options.Timeout = "60s",
    no_wait: options.NoWait = False,
    output: options.Output = options.Shape.TABLE,
) -> None:
    """Stop all running processes, and those about to start."""
    patience = waiting.Patience(options.seconds(timeout), no_wait)
    client = connect()
    settled = waiting.act(client, "kill", {"all": True, "force": force}, waiting.STOPPED, patience)
    waiting.show_all(client, settled, output.value)
