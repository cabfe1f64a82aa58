"""The documents of a manifest, and the processes in them, while they are read.

Theory of operation: a `Source` per document collects `PathDiagnostic` values, which name a path only;
`locating` turns them into lines and columns when all has been read.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from typing import Any

from msgspec import Struct, field

from pmon3_schema.diagnostics import Severity
from pmon3_schema.formats import Format
from pmon3_schema.formats.source import LineIndex, Loaded, Path, Position, TextDiagnostic
from pmon3_schema.path_diagnostics import NO_VALUE, ManifestFile, PathDiagnostic
from pmon3_schema.process import ProcessSpec
from pmon3_schema.spelling import Spelling
from pmon3_schema.top import Top


class Source(Struct, eq=False):
    """One document while it is read."""

    document: ManifestFile
    text: str = ""
    format: Format | None = None
    loaded: Loaded | None = None
    top: Top | None = None
    items: list[Item] = field(default_factory=list)
    """Those of its list of processes, in order, then those that its profiles add."""
    findings: list[PathDiagnostic] = field(default_factory=list)
    problems: list[TextDiagnostic] = field(default_factory=list)
    places: dict[Path, Position] = field(default_factory=dict)
    lines: LineIndex = field(default_factory=lambda: LineIndex(""))


class Layer(Struct, eq=False):
    """What one document says about one process: its entry, or the change of it that a profile makes."""

    source: Source
    at: Path
    """Of the entry in the document."""
    spelling: Spelling | None = None
    """None where the entry is no mapping."""
    entry: dict[str, Any] = field(default_factory=dict)
    """Its keys in canonical spelling, variables replaced."""
    absent: bool = False
    """It is for profiles that are not in use."""

    @property
    def name(self) -> str:
        """The name that it declares, or that follows from its file; empty where there is none."""
        declared = self.entry.get("name") or posixpath.basename(str(self.entry.get("file") or "").rstrip("/"))
        return declared if isinstance(declared, str) else ""

    def path(self, *parts: str | int) -> Path:
        """The path of a field of this process, spelt as in the file."""
        return (*self.at, *(self.spelling.source_path(parts) if self.spelling else parts))

    def says(self, parts: Path) -> bool:
        """Whether this document writes that field, or what is in it."""
        value: Any = self.entry
        for part in parts:
            inside = (
                value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
            )
            if part not in inside:
                return False
            value = value[part]
        return True


class Item(Struct, eq=False):
    """One process while it is read. `spec` stays None where it is wrong."""

    layers: list[Layer]
    """Its entry, then the changes of the profiles in use; later ones win."""
    defaults: Layer | None = None
    """What its document lays under all of its processes."""
    name: str = ""
    spec: ProcessSpec | None = None

    @property
    def source(self) -> Source:
        return self.layers[0].source

    def written(self) -> dict[str, None]:
        """The fields that the defaults, its entry, or a change in use has, as ``restart.delay``; in order."""
        return dict.fromkeys(name for layer in self._all for name in _dotted(layer.entry))

    @property
    def _all(self) -> list[Layer]:
        return [self.defaults, *self.layers] if self.defaults is not None else self.layers

    def place(self, *parts: str | int) -> tuple[Source, Path]:
        """Where a field that is in force is written: the document, and the path in it."""
        last = next((one for one in reversed(self._all) if one.says(parts)), self.layers[0])
        return last.source, last.path(*parts)

    def written_at(self, *parts: str | int) -> tuple[ManifestFile, Path]:
        """The same for a diagnostic of another process that refers to it."""
        source, path = self.place(*parts)
        return source.document, path

    def name_field(self) -> str:
        """Where its name is written: at `name`, or at the `file` that it is taken from."""
        return "name" if self.layers[0].entry.get("name") else "file"

    def report(
        self,
        code: str,
        message: str,
        *parts: str | int,
        at_key: bool = False,
        hint: str = "",
        severity: Severity = Severity.ERROR,
        related: tuple[tuple[ManifestFile, Path, str], ...] = (),
    ) -> None:
        """Say that a field is wrong, where it is written."""
        source, path = self.place(*parts)
        if any(one.code == NO_VALUE and one.path == path for one in source.findings):
            return  # what a variable without a value stands for cannot be right
        finding = PathDiagnostic(code, message, path, at_key, hint, severity, related)
        under = self.defaults
        shared = under is not None and source is under.source and path[: len(under.at)] == under.at
        if shared and finding in source.findings:
            return  # said with the first process that it is laid under
        source.findings.append(finding)


def _dotted(entry: dict[str, Any], before: str = "") -> Iterator[str]:
    for key, value in entry.items():
        yield f"{before}{key}"
        if isinstance(value, dict):
            yield from _dotted(value, f"{before}{key}.")
