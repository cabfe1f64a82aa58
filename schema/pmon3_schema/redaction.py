"""What a rejected manifest is called before those who may not see what is in it.

A message about a mistake quotes the source, and a source may hold secrets. That it was rejected,
where, and for what kind of mistake anybody may know.
"""

from __future__ import annotations

from collections.abc import Sequence

from pmon3_schema.answers import DiagnosticObject
from pmon3_schema.diagnostics import CODES, UNREADABLE, Severity

INVALID_MANIFEST = "InvalidManifest"
"""The reason of a set whose source has mistakes."""


def place_and_kind(path: str, message: str, diagnostics: Sequence[DiagnosticObject]) -> str:
    """``cannot apply PATH: FILE:3:5: an unknown field`` in place of the message."""
    errors = [one for one in diagnostics if one["severity"] == Severity.ERROR]
    if not errors:
        return f"cannot apply {path}: it is not valid"
    first = errors[0]
    if first["code"] == UNREADABLE:
        return message  # nothing of the file is in there
    start = first["range"]["start"]
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    place = f"{first['file']}:{start['line']}:{start['column']}"
    return f"cannot apply {path}: {place}: {_kind(first)}{more}"


def withheld(diagnostic: DiagnosticObject) -> DiagnosticObject:
    """Where a mistake is and of which kind, without what it quotes."""
    if diagnostic["code"] == UNREADABLE:
        return diagnostic
    return {
        "severity": diagnostic["severity"],
        "code": diagnostic["code"],
        "message": _kind(diagnostic),
        "file": diagnostic["file"],
        "range": diagnostic["range"],
        "path": "",
        "hint": "",
    }


def _kind(diagnostic: DiagnosticObject) -> str:
    return CODES.get(diagnostic["code"], "a mistake")
