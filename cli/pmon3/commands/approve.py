"""`approve`: delete processes that ask to be confirmed."""

from __future__ import annotations

from pmon3 import options, output, waiting
from pmon3.address import connect
from pmon3.table import visible


def command(
    references: options.References = None,
    groups: options.Groups = None,
    labels: options.Labels = None,
    timeout: options.Timeout = "60s",
    no_wait: options.NoWait = False,
) -> None:
    """Delete processes that wait to be confirmed.

    Those with `prune: confirm` that their manifest no longer declares."""
    wait_options = waiting.WaitOptions(options.seconds(timeout), no_wait)
    client = connect()
    targets = client.post("/v1/approve", options.selection(references, groups, labels))["targets"]
    waiting.wait(client, targets, waiting.DELETED, wait_options).check()
    output.write("".join(f"{visible(target['name'])} approved\n" for target in targets))
