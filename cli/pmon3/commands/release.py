"""`release`: hand processes over from their set to the command line."""

from __future__ import annotations

from pmon3 import options, output
from pmon3.address import connect
from pmon3.table import visible


def command(
    references: options.References = None,
    groups: options.Groups = None,
    labels: options.Labels = None,
) -> None:
    """Take processes out of their set; they keep running.

    They belong to the command line from then on.
    Remove them from the manifest too: the next change of a followed manifest takes back what it declares.
    """
    names = connect().post("/v1/release", options.selection(references, groups, labels))["names"]
    output.write("".join(f"{visible(name)} released\n" for name in names))
