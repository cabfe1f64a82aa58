"""`init`: read the process config file again and start what should run."""

from typing import Annotated, Any

import typer

from pmon3 import bringing_up, options, output, waiting
from pmon3.address import connect
from pmon3.client import Client
from pmon3.table import visible
from pmon3.times import local_time


def command(
    config_only: options.ConfigOnly = False,
    blocking: Annotated[
        bool,
        typer.Option("--blocking", "-b", help="Accepted for the Go pmon3, where waiting was not the rule."),
    ] = False,
    timeout: options.Timeout = "60s",
    no_wait: options.NoWait = False,
    shape: options.Output = options.OutputFormat.TABLE,
) -> None:
    """Read the process config file again, start what should run.

    What a person has stopped is started too, and said with whose stop it was; reconcile leaves it stopped.
    """
    wait_options = waiting.WaitOptions(options.seconds(timeout), no_wait and not blocking)
    client = connect()
    answer = client.post("/v1/init", {"process_config_only": config_only})
    _say_if_missing(client)
    for lifted in answer["lifted"]:
        output.note(visible(f"{lifted['name']}: {_held(lifted['hold'])}: lifted"))
    settled = waiting.wait(client, answer["targets"], waiting.READY, wait_options)
    waiting.show_all(client, settled, shape.value)


def _say_if_missing(client: Client) -> None:
    one = bringing_up.set_of(client, client.get("/v1/version")["process_config_file"])
    if one is not None and bringing_up.is_missing(one):
        output.note(visible(one["message"]))


def _held(hold: dict[str, Any]) -> str:
    """``held by ana since 2025-… (maintenance)``."""
    why = f" ({hold['reason']})" if hold["reason"] else ""
    return f"held by {hold['by']} since {local_time(hold['at'])}{why}"
