"""`hold`: keep processes down, or up, whatever their manifests say."""

from __future__ import annotations

from typing import Annotated

import typer

from pmon3 import options, waiting
from pmon3.address import connect


def command(
    references: options.References = None,
    groups: options.Groups = None,
    labels: options.Labels = None,
    up: Annotated[bool, typer.Option("--up", help="Keep them up instead of down.")] = False,
    reason: options.Reason = "",
    duration: options.For = None,
    timeout: options.Timeout = "60s",
    no_wait: options.NoWait = False,
    output: options.Output = options.OutputFormat.TABLE,
) -> None:
    """Keep processes down, whatever their manifests say.

    Until unhold. That is what `stop` does too; `hold` adds why and until when.
    """
    wait_options = waiting.WaitOptions(options.seconds(timeout), no_wait)
    body = options.selection(references, groups, labels)
    body |= {"up": up, "reason": reason, "seconds": options.duration(duration)}
    client = connect()
    targets = client.post("/v1/holds", body)["targets"]
    until = waiting.READY if up else waiting.STOPPED
    waiting.show_touched(waiting.wait(client, targets, until, wait_options), output.value)
