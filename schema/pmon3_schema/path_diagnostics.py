"""Mistakes at paths of plain data, and the one step that turns paths into lines and columns.

Theory of operation: while a manifest is read, a `Source` per document collects `PathDiagnostic` values,
which name a path only. `diagnostics` looks up all paths of a faulty document in one scan. A path that
the text does not have (a missing field, a value behind an alias) is shown at the nearest value above.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from msgspec import Struct, field

from pmon3_schema.diagnostics import Diagnostic, Related, Severity
from pmon3_schema.formats import Format
from pmon3_schema.formats.source import LineIndex, Loaded, Path, Position, Span, TextDiagnostic
from pmon3_schema.process import ProcessSpec
from pmon3_schema.spelling import Spelling

if TYPE_CHECKING:
    from pmon3_schema.top import Top  # which makes findings itself

NO_VALUE = "PM024"
MAX_FINDINGS = 1_000
"""Most diagnostics that are made for one document."""


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
    related: tuple[tuple[Source, Path, str], ...] = ()


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
    name: str = ""
    spec: ProcessSpec | None = None

    @property
    def source(self) -> Source:
        return self.layers[0].source

    def written(self) -> dict[str, None]:
        """The fields that its entry, or a change that is in use, has, such as ``restart.delay``; in order."""
        return dict.fromkeys(name for layer in self.layers for name in _dotted(layer.entry))

    def place(self, *parts: str | int) -> tuple[Source, Path]:
        """Where a field that is in force is written: the document, and the path in it."""
        last = next((one for one in reversed(self.layers) if one.says(parts)), self.layers[0])
        return last.source, last.path(*parts)

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
        related: tuple[tuple[Source, Path, str], ...] = (),
    ) -> None:
        """Say that a field is wrong, where it is written."""
        source, path = self.place(*parts)
        if any(one.code == NO_VALUE and one.path == path for one in source.findings):
            return  # what a variable without a value stands for cannot be right
        source.findings.append(PathDiagnostic(code, message, path, at_key, hint, severity, related))


def _dotted(entry: dict[str, Any], before: str = "") -> Iterator[str]:
    for key, value in entry.items():
        yield f"{before}{key}"
        if isinstance(value, dict):
            yield from _dotted(value, f"{before}{key}.")


def diagnostics(sources: Sequence[Source]) -> list[Diagnostic]:
    """Everything that was found, in the order of the documents and of the text."""
    _locate(sources)
    result: list[Diagnostic] = []
    for source in sources:
        if source.problems or source.findings:
            found = sorted(_located(source), key=lambda d: (d.line, d.column, d.code))
            result += found[:MAX_FINDINGS]
    return result


def _locate(sources: Sequence[Source]) -> None:
    wanted: dict[int, list[Path]] = {}
    for source in sources:
        if source.problems:
            source.lines = LineIndex(source.text)
    for source in sources:
        for finding in source.findings[:MAX_FINDINGS]:
            wanted.setdefault(id(source), []).append(finding.path)
            for other, path, _ in finding.related:
                wanted.setdefault(id(other), []).append(path)
    for source in sources:
        if id(source) in wanted and source.format is not None:
            source.places = source.format.locate(source.text, wanted[id(source)])
            source.lines = LineIndex(source.text)


def _located(source: Source) -> Iterator[Diagnostic]:
    lines, file = source.lines, source.document.path
    for problem in source.problems[:MAX_FINDINGS]:
        related = tuple(
            Related(file, *_range(source.text, lines, span), message) for span, message in problem.related
        )
        place = _range(source.text, lines, problem.span)
        yield Diagnostic(
            Severity.ERROR, problem.code, problem.message, file, *place, hint=problem.hint, related=related
        )
    for finding in source.findings[:MAX_FINDINGS]:
        span = _span(source, finding.path, finding.at_key)
        if finding.code == "PM011":
            span = Span(span.start, _end_of_line(source.text, span))
        yield Diagnostic(
            finding.severity, finding.code, finding.message, file, *_range(source.text, lines, span),
            path=_pointer(source, finding.path), hint=finding.hint,
            related=tuple(_related(*other) for other in finding.related),
        )  # fmt: skip


def _related(source: Source, path: Path, message: str) -> Related:
    span = _span(source, path, False)
    return Related(source.document.path, *_range(source.text, source.lines, span), message)


def _span(source: Source, path: Path, at_key: bool) -> Span:
    for length in range(len(path), -1, -1):
        place = source.places.get(path[:length])
        if place is None:
            continue
        # An empty value has no characters to point at; its key has.
        empty = place.value.start == place.value.end
        use_key = place.key is not None and ((at_key and length == len(path)) or empty)
        return place.key if use_key and place.key else place.value
    return Span(0, 0)


def _end_of_line(text: str, span: Span) -> int:
    end = text.find("\n", span.start)
    return min(span.end, end) if end >= 0 else span.end


def _range(text: str, lines: LineIndex, span: Span) -> tuple[int, int, int, int]:
    # At least one character where there is one, so that there is something to underline.
    start, end = span.start, max(span.start, span.end)
    if end == start and text[start : start + 1] not in ("", "\n"):
        end += 1
    return (*lines.at(start), *lines.at(end))


def _pointer(source: Source, path: Path) -> str:
    parts = list(path)
    if (
        len(parts) > 1
        and source.top is not None
        and parts[0] == source.top.key
        and isinstance(parts[1], int)
        and parts[1] < len(source.items)
    ):
        parts[:2] = ["processes", source.items[parts[1]].name or parts[1]]
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)
