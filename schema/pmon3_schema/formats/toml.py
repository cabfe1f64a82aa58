"""Reads TOML with the standard parser; positions come from a line scanner, on demand.

Theory of operation: `tomllib` does the reading. It tells no positions of values, so `locate` walks
the text by itself: `[table]` and `[[array]]` headers set the current path, `key =` lines give
places, values are skipped by a small tokenizer that knows strings and brackets and looks inside
inline tables and arrays only along the wanted paths.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from typing import Any

from pmon3_schema.formats.source import (
    MAX_DEPTH,
    LineIndex,
    Loaded,
    Path,
    Position,
    Span,
    TextDiagnostic,
    Tree,
    Unreadable,
    check_depth,
    tree,
)

_STRING = r'"""(?:\\.|[^\\])*?"{3,5}|' + r"'''(?:.|\n)*?'{3,5}|" + r'"(?:\\.|[^"\\\n])*"|' + r"'[^'\n]*'"
_TOKEN = re.compile(
    rf"(?P<string>{_STRING})|(?P<comment>#[^\n]*)|(?P<open>[\[{{])|(?P<close>[\]}}])|(?P<comma>,)", re.S
)
_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_SPACE = re.compile(r"[ \t]*")
_KEY_PART = re.compile(r'[A-Za-z0-9_-]+|"(?:\\.|[^"\\\n])*"|' + r"'[^'\n]*'")
_BARE = re.compile(r"[^,\]}#\n]*")
_HEADER = re.compile(r"^[ \t]*(\[\[[ \t]*\"?processes\"?[ \t]*\]\])", re.M | re.I)
_POSITION = re.compile(r" \(at line (\d+), column (\d+)\)$")
_LONG_NUMBER = re.compile(r"[-+]?[0-9_]{4300,}")
# Keys of many dotted parts cost tomllib quadratic time; possessive, so that the search itself is linear.
_DEEP_KEY = re.compile(rf"(?<![\w-])(?:[\w-]++[ \t]*+\.[ \t]*+){{{MAX_DEPTH}}}")


def load(text: str) -> Loaded:
    """The text as plain data. Raises Unreadable."""
    found = _DEEP_KEY.search(text) and _DEEP_KEY.search(re.sub(_STRING, _masked, text, flags=re.S))
    if found:
        raise Unreadable(
            TextDiagnostic("PM004", f"a key of more than {MAX_DEPTH} parts", Span(*found.span()))
        )
    try:
        data = tomllib.loads(text)
    except RecursionError:
        raise Unreadable(TextDiagnostic("PM004", "the nesting is too deep", Span(0, 1))) from None
    except tomllib.TOMLDecodeError as error:
        raise Unreadable(_problem(text, str(error))) from None
    except ValueError:  # Python turns no text of thousands of digits into a number
        found = _LONG_NUMBER.search(re.sub(_STRING, _masked, text, flags=re.S))
        span = Span(*found.span()) if found else Span(0, 1)
        raise Unreadable(TextDiagnostic("PM012", "the number is too large", span)) from None
    check_depth(data)
    return Loaded(data if data else None, _starts(text, data))


def _masked(found: re.Match[str]) -> str:
    return "_" * len(found[0])


def _problem(text: str, message: str) -> TextDiagnostic:
    at = _POSITION.search(message)
    start = LineIndex(text).offset(int(at[1]), int(at[2])) if at else len(text)
    message = _POSITION.sub("", message).removesuffix(" (at end of document)")
    code = "PM002" if "overwrite" in message or "declare" in message else "PM001"
    return TextDiagnostic(code, message[:1].lower() + message[1:], Span(start, start + 1))


def _starts(text: str, data: dict[str, Any]) -> list[int]:
    names = [key for key in data if key.lower() == "processes"]
    if not names or not isinstance(data[names[0]], list):
        return []
    headers = [found.start(1) for found in _HEADER.finditer(text)]
    if len(headers) == len(data[names[0]]):
        return headers  # a header inside a long string would make one too many
    paths: list[Path] = [(names[0], index) for index in range(len(data[names[0]]))]
    places = locate(text, paths)
    return [places[path].value.start if path in places else 0 for path in paths]


def locate(text: str, paths: Iterable[Path]) -> dict[Path, Position]:
    """Places of those of the paths, and of the values on the way to them, that the text has."""
    scanner = _Scanner(text, tree(paths))
    scanner.run()
    return scanner.found


class _Scanner:
    """One pass over a text that `tomllib` has accepted."""

    def __init__(self, text: str, wanted: Tree) -> None:
        self._text = text
        self._wanted = wanted
        self._counts: dict[Path, int] = {}
        self.found: dict[Path, Position] = {}

    def run(self) -> None:
        table: Path = ()
        at = self._blank(0)
        while at < len(self._text):
            if self._text[at] == "[":
                at, table = self._header(at)
            else:
                at = self._pair(at, table)
            at = self._blank(at)

    def _header(self, start: int) -> tuple[int, Path]:
        many = self._text.startswith("[[", start)
        keys, _, at = self._key(start + (2 if many else 1))
        end = self._text.index("]", at) + (2 if many else 1)
        path: Path = ()
        for key in keys[:-1]:
            path = self._inside((*path, key))
        path = (*path, keys[-1])
        if many:
            self._counts[path] = self._counts.get(path, -1) + 1
            path = self._inside(path)
        span = Span(start, end)
        self._note(path, Position(span, span))
        return end, path

    def _inside(self, path: Path) -> Path:
        """The path of the table that a header means: the last one of an array of tables."""
        return (*path, self._counts[path]) if path in self._counts else path

    def _pair(self, start: int, table: Path) -> int:
        keys, span, at = self._key(start)
        at = _end(_SPACE, self._text, self._text.index("=", at) + 1)
        path = (*table, *keys)
        end = self._value(at, path, self._below(path))
        for length in range(len(table) + 1, len(path) + 1):
            self._note(path[:length], Position(span, Span(at, end)))
        return end

    def _value(self, start: int, path: Path, wanted: Tree | None) -> int:
        opener = self._text[start]
        if opener not in "[{":
            found = _TOKEN.match(self._text, start)
            if found and found.lastgroup == "string":
                return found.end()
            end = _end(_BARE, self._text, start)
            return start + len(self._text[start:end].rstrip())
        if not wanted:
            return self._skip(start)
        index, at = 0, self._blank(start + 1)
        while self._text[at] not in "]}":
            if opener == "{":
                at = self._pair(at, path)
            else:
                end = self._value(at, (*path, index), wanted.get(index))
                self._note((*path, index), Position(None, Span(at, end)))
                at, index = end, index + 1
            at = self._blank(at)
            if self._text[at] == ",":
                at = self._blank(at + 1)
        return at + 1

    def _skip(self, start: int) -> int:
        depth = 0
        for found in _TOKEN.finditer(self._text, start):
            depth += (found.lastgroup == "open") - (found.lastgroup == "close")
            if depth == 0:
                return found.end()
        return len(self._text)

    def _key(self, at: int) -> tuple[list[str], Span, int]:
        """The dotted key at a place: its parts, where it is, and what follows."""
        keys: list[str] = []
        start = end = _end(_SPACE, self._text, at)
        while found := _KEY_PART.match(self._text, _end(_SPACE, self._text, end)):
            keys.append(_unquoted(found[0]))
            end = found.end()
            after = _end(_SPACE, self._text, end)
            if self._text[after : after + 1] != ".":
                break
            end = after + 1
        return keys, Span(start, end), end

    def _note(self, path: Path, place: Position) -> None:
        if self._below(path) is not None:
            self.found.setdefault(path, place)

    def _below(self, path: Path) -> Tree | None:
        node: Tree | None = self._wanted
        for part in path:
            node = node.get(part) if node is not None else None
        return node

    def _blank(self, at: int) -> int:
        return _end(_BLANK, self._text, at)


def _end(pattern: re.Pattern[str], text: str, at: int) -> int:
    found = pattern.match(text, at)
    return found.end() if found else at


def _unquoted(part: str) -> str:
    if part[0] == '"':
        return str(tomllib.loads(f"x = {part}")["x"]) if "\\" in part else part[1:-1]
    return part[1:-1] if part[0] == "'" else part
