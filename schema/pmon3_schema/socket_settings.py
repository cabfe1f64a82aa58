"""The few settings of config.yml that say where the socket is, read in a millisecond.

Theory of operation: the command line needs them at every start, and a full YAML parser costs as much as
the whole command. So a line scanner reads the plain files that people write, `key: value` in blocks,
and takes nothing that YAML could read in another way; all else is parsed in full. What cannot be
parsed is an error with its place: where nobody knows which pmond is meant, none is asked.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

_VALUE = r"""(?:"([\w./+@ -]*)"|'([\w./+@ -]*)'|([\w./+][\w./+@-]*))"""
_LINE = re.compile(rf"( *)([A-Za-z_]\w*):(?:[ ]+{_VALUE})?[ \t]*(?:[ \t]#(.*))?", re.ASCII)
_NOTHING = re.compile(r"[ \t]*(?:#(.*))?")
_MAPPINGS = ("message_queue", "data")
_TEXTS = frozenset({
    "message_queue.directory.shmem", "message_queue.name_suffix", "message_queue.user", "data.directory",
})  # fmt: skip
_NULLS = frozenset({"null", "Null", "NULL"})


class SocketSettings(NamedTuple):
    """What config.yml says of these; empty text where it says nothing."""

    directory: str = ""
    """`message_queue.directory` or `message_queue.directory.shmem`."""
    name_suffix: str = ""
    user: str = ""
    """`message_queue.user`, to whom the socket and its folder belong."""
    data: str = ""
    """`data.directory`, the folder of the state."""


class UnreadableSettings(ValueError):
    """It cannot be parsed: the message says why, `line` and `column` where."""

    def __init__(self, why: str, line: int = 1, column: int = 1) -> None:
        super().__init__(why)
        self.line = line
        self.column = column


def read(content: bytes) -> SocketSettings:
    """The settings of a config.yml. Raises UnreadableSettings."""
    values = plain(content)
    if values is None or _is_odd(values):
        return in_full(content)
    return SocketSettings(
        values.get("message_queue.directory.shmem") or values.get("message_queue.directory", ""),
        values.get("message_queue.name_suffix", ""),
        values.get("message_queue.user", ""),
        values.get("data.directory", ""),
    )


def _is_odd(values: dict[str, str]) -> bool:
    """Whether text stands where a mapping belongs, or a mapping where text does."""
    return any(values.get(key) for key in _MAPPINGS) or any(
        key.rpartition(".")[0] in _TEXTS for key in values
    )


def plain(content: bytes) -> dict[str, str] | None:
    """Every value of a plain text by its dotted path; None for one that only YAML itself can read."""
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        return None
    values: dict[str, str] = {}
    # The open mappings, outermost first: how far each is indented, and the path of its last key.
    levels: list[tuple[int, str]] = [(0, "")]
    may_open = False
    for line in text.replace("\r\n", "\n").split("\n"):
        empty = _NOTHING.fullmatch(line)
        found = empty or _LINE.fullmatch(line)
        if found is None or not _is_printable(found[found.lastindex or 0] or ""):
            return None
        if empty is not None:
            continue
        indent = len(found[1])
        if indent > levels[-1][0]:
            if not may_open:
                return None
            levels.append((indent, ""))
        while indent < levels[-1][0]:
            levels.pop()
        if indent != levels[-1][0]:
            return None
        above = levels[-2][1] if len(levels) > 1 else ""
        path = f"{above}.{found[2]}" if above else found[2]
        if path in values:
            return None
        value = found[3] or found[4] or found[5]
        may_open = value is None and found[3] is None and found[4] is None
        values[path] = "" if found[5] in _NULLS or value is None else value
        levels[-1] = (indent, path)
    return values


def in_full(content: bytes) -> SocketSettings:
    """As `read`, by the parser that pmond itself uses. Raises UnreadableSettings."""
    # Imported here: it takes longer than a whole `ls`.
    from pmon3_schema.formats import source, yaml

    text = ""
    try:
        text = source.decode(content)
        loaded = yaml.load(text, typed=False)
    except source.Unreadable as error:
        raise _unreadable(content, text, error.problem) from None
    if loaded.problems:
        raise _unreadable(content, text, loaded.problems[0])
    data = {} if loaded.data is None else loaded.data
    queue = ("message_queue",)
    directory = _at(text, data, (*queue, "directory"))
    if isinstance(directory, dict):
        directory = _text(text, data, (*queue, "directory", "shmem"))
    elif directory is not None:
        directory = _text(text, data, (*queue, "directory"))
    return SocketSettings(
        directory=directory or "",
        name_suffix=_text(text, data, (*queue, "name_suffix")),
        user=_text(text, data, (*queue, "user")),
        data=_text(text, data, ("data", "directory")),
    )


def _at(text: str, data: Any, path: tuple[str, ...]) -> Any:
    """The value at a path; None where there is none. Raises UnreadableSettings below what is no mapping."""
    for depth, key in enumerate(path):
        if data is None:
            return None
        if not isinstance(data, dict):
            raise _wrong(text, path[:depth], "a mapping")
        data = data.get(key)
    return data


def _text(text: str, data: Any, path: tuple[str, ...]) -> str:
    value = _at(text, data, path)
    if value is not None and not isinstance(value, str):
        raise _wrong(text, path, "text")
    return value or ""


def _wrong(text: str, path: tuple[str, ...], wanted: str) -> UnreadableSettings:
    from pmon3_schema.formats import yaml_places
    from pmon3_schema.formats.source import LineIndex

    place = yaml_places.locate(text, [path]).get(path) if path else None
    what = ".".join(path) or "it"
    return UnreadableSettings(
        f"{what} must be {wanted}", *(LineIndex(text).at(place.value.start) if place else (1, 1))
    )


def _unreadable(content: bytes, text: str, problem: Any) -> UnreadableSettings:
    from pmon3_schema.formats.source import LineIndex

    seen = text or content.decode("utf-8", "replace").removeprefix("\ufeff")
    return UnreadableSettings(problem.message, *LineIndex(seen).at(problem.span.start))


def _is_printable(comment: str) -> bool:
    return comment.replace("\t", " ").isprintable()
