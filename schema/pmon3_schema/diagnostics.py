"""What is wrong with a file: values that say where, why and what to do; never exceptions.

Theory of operation: readers make `Diagnostic` values; this module turns them into JSON (for the
socket, reports and `-o json`) and into text with the offending characters underlined. Lines and
columns count from 1, columns count characters, ends are exclusive. A line ends at a line feed and
nowhere else, whatever the format of the file thinks about exotic line separators.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:  # as in `errors`
    from pmon3_schema.answers import DiagnosticObject, TextRange

CODES: dict[str, str] = {
    "PM001": "the file cannot be parsed",
    "PM002": "a key is given twice",
    "PM003": "the file is not clean UTF-8 text",
    "PM004": "the file is too large, too deep or refers to itself too often",
    "PM005": "a file of another tool",
    "PM006": "the file cannot be read",
    "PM010": "a value has the wrong type",
    "PM011": "something required is missing",
    "PM012": "a value is not allowed",
    "PM013": "two settings exclude each other",
    "PM014": "an unknown field",
    "PM020": "a dependency that is not declared",
    "PM021": "dependencies that form a cycle",
    "PM025": "a condition of a dependency that can never come true",
    "PM022": "two processes of one name",
    "PM023": "a profile, or a process that a profile changes, that is not declared",
    "PM024": "a variable that is not declared or has no value",
    "PM030": "a user that this host does not have",
    "PM031": "a program that this host does not have",
    "PM032": "a folder that this host does not have",
    "PM033": "a file that this host does not have",
    "PM034": "limits that control groups of this host do not keep",
    "PM040": "a name of digits only, which looks like an id",
    "PM041": "a setting that has no effect beside another",
    "PM042": "a setting out of range, replaced by its default",
    "PM050": "a field that a cluster cannot be told",
}
"""Every stable code and its meaning in one line. Codes are never reused."""
UNREADABLE = "PM006"

_WINDOW = 120
_CONTEXT_LINES = 2
_REPLACED = {"\t": " ", "\r": ""}
_POINTER_PART = re.compile(r"/([^/]*)")


class Severity(StrEnum):
    """An error makes the file unusable; a warning does not."""

    ERROR = "error"
    WARNING = "warning"


class Related(Struct, frozen=True):
    """Another place that belongs to a diagnostic, such as the first of two definitions."""

    file: str
    line: int
    column: int
    end_line: int
    end_column: int
    message: str


class Diagnostic(Struct, frozen=True):
    """One thing wrong with one file. `path` is a JSON pointer, processes by name."""

    severity: Severity
    code: str
    message: str
    file: str
    line: int = 1
    column: int = 1
    end_line: int = 1
    end_column: int = 1
    path: str = ""
    hint: str = ""
    related: tuple[Related, ...] = ()

    @property
    def is_error(self) -> bool:
        return self.severity is Severity.ERROR

    def to_json(self, source: str | None = None) -> DiagnosticObject:
        """The object of `validate`, `apply` and events; with the file's text also byte offsets."""
        body: DiagnosticObject = {
            "severity": self.severity.value,
            "code": self.code,
            "message": self.message,
            "file": self.file,
            "range": _range(self, source),
            "path": self.path,
            "hint": self.hint,
        }
        if self.related:
            body["related"] = [
                {"file": r.file, "range": _range(r, None), "message": r.message} for r in self.related
            ]
        return body

    @classmethod
    def from_json(cls, body: DiagnosticObject) -> Diagnostic:
        """The diagnostic of an answer, the reverse of `to_json`."""
        related = tuple(
            Related(r["file"], *_positions(r["range"]), r["message"]) for r in body.get("related", ())
        )
        return cls(
            Severity(body["severity"]), body["code"], body["message"], body["file"],
            *_positions(body["range"]), body.get("path", ""), body.get("hint", ""), related,
        )  # fmt: skip


def has_errors(diagnostics: Iterable[Diagnostic]) -> bool:
    """Whether one of them is more than a warning."""
    return any(diagnostic.is_error for diagnostic in diagnostics)


def summary(diagnostics: Sequence[Diagnostic]) -> str:
    """``1 error, 2 warnings``."""
    errors = sum(diagnostic.is_error for diagnostic in diagnostics)
    return f"{_counted(errors, 'error')}, {_counted(len(diagnostics) - errors, 'warning')}"


