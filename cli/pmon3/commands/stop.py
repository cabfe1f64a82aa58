"""`stop`: ask processes to end and remember that a person wanted it."""

from pmon3 import options, waiting
from pmon3.address import connect


def command(
    references: options.References = None,
    groups: options.Groups = None,
    labels: options.Labels = None,
    force: options.Force = False,
    timeout: options.Timeout = "60s",
    no_wait: options.NoWait = False,
    output: options.Output = options.OutputFormat.TABLE,
) -> None:
    """Stop processes; they stay stopped until they are started."""
    wait_options = waiting.WaitOptions(options.seconds(timeout), no_wait)
    body = options.selection(references, groups, labels) | {"force": force}
    waiting.show_touched(waiting.act(connect(), "stop", body, waiting.STOPPED, wait_options), output.value)
