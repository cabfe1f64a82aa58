"""Changing one value in the text of a manifest, and nothing else of it.

Theory of operation: the value is located, its characters are replaced, and the result is read
again: the edit stands only if exactly that value differs. A field that is not written yet is
inserted on a line of its own in a block, before the first one in braces. No library writes the text
anew, so every other byte stays. Nothing is written here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from pmon3_schema.formats import format_of
from pmon3_schema.formats.source import Path, Span, Unreadable
from pmon3_schema.origins import Written, find
from pmon3_schema.path_diagnostics import ManifestFile
from pmon3_schema.spelling import SEED_TEXT_KEYS

BY_HAND = "edit it by hand"
_SHARED = "the value is shared by an anchor (change it where it is defined)"
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+\Z")


class CannotEdit(Exception):
    """The text says why the manifest cannot be changed by itself."""


def set_value(document: ManifestFile, name: str, field: Sequence[str | int], value: Any) -> bytes:
    """The content of a manifest in which the field of a process has this value. Raises CannotSplice."""
    entry = find(document, name)
    if entry is None:
        raise CannotEdit(f"{document.path} does not declare {name}")
    path = entry.path_of(field)
    place = entry.places([field]).get(path)
    if place is not None and place.value.start < place.value.end:
        text = _replaced(entry, place.value, value)
    else:
        text = _added(entry, path, value)
    _check(document, entry, path, value, text)
    return encoded(document, text)


def encoded(document: ManifestFile, text: str) -> bytes:
    """The bytes of a changed text, with the byte order mark that it had."""
    bom = b"\xef\xbb\xbf" if document.content.startswith(b"\xef\xbb\xbf") else b""
    return bom + text.encode("utf-8")


def _replaced(entry: Written, span: Span, value: Any) -> str:
    before = entry.text[span.start : span.end]
    if entry.format.name == "yaml" and before[:1] in ("&", "*"):
        raise CannotEdit(_SHARED)
    if entry.has_variables and "${" in before.replace("$${", ""):
        raise CannotEdit("the value is made of variables (change those, or edit it by hand)")
    if entry.format.name == "yaml" and before[:1] == "-" and isinstance(value, list) and value:
        written = _yaml_items(entry, span, value)
    else:
        written = _literal(entry.format.name, value, before)
    return entry.text[: span.start] + written + entry.text[span.end :]


def _yaml_items(entry: Written, span: Span, value: list[Any]) -> str:
    """A list in a block, below each other as the one before."""
    newline = "\r\n" if "\r\n" in entry.text else "\n"
    margin = " " * (span.start - entry.text.rfind("\n", 0, span.start) - 1)
    return (newline + margin).join(f"- {_yaml_scalar(item, '')}" for item in value)


def _literal(format_name: str, value: Any, before: str) -> str:
    """The value on one line, quoted as the one before where that is possible."""
    if format_name == "yaml":
        return _yaml_scalar(value, before)
    if format_name == "toml" and isinstance(value, dict):
        pairs = (f"{_toml_key(key)} = {_literal('toml', item, '')}" for key, item in value.items())
        return "{ " + ", ".join(pairs) + " }"
    if format_name == "toml" and isinstance(value, list):
        return "[" + ", ".join(_literal("toml", item, "") for item in value) + "]"
    return json.dumps(value, ensure_ascii=False)  # JSON's scalars are TOML's too


def _yaml_scalar(value: Any, before: str) -> str:
    from pmon3_schema.formats.yaml import core_scalar

    if isinstance(value, str) and before[:1] == "'" and "\n" not in value and value.isprintable():
        return "'" + value.replace("'", "''") + "'"
    if isinstance(value, dict):
        pairs = (f"{_yaml_scalar(key, '')}: {_yaml_scalar(item, '')}" for key, item in value.items())
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_yaml_scalar(item, "") for item in value) + "]"
    plain = isinstance(value, str) and value.replace("-", "").replace("_", "").replace("/", "").isalnum()
    if plain and before[:1] != '"' and not value.startswith("-") and type(core_scalar(value)) is str:
        return str(value)
    return json.dumps(value, ensure_ascii=False)  # JSON is YAML, on one line


def _added(entry: Written, path: Path, value: Any) -> str:
    if entry.format.name == "json":
        return _added_inside(entry, path, value)
    if entry.format.name == "yaml":
        return _added_yaml(entry, path, value)
    return _added_toml(entry, path, value)


def _added_toml(entry: Written, path: Path, value: Any) -> str:
    """Behind the header of the nearest table that has one, or first in the nearest one in braces."""
    places = entry.format.locate(entry.text, [path])
    tables = [n for n in range(len(path) - 1, 0, -1) if path[:n] in places]
    length = next((n for n in tables if entry.text[places[path[:n]].value.start] in "[{"), 0)
    if length < len(entry.path):
        raise CannotEdit("there is no place for the field (add it by hand)")
    place = places[path[:length]].value
    pair = ".".join(map(_toml_key, path[length:])) + f" = {_literal('toml', value, '')}"
    if entry.text[place.start] == "{":
        at = place.start + 1
        comma = "" if not value_at(entry, path[:length]) else ","
        return f"{entry.text[:at]} {pair}{comma}{entry.text[at:]}"
    newline = "\r\n" if "\r\n" in entry.text else "\n"
    margin = entry.text[entry.text.rfind("\n", 0, place.start) + 1 : place.start]
    end = entry.text.find("\n", place.end)
    if end < 0:
        return f"{entry.text}{newline}{margin}{pair}{newline}"
    return f"{entry.text[: end + 1]}{margin}{pair}{newline}{entry.text[end + 1 :]}"


def _toml_key(part: str | int) -> str:
    text = str(part)
    return text if _BARE_KEY.match(text) else json.dumps(text, ensure_ascii=False)


def _added_yaml(entry: Written, path: Path, value: Any) -> str:
    """After the first key of the nearest mapping that is there, indented as that is."""
    length, place = _nearest(entry, path)
    if entry.text[place.start] == "{":
        return _added_inside(entry, path, value)
    if entry.text[place.start] in "&*":
        raise CannotEdit(_SHARED)
    first = (*path[:length], next(iter(value_at(entry, path[:length]))))
    where = entry.format.locate(entry.text, [first])[first]
    assert where.key is not None
    margin = " " * (where.key.start - entry.text.rfind("\n", 0, where.key.start) - 1)
    for key in reversed(path[length + 1 :]):
        value = {key: value}
    newline = "\r\n" if "\r\n" in entry.text else "\n"
    end = entry.text.find("\n", max(where.key.end, where.value.end - 1))
    at = end + 1 if end >= 0 else len(entry.text)
    start = "" if end >= 0 else newline
    line = f"{start}{margin}{path[length]}: {_yaml_scalar(value, '')}{newline}"
    return entry.text[:at] + line + entry.text[at:]


def _added_inside(entry: Written, path: Path, value: Any) -> str:
    """Before the first key of the nearest mapping in braces that is there."""
    length, place = _nearest(entry, path)
    if entry.text[place.start] != "{":
        raise CannotEdit("there is no place for the field (add it by hand)")
    at = place.start + 1
    rest = entry.text[at:].lstrip()
    for key in reversed(path[length + 1 :]):
        value = {key: value}
    name = json.dumps(path[length]) if entry.format.name == "json" else path[length]
    margin = entry.text[at : len(entry.text) - len(rest)]
    comma = "" if rest.startswith("}") else "," + (margin or " ")
    pair = f"{name}: {json.dumps(value, ensure_ascii=False)}"
    return f"{entry.text[:at]}{margin if comma else ''}{pair}{comma}{rest}"


def _nearest(entry: Written, path: Path) -> tuple[int, Span]:
    """The length of the longest part of a path that is a mapping in the text, and where that is."""
    places = entry.format.locate(entry.text, [path])
    for length in range(len(path) - 1, 0, -1):
        if path[:length] in places and isinstance(value_at(entry, path[:length]), dict):
            return length, places[path[:length]].value
    raise CannotEdit("there is no place for the field (add it by hand)")


def value_at(entry: Written, path: Path) -> Any:
    """What an entry says at a path of the document; None where it says nothing."""
    value: Any = entry.data
    for part in path[len(entry.path) :]:
        value = value[part] if isinstance(value, dict) and part in value else None
    return value


def _put(data: Any, path: Path, value: Any, mapping: Any) -> None:
    node = data
    for part in path[:-1]:
        if isinstance(node, dict) and part not in node:
            node[part] = mapping()
        node = node[part]
    node[path[-1]] = value


def plain_data(document: ManifestFile, text: str) -> Any:
    """What a text says, aliases as copies of what they stand for; None where it cannot be read."""
    try:
        loaded = format_of(document.path, text, text_keys=SEED_TEXT_KEYS).load(text)
    except Unreadable:
        return None
    return None if loaded.problems else json.loads(json.dumps(loaded.data, default=str))


def _check(document: ManifestFile, entry: Written, path: Path, value: Any, text: str) -> None:
    """Exactly the intended value differs. Raises CannotSplice."""
    wanted = plain_data(document, entry.text)
    _put(wanted, path, value, dict)
    if plain_data(document, text) != wanted:
        raise CannotEdit(f"the text is written in a way that cannot be changed safely ({BY_HAND})")
