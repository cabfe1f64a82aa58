"""What the three formats share: places in a text, problems found while reading, limits.

Every place is a range of character offsets, the one unit that all three parsers can give exactly;
`LineIndex` turns offsets into lines and columns for people.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

from msgspec import Struct

from pmon3_schema.discovery import MOST_BYTES

MAX_DEPTH = 50
MAX_ALIASES = 1_000
MAX_NODES = 2_000_000
"""Limits on hostile or broken input; 10,000 processes use about 6 MB and 500,000 nodes."""

Path: TypeAlias = tuple[str | int, ...]
"""Where a value is in plain data: keys and list indexes from the top."""

Tree: TypeAlias = dict[str | int, "Tree"]

_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f]")


class Span(Struct, frozen=True):
    """A range of character offsets, end exclusive."""

    start: int
    end: int


class Position(Struct, frozen=True):
    """Where a value is, and its key where it has one."""

    key: Span | None
    value: Span


class TextDiagnostic(Struct, frozen=True):
    """Something wrong with a text, before anything is known about processes."""

    code: str
    message: str
    span: Span
    hint: str = ""
    related: tuple[tuple[Span, str], ...] = ()


class Unreadable(Exception):
    """The text cannot be read at all; `problem` says why."""

    def __init__(self, problem: TextDiagnostic) -> None:
        super().__init__(problem.message)
        self.problem = problem


class Loaded(Struct, frozen=True):
    """Plain data, where the items of the list `processes` start, and the problems met on the way."""

    data: Any
    starts: Sequence[int] = ()
    problems: tuple[TextDiagnostic, ...] = ()


class LineIndex:
    """Line and column of an offset, both counted from 1."""

    def __init__(self, text: str) -> None:
        self._length = len(text)
        self._starts = [0, *(found.end() for found in re.finditer("\n", text))]

    def at(self, offset: int) -> tuple[int, int]:
        offset = min(max(offset, 0), self._length)
        line = bisect_right(self._starts, offset)
        return line, offset - self._starts[line - 1] + 1

    def offset(self, line: int, column: int) -> int:
        """The offset of a line and column; the end of the text where there is no such place."""
        if line > len(self._starts):
            return self._length
        return min(self._starts[line - 1] + column - 1, self._length)


def decode(content: bytes) -> str:
    """The text of a file without its byte order mark.

    Raises Unreadable when it is too large, not UTF-8 or has control characters.
    """
    if len(content) > MOST_BYTES:
        raise Unreadable(
            TextDiagnostic("PM004", f"the file has more than {MOST_BYTES >> 20} MiB", Span(0, 0))
        )
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        place = len(content[: error.start].decode("utf-8").removeprefix("\ufeff"))
        byte = content[error.start]
        message = f"byte 0x{byte:02x} is not UTF-8 (save the file as UTF-8)"
        raise Unreadable(TextDiagnostic("PM003", message, Span(place, place + 1))) from None
    text = text.removeprefix("\ufeff")
    found = _CONTROL.search(text)
    if found:
        what = "a NUL" if found[0] == "\0" else f"control character U+{ord(found[0]):04X}"
        raise Unreadable(
            TextDiagnostic("PM003", f"the file contains {what}", Span(found.start(), found.end()))
        )
    return text


def tree(paths: Iterable[Path]) -> Tree:
    """The paths as nested mappings, to be followed while scanning a text once."""
    root: Tree = {}
    for path in paths:
        node = root
        for part in path:
            node = node.setdefault(part, {})
    return root


def check_depth(data: Any) -> None:
    """Raises Unreadable for data of so many levels that walking it would end in a RecursionError."""
    level = [data]
    for _ in range(MAX_DEPTH + 1):
        level = [item for value in level for item in _items(value)]
        if not level:
            return
    raise Unreadable(TextDiagnostic("PM004", f"more than {MAX_DEPTH} levels of nesting", Span(0, 1)))


def _items(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()
