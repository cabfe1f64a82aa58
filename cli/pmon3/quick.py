"""`ls` without Typer: the command people and scripts run most, answered in a few milliseconds.

Theory of operation: `parse` understands the plain forms (`ls`, `ls web* -o json`) and says None
to everything else, which then takes the way of all verbs. Both ways ask the same (`query`) and print
it the same way. A test holds this module to importing nothing heavy.
"""

from __future__ import annotations

from pmon3 import address, output
from pmon3.client import Query
from pmon3.names import measured

_SHAPES = (output.TABLE, output.WIDE, output.JSON, output.NAME)


def parse(arguments: list[str]) -> tuple[list[str], str] | None:
    """References and shape of a plain `ls`; None when it needs the full parser."""
    if not arguments or arguments[0] not in ("ls", "list"):
        return None
    references: list[str] = []
    shape = output.TABLE
    words = iter(arguments[1:])
    for word in words:
        if not word.startswith("-"):
            references.append(word)
        elif word in ("-o", "--output"):
            shape = next(words, "")
        elif word.startswith("--output="):
            shape = word.removeprefix("--output=")
        elif word.startswith("-o"):
            shape = word.removeprefix("-o")
        else:
            return None
    return (references, shape) if shape in _SHAPES else None


def list_processes(references: list[str], shape: str) -> None:
    """Ask for the processes and print them. Raises PmonError."""
    output.emit_processes(measured(address.connect(), query(references, [], [])), shape)


def query(references: list[str], groups: list[str], labels: list[str]) -> Query:
    """What is asked for processes that were chosen so."""
    pairs: Query = [("ref", reference) for reference in references]
    pairs += [("group", group) for group in groups]
    return pairs + [("label", label) for label in labels]
