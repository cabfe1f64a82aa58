"""`unhold`: let manifests have their way again."""

from __future__ import annotations

from pmon3 import options, waiting
from pmon3.address import connect
from pmon3.output import note


def command(
    references: options.References = None,
    groups: options.Groups = None,
    labels: options.Labels = None,
    timeout: options.Timeout = "60s",
    no_wait: options.NoWait = False,
    output: options.Output = options.OutputFormat.TABLE,
) -> None:
    """Lift what stop, start or hold laid over processes.

    Their manifests count again."""
    wait_options = waiting.WaitOptions(options.seconds(timeout), no_wait)
    client = connect()
    targets = client.post("/v1/unhold", options.selection(references, groups, labels))["targets"]
    if not targets:
        note("nothing to do: none of them is held")
    waiting.show_touched(waiting.wait(client, targets, waiting.READY, wait_options), output.value)
