"""`init`: read the process config file again and start what should run."""

from typing import Annotated

import typer

from pmon3 import options, waiting
from pmon3.address import connect


def command(
    config_only: options.ConfigOnly = False,
    blocking: Annotated[
        bool,
        typer.Option("--blocking", "-b", help="Accepted for the Go pmon3, where waiting was not the rule."),
    ] = False,
    timeout: options.Timeout = "60s",
    no_wait: options.NoWait = False,
    output: options.Output = options.Shape.TABLE,
) -> None:
    """Read the process config file again, start what should run."""
    patience = waiting.Patience(options.seconds(timeout), no_wait and not blocking)
    client = connect()
    answer = client.post("/v1/init", {"process_config_only": config_only})
    settled = waiting.wait(client, answer["targets"], waiting.READY, patience)
    waiting.show_all(client, settled, output.value)
