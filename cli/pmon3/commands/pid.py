"""`pid`: the process ids, and nothing else, for scripts."""

from __future__ import annotations

from typing import Any

from pmon3 import exit_codes, options
from pmon3 import output as out
from pmon3.address import connect
from pmon3.names import query


def command(
    references: options.References = None,
    groups: options.Groups = None,
    labels: options.Labels = None,
    output: options.Output = options.OutputFormat.TABLE,
) -> int:
    """Print the process ids of processes that run.

    One in a line; without a name that of pmond itself. Exit code 1 when one of them does not run.
    """
    client = connect()
    if not (references or groups or labels):
        found: list[dict[str, Any]] = [{"name": "pmond", "pid": client.get("/v1/version")["pid"]}]
    else:
        chosen = options.selection(references, groups, labels)
        found = [
            {"name": process["name"], "pid": process["pid"]}
            for process in client.get("/v1/processes", query(chosen))
        ]
    running = [one for one in found if one["pid"]]
    out.emit(running, output.value, lambda _: "".join(f"{one['pid']}\n" for one in running))
    for one in found:
        if not one["pid"]:
            out.note(f"{one['name']} does not run")
    return exit_codes.DONE if found and len(running) == len(found) else exit_codes.NEGATIVE