def render_concise(diagnostics: Iterable[Diagnostic]) -> str:
    """One line each: ``file:line:column: error[PM014] message (hint)``."""
    lines = []
    for item in diagnostics:
        hint = f" ({item.hint})" if item.hint else ""
        place = f"{item.file}:{item.line}:{item.column}"
        lines.append(_printable(f"{place}: {item.severity}[{item.code}] {item.message}{hint}") + "\n")
    return "".join(lines)


def render_text(diagnostics: Iterable[Diagnostic], sources: Mapping[str, str]) -> str:
    """A paragraph each, with the offending text underlined where `sources` has the file's text."""
    split: dict[str, list[str]] = {}
    paragraphs = []
    for item in diagnostics:
        if item.file not in split and item.file in sources:
            split[item.file] = sources[item.file].removeprefix("\ufeff").split("\n")
        paragraphs.append("\n".join(_paragraph(item, split.get(item.file))) + "\n")
    return "\n".join(paragraphs)


def display_path(pointer: str) -> str:
    """``processes[web].restart.policy`` for ``/processes/web/restart/policy``."""
    parts = [p.replace("~1", "/").replace("~0", "~") for p in _POINTER_PART.findall(pointer)]
    if len(parts) > 1 and parts[0] == "processes":
        parts[:2] = [f"processes[{parts[1]}]"]
    return ".".join(parts)


def _paragraph(item: Diagnostic, lines: list[str] | None) -> list[str]:
    margin = " " * len(str(item.line))
    out = [
        _printable(f"{item.severity}[{item.code}]: {item.message}"),
        _printable(f"{margin}--> {item.file}:{item.line}:{item.column}"),
    ]
    if lines is not None and item.line <= len(lines):
        out += _snippet(item, lines, margin)
    elif item.hint:
        out.append(_printable(f"{margin} = hint: {item.hint}"))
    if item.path:
        out.append(_printable(f"{margin} = path: {display_path(item.path)}"))
    for other in item.related:
        out.append(_printable(f"{margin} = note: {other.message}: {other.file}:{other.line}:{other.column}"))
    return out


def _snippet(item: Diagnostic, lines: list[str], margin: str) -> list[str]:
    line = lines[item.line - 1].rstrip("\r")
    end = item.end_column - 1 if item.end_line == item.line else len(line)
    start = min(item.column - 1, len(line))
    end = max(min(end, len(line)), start)
    # A whole file may be one line: show a window of it around the place.
    left = max(0, start - _WINDOW // 2) if len(line) > _WINDOW else 0
    out = [f"{margin} |"]
    for number in range(max(1, item.line - _CONTEXT_LINES), item.line):
        out.append(f"{number:>{len(margin)}} | {_printable(lines[number - 1])[:_WINDOW]}".rstrip())
    shown = _printable(line[left : left + _WINDOW])
    out.append(f"{item.line} | {shown}".rstrip())
    under = " " * _width(line[left:start]) + "^" * max(1, _width(line[start : min(end, left + _WINDOW)]))
    out.append(f"{margin} | {under}" + (_printable(f" {item.hint}") if item.hint else ""))
    return out


def _printable(text: str) -> str:
    # A manifest must not be able to send control sequences to the terminal of its reader.
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        c if c.isprintable() else (" " if c == "\t" else "" if c == "\r" else "\ufffd") for c in text
    )


def _width(text: str) -> int:
    if text.isascii():
        return len(text)
    return sum(_cell_width(character) for character in text)


def _cell_width(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _range(item: Diagnostic | Related, source: str | None) -> TextRange:
    found: TextRange = {
        "start": {"line": item.line, "column": item.column},
        "end": {"line": item.end_line, "column": item.end_column},
    }
    if source is not None:
        found["start"]["offset"] = _offset(source, item.line, item.column)
        found["end"]["offset"] = _offset(source, item.end_line, item.end_column)
    return found


def _offset(source: str, line: int, column: int) -> int:
    before = source.split("\n")[:line]
    before[-1] = before[-1][: column - 1]
    return len("\n".join(before).encode("utf-8", "surrogatepass"))


def _positions(span: TextRange) -> tuple[int, int, int, int]:
    start, end = span["start"], span["end"]
    return start["line"], start["column"], end["line"], end["column"]
