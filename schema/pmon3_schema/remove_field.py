"""Taking one field out of the text of a manifest, and nothing else.

Theory of operation: the field is located. In a block its lines go, in braces its characters and one
comma; a mapping that would be empty goes as a whole. The result is read again: it stands only if
exactly that field is missing. Nothing is written here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pmon3_schema.edit_text import BY_HAND, CannotEdit, encoded, plain_data, value_at
from pmon3_schema.formats.source import Path, Position
from pmon3_schema.origins import Written, find
from pmon3_schema.path_diagnostics import ManifestFile


def without_field(document: ManifestFile, name: str, field: Sequence[str]) -> bytes:
    """The content of a manifest that does not say this field of a process. Raises CannotSplice."""
    entry = find(document, name)
    if entry is None:
        raise CannotEdit(f"{document.path} does not declare {name}")
    path = entry.path_of(field)
    places = entry.format.locate(entry.text, _siblings(entry, path))
    if path not in places:
        return document.content
    while _is_alone(entry, path, places):
        path = path[:-1]
    text = _without(entry, path, places)
    _check(document, entry, path, text)
    return encoded(document, text)


def _siblings(entry: Written, path: Path) -> list[Path]:
    """The path and those of its neighbours, on every level up to the entry."""
    found: list[Path] = []
    for length in range(len(entry.path), len(path)):
        mapping = value_at(entry, path[:length])
        found += ((*path[:length], key) for key in mapping) if isinstance(mapping, dict) else ()
    return found


def _is_alone(entry: Written, path: Path, places: dict[Path, Position]) -> bool:
    above = path[:-1]
    if len(above) <= len(entry.path) or len(value_at(entry, above)) > 1:
        return False
    # A table with a header of its own may stay empty, which means the same.
    return entry.format.name != "toml" or entry.text[places[above].value.start] == "{"


def _without(entry: Written, path: Path, places: dict[Path, Position]) -> str:
    keys = list(value_at(entry, path[:-1]))
    index = keys.index(path[-1])
    after = places.get((*path[:-1], keys[index + 1])) if index + 1 < len(keys) else None
    before = places.get((*path[:-1], keys[index - 1])) if index else None
    place, text = places[path], entry.text
    assert place.key is not None
    above = places.get(path[:-1])
    if above is not None and text[above.value.start] == "{":
        start, end = place.key.start, place.value.end
        if after is not None and after.key is not None:
            end = after.key.start
        elif before is not None:
            start = before.value.end
        return text[:start] + text[end:]
    return _without_lines(text, place, after)


def _without_lines(text: str, place: Position, after: Position | None) -> str:
    assert place.key is not None
    start = text.rfind("\n", 0, place.key.start) + 1
    end = text.find("\n", max(place.key.end, place.value.end))
    end = end + 1 if end >= 0 else len(text)
    if not text[start : place.key.start].strip():
        return text[:start] + text[end:]
    # It stands behind the dash of its entry: the next field takes its place.
    if after is None or after.key is None or text[end : after.key.start].strip():
        raise CannotEdit(f"the field cannot be taken out of the text ({BY_HAND})")
    return text[: place.key.start] + text[after.key.start :]


def _check(document: ManifestFile, entry: Written, path: Path, text: str) -> None:
    """Exactly that field is missing. Raises CannotSplice."""
    wanted = plain_data(document, entry.text)
    node: Any = wanted
    for part in path[:-1]:
        node = node[part]
    del node[path[-1]]
    if plain_data(document, text) != wanted:
        raise CannotEdit(f"the field cannot be taken out of the text ({BY_HAND})")
