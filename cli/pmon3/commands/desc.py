"""`desc`: everything that is known about processes."""

from __future__ import annotations

import time
from typing import Any

from pmon3 import options, output
from pmon3.address import connect
from pmon3.client import Client, path_segment
from pmon3.describe import properties, wholes
from pmon3.names import resolve
from pmon3.render import property_table
from pmon3.table import Style, visible
from pmon3_schema.errors import PmonError

_LOG_LINES = 3
"""Shown below the rest: enough to see what it does, or of what it died."""


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
    output.emit(found[0] if single else found, shape.value, lambda style: _tables(client, found, style))


def _tables(client: Client, processes: list[dict[str, Any]], style: Style) -> str:
    now, heads = time.time(), wholes(processes)
    text = ""
    for process in processes:
        if head := heads.get(process["name"]):
            text += f"{visible(head)}\n"
        rows = [*properties(process, _last_lines(client, process), now), *_of_stderr(client, process)]
        text += property_table(rows, style)
    return text


def _of_stderr(client: Client, process: dict[str, Any]) -> list[tuple[str, str]]:
    """The end of the separate file of standard error, where there is one."""
    if not process.get("spec", {}).get("stderr_log"):
        return []
    return [("stderr line", line) for line in _last_lines(client, process, ("stderr", "1"))]


def _last_lines(client: Client, process: dict[str, Any], *more: tuple[str, str]) -> list[str]:
    """The end of its log, where there is one that this caller may read."""
    query = [("lines", str(_LOG_LINES)), *more]
    try:
        stream = client.stream(f"/v1/logs/{path_segment(process['name'])}", query)
        return b"".join(stream).decode("utf-8", "backslashreplace").splitlines()
    except PmonError:
        return []
