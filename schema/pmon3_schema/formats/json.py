"""Reads JSON: the standard parser, duplicate keys refused, positions looked up on demand.

Theory of operation: `json.loads` does the reading; a hook notices that some object has a key
twice. Only then, and when an error needs a place, the text is walked once more by a small scanner
that lets the C scanner skip every value off the wanted paths.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from json.decoder import scanstring  # type: ignore[attr-defined]
from typing import Any, NoReturn

from pmon3_schema.formats.source import (
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

_SPACE = re.compile(r"[ \t\r\n]*")
_HUGE = re.compile(r"[0-9]{4300,}")
_skip = json.JSONDecoder().scan_once  # type: ignore[attr-defined]


def load(text: str) -> Loaded:
    """The one value of a text as plain data. Raises Unreadable."""
    duplicates: list[str] = []

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        data = dict(items)
        if len(data) != len(items):
            duplicates.extend(key for key, _ in items)
        return data

    def constant(name: str) -> NoReturn:
        start = text.find(name)
        raise Unreadable(
            TextDiagnostic("PM012", f"{name} is not a number of JSON", Span(start, start + len(name)))
        )

    if not text.strip():
        return Loaded(None)
    try:
        data = json.loads(text, object_pairs_hook=pairs, parse_constant=constant)
    except json.JSONDecodeError as error:
        raise Unreadable(TextDiagnostic("PM001", _message(error), Span(error.pos, error.pos + 1))) from None
    except RecursionError:
        raise Unreadable(TextDiagnostic("PM004", "the nesting is too deep", Span(0, 1))) from None
    except ValueError:
        found = _HUGE.search(text)
        span = Span(found.start(), found.end()) if found else Span(0, 1)
        raise Unreadable(TextDiagnostic("PM012", "the number is too large", span)) from None
    check_depth(data)
    problems = tuple(_duplicates(text)) if duplicates else ()
    return Loaded(data, _starts(text, data), problems)


def locate(text: str, paths: Iterable[Path]) -> dict[Path, Position]:
    """Places of those of the paths, and of the values on the way to them, that the text has."""
    found: dict[Path, Position] = {}
    if text.strip():  # spaces of any kind are no document
        _walk(text, _blank(text, 0), (), tree(paths), None, found)
    return found


def _walk(
    text: str, start: int, path: Path, wanted: Tree, key: Span | None, found: dict[Path, Position]
) -> int:
    if wanted and text[start] in "{[":
        at, index = _blank(text, start + 1), 0
        while text[at] not in "}]":
            name, span, at = _member(text, at, text[start] == "{", index)
            if name in wanted:
                at = _walk(text, at, (*path, name), wanted[name], span, found)
            else:
                at = _skip(text, at)[1]
            at, index = _next(text, at), index + 1
        end = at + 1
    else:
        end = _skip(text, start)[1]
    found.setdefault(path, Position(key, Span(start, end)))
    return end


def _member(text: str, at: int, is_object: bool, index: int) -> tuple[str | int, Span | None, int]:
    """Name and place of the key at `at`, and the start of its value; in an array the index."""
    if not is_object:
        return index, None, at
    name, after = scanstring(text, at + 1, True)
    return name, Span(at, after), _blank(text, _blank(text, after) + 1)


def _next(text: str, at: int) -> int:
    """From the end of a value to the next member, or to the closing bracket."""
    at = _blank(text, at)
    return _blank(text, at + 1) if text[at] == "," else at


def _starts(text: str, data: Any) -> list[int]:
    names = [key for key in data if key.lower() == "processes"] if isinstance(data, dict) else []
    if not names or not isinstance(data[names[0]], list):
        return []
    paths: list[Path] = [(names[0], index) for index in range(len(data[names[0]]))]
    places = locate(text, paths)
    return [places[path].value.start if path in places else 0 for path in paths]


def _duplicates(text: str) -> list[TextDiagnostic]:
    problems: list[TextDiagnostic] = []

    def walk(start: int) -> int:
        if text[start] not in "{[":
            return int(_skip(text, start)[1])
        at = _blank(text, start + 1)
        seen: dict[str | int, Span] = {}
        while text[at] not in "}]":
            name, span, at = _member(text, at, text[start] == "{", 0)
            if span is not None and name in seen:
                related = ((seen[name], "first given here"),)
                message = f"duplicate key `{name}`"
                problems.append(TextDiagnostic("PM002", message, span, "remove one of them", related))
            elif span is not None:
                seen[name] = span
            at = _next(text, walk(at))
        return at + 1

    try:
        walk(_blank(text, 0))
    except RecursionError:
        problems.append(TextDiagnostic("PM004", "the nesting is too deep", Span(0, 1)))
    return problems


def _blank(text: str, start: int) -> int:
    found = _SPACE.match(text, start)
    return found.end() if found else start


def _message(error: json.JSONDecodeError) -> str:
    before = error.doc[: error.pos].rstrip()
    if before.endswith(",") and error.doc[error.pos : error.pos + 1] in ("}", "]"):
        return "a comma before the closing bracket"
    return error.msg[:1].lower() + error.msg[1:]
