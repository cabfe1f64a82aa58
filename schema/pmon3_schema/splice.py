"""Changing one value in the text of a manifest, and nothing else of it.

Theory of operation: the value is located, its characters are replaced, and the result is read
again: the edit stands only if exactly that value differs and every other byte is the same. A field
that is not written yet is added by the round-trip libraries (ruamel.yaml, tomlkit), which keep
comments; the same check follows. Nothing is written here.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from pmon3_schema.findings import Document
from pmon3_schema.formats import format_of
from pmon3_schema.formats.source import Path, Span
from pmon3_schema.origins import Written, find
from pmon3_schema.spelling import SEED_TEXT_KEYS


class CannotSplice(Exception):
    """The text says why the manifest cannot be changed by itself."""


def set_value(document: Document, name: str, field: Sequence[str], value: Any) -> bytes:
    """The content of a manifest in which the field of a process has this value. Raises CannotSplice."""
    entry = find(document, name)
    if entry is None:
        raise CannotSplice(f"{document.path} does not declare {name}")
    path = entry.path_of(field)
    place = entry.places([field]).get(path)
    if place is not None and place.value.start < place.value.end:
        text = _replaced(entry, place.value, value)
    else:
        text = _added(entry, path, value)
    _check(document, entry, path, value, text)
    bom = b"\xef\xbb\xbf" if document.content.startswith(b"\xef\xbb\xbf") else b""
    return bom + text.encode("utf-8")


def _replaced(entry: Written, span: Span, value: Any) -> str:
    before = entry.text[span.start : span.end]
    if entry.format.name == "yaml" and before[:1] in ("&", "*"):
        raise CannotSplice("the value is shared by an anchor (change it where it is defined)")
    if entry.has_variables and "${" in before.replace("$${", ""):
        raise CannotSplice("the value is made of variables (change those, or edit it by hand)")
    return entry.text[: span.start] + _literal(entry.format.name, value, before) + entry.text[span.end :]


def _literal(format_name: str, value: Any, before: str) -> str:
    """The value on one line, quoted as the one before where that is possible."""
    if format_name == "yaml":
        return _yaml_scalar(value, before)
    if format_name == "toml" and isinstance(value, dict):
        pairs = (f"{json.dumps(key)} = {_literal('toml', item, '')}" for key, item in value.items())
        return "{ " + ", ".join(pairs) + " }"
    if format_name == "toml" and isinstance(value, list):
        return "[" + ", ".join(_literal("toml", item, "") for item in value) + "]"
    return json.dumps(value, ensure_ascii=False)  # JSON's scalars are TOML's too


def _yaml_scalar(value: Any, before: str) -> str:
    from pmon3_schema.formats.yaml import core_scalar

    if isinstance(value, str) and before[:1] == "'" and "\n" not in value and value.isprintable():
        return "'" + value.replace("'", "''") + "'"
    plain = isinstance(value, str) and value.replace("-", "").replace("_", "").replace("/", "").isalnum()
    if plain and before[:1] != '"' and not value.startswith("-") and type(core_scalar(value)) is str:
        return str(value)
    return json.dumps(value, ensure_ascii=False)  # JSON is YAML, on one line


def _added(entry: Written, path: Path, value: Any) -> str:
    if entry.format.name == "json":
        return _added_inside(entry, path, value)
    if entry.format.name == "yaml":
        return _added_yaml(entry, path, value)
    import tomlkit

    document: Any = tomlkit.parse(entry.text)
    _put(document, path, value, tomlkit.inline_table)
    return tomlkit.dumps(document)


def _added_yaml(entry: Written, path: Path, value: Any) -> str:
    """After the first key of the nearest mapping that is there, indented as that is."""
    length, place = _nearest(entry, path)
    if entry.text[place.start] == "{":
        return _added_inside(entry, path, value)
    first = (*path[:length], next(iter(_at(entry, path[:length]))))
    where = entry.format.locate(entry.text, [first])[first]
    assert where.key is not None
    margin = " " * (where.key.start - entry.text.rfind("\n", 0, where.key.start) - 1)
    for key in reversed(path[length + 1 :]):
        value = {key: value}
    end = entry.text.find("\n", max(where.key.end, where.value.end - 1))
    at = end + 1 if end >= 0 else len(entry.text)
    start = "" if end >= 0 else "\n"
    return f"{entry.text[:at]}{start}{margin}{path[length]}: {_yaml_scalar(value, '')}\n{entry.text[at:]}"


def _added_inside(entry: Written, path: Path, value: Any) -> str:
    """Before the first key of the nearest mapping in braces that is there."""
    length, place = _nearest(entry, path)
    if entry.text[place.start] != "{":
        raise CannotSplice("there is no place for the field (add it by hand)")
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
        if path[:length] in places and isinstance(_at(entry, path[:length]), dict):
            return length, places[path[:length]].value
    raise CannotSplice("there is no place for the field (add it by hand)")


def _at(entry: Written, path: Path) -> Any:
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


def _check(document: Document, entry: Written, path: Path, value: Any, text: str) -> None:
    """Exactly the intended value differs. Raises CannotSplice."""
    loaded = format_of(document.path, text, text_keys=SEED_TEXT_KEYS).load(text)
    wanted = format_of(document.path, entry.text, text_keys=SEED_TEXT_KEYS).load(entry.text).data
    _put(wanted, path, value, dict)
    if loaded.problems or loaded.data != wanted:
        raise CannotSplice("the text is written in a way that cannot be changed safely (edit it by hand)")
