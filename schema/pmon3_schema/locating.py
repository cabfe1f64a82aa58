"""The one step that turns paths into lines and columns.

Theory of operation: all paths of a faulty document are looked up in one scan of its text. A path that
the text does not have (a missing field) is shown at the nearest value above; a value behind an alias where
its anchor is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from pmon3_schema.diagnostics import Diagnostic, Related, Severity
from pmon3_schema.formats.source import LineIndex, Path, Span
from pmon3_schema.sources import Source

MAX_FINDINGS = 1_000
"""Most diagnostics that are made for one document."""


def diagnostics(sources: Sequence[Source]) -> list[Diagnostic]:
    """Everything that was found, in the order of the documents and of the text."""
    of = {id(source.document): source for source in sources}
    _locate(sources)
    result: list[Diagnostic] = []
    for source in sources:
        if source.problems or source.findings:
            found = sorted(_located(source, of), key=lambda d: (d.line, d.column, d.code))
            result += found[:MAX_FINDINGS]
    return result


def _locate(sources: Sequence[Source]) -> None:
    wanted: dict[int, list[Path]] = {}
    for source in sources:
        if source.problems:
            source.lines = LineIndex(source.text)
    for source in sources:
        for finding in source.findings[:MAX_FINDINGS]:
            wanted.setdefault(id(source.document), []).append(finding.path)
            for other, path, _ in finding.related:
                wanted.setdefault(id(other), []).append(path)
    for source in sources:
        if id(source.document) in wanted and source.format is not None:
            source.places = source.format.trace(source.text, wanted[id(source.document)])
            source.lines = LineIndex(source.text)


def _located(source: Source, of: Mapping[int, Source]) -> Iterator[Diagnostic]:
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
            related=tuple(
                _related(of[id(other)], path, message) for other, path, message in finding.related
            ),
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
