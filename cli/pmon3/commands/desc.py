"""`desc`: everything that is known about processes."""

from typing import Any

from pmon3 import options, output
from pmon3.address import connect
from pmon3.client import path_segment
from pmon3.describe import properties
from pmon3.names import resolve
from pmon3.render import property_table


def command(
    references: options.References = None,
    groups: options.Groups = None,
    labels: options.Labels = None,
    shape: options.Output = options.OutputFormat.TABLE,
) -> None:
    """Show all that is known about a process."""
    client = connect()
    chosen = options.selection(references, groups, labels)
    found = [client.get(f"/v1/processes/{path_segment(name)}") for name in resolve(client, chosen)]
    # One reference gives one object, as scripts expect; several give a list.
    single = len(found) == 1 and not groups and not labels
    output.emit(found[0] if single else found, shape.value, lambda colour: _tables(found, colour))


def _tables(processes: list[dict[str, Any]], colour: bool) -> str:
    return "".join(property_table(properties(process), colour) for process in processes)
