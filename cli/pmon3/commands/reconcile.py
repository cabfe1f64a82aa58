"""`reconcile`: look at everything again, now."""

from __future__ import annotations

from pmon3 import options, waiting
from pmon3.address import connect
from pmon3.commands import status


def command(
    timeout: options.Timeout = "60s",
    no_wait: options.NoWait = False,
    shape: options.Output = options.OutputFormat.TABLE,
) -> int:
    """Read the process config file again and do what is due.

    Looks at all processes too. pmond does so by itself when something changes; this is for whoever does
    not want to rely on that.
    Unlike init it lifts no hold. Exit code 1 while a source is not accepted, as of status.
    """
    wait_options = waiting.WaitOptions(options.seconds(timeout), no_wait)
    client = connect()
    settled = waiting.wait(client, client.post("/v1/reconcile", {})["targets"], waiting.READY, wait_options)
    code = status.show(client, [], shape)
    settled.check()
    return code
