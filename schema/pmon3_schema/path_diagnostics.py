"""Mistakes at paths of plain data, not yet located: what everything that reads a part of a manifest says."""

from __future__ import annotations

from msgspec import Struct

from pmon3_schema.diagnostics import Severity
from pmon3_schema.formats.source import Path

NO_VALUE = "PM024"


class ManifestFile(Struct, frozen=True):
    """One file of a manifest: where it is and the bytes in it."""

    path: str
    content: bytes


class PathDiagnostic(Struct, frozen=True):
    """A mistake at a path of a document's data, not yet located."""

    code: str
    message: str
    path: Path
    at_key: bool = False
    hint: str = ""
    severity: Severity = Severity.ERROR
    related: tuple[tuple[ManifestFile, Path, str], ...] = ()
    """Other places that belong to it: the document, the path in it, and what is there."""
