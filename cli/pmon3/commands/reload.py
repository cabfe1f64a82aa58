"""`reload`: programs read their files again."""

from __future__ import annotations

from pmon3 import options
from pmon3 import output as out
from pmon3.address import connect


def command(
    references: options.References = None,
    groups: options.Groups = None,
    labels: options.Labels = None,
    output: options.Output = options.OutputFormat.TABLE,
) -> None:
    """Have processes read their files again, as their manifests say.

    By reload.command, whose end is waited for, or else by reload.signal, which is HUP where nothing is said.
    A program that knows nothing of HUP ends by it.
    """
    names = connect().post("/v1/reload", options.selection(references, groups, labels))["names"]
    told = [{"name": name} for name in names]
    out.emit(
        told, output.value, lambda _: "".join(f"{name} was told to read its files again\n" for name in names)
    )
