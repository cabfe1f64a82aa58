"""Where the values of a process are written: file, line and column of each field.

Theory of operation: nothing is kept while a manifest is read. Whoever asks pays for one more look
at one document: it is loaded, the entry found by its name, and the wanted paths located as the
text spells them.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from msgspec import Struct

from pmon3_schema.findings import Document
from pmon3_schema.formats import Format, format_of
from pmon3_schema.formats.source import Lines, Path, Place, Unreadable, decode
from pmon3_schema.spelling import SEED_TEXT_KEYS, Spelling, list_key


class Written(Struct, frozen=True):
    """The entry of one process in the text of a document."""

    text: str
    format: Format
    path: Path
    """Of the entry."""
    data: dict[str, Any]
    """As written, keys spelt as in the file."""
    spelling: Spelling

    def path_of(self, field: Sequence[str | int]) -> Path:
        """The path of a field, spelt as in the file."""
        return (*self.path, *self.spelling.source_path(tuple(field)))

    def places(self, fields: Iterable[Sequence[str | int]]) -> dict[Path, Place]:
        """Places of fields that are written, by the path of the field in the file."""
        return self.format.locate(self.text, [self.path_of(field) for field in fields])


def find(document: Document, name: str) -> Written | None:
    """The entry of the process `name`; None where the document cannot be read or has no such entry."""
    try:
        text = decode(document.content)
        format = format_of(document.path, text, text_keys=SEED_TEXT_KEYS)
        data = format.load(text).data
    except Unreadable:
        return None
    key = list_key(data, format.name) if isinstance(data, dict) else None
    entries = data[key] if key is not None else None
    for index, entry in enumerate(entries if isinstance(entries, list) else ()):
        if isinstance(entry, dict):
            spelling = Spelling(entry, format.name)
            if _name(spelling.entry) == name:
                return Written(text, format, (str(key), index), entry, spelling)
    return None


def positions(document: Document, name: str) -> dict[str, tuple[int, int]]:
    """Line and column of everything that the entry of `name` says, by dotted field; nothing else."""
    written = find(document, name)
    if written is None:
        return {}
    fields = list(_leaves(written.spelling.entry))
    places, lines = written.places(fields), Lines(written.text)
    found = {}
    for field in fields:
        place = places.get(written.path_of(field))
        if place is not None:
            found[".".join(map(str, field))] = lines.at((place.key or place.value).start)
    return found


def ranges(document: Document, name: str, field: Sequence[str]) -> tuple[int, int, int, int]:
    """Line and column of the start and end of a field's value, or of the entry where it is not written."""
    written = find(document, name)
    if written is None:
        return 1, 1, 1, 1
    places, lines = written.places([field]), Lines(written.text)
    path = written.path_of(field)
    place = next((places[path[:n]] for n in range(len(path), 0, -1) if path[:n] in places), None)
    if place is None:
        return 1, 1, 1, 1
    return (*lines.at(place.value.start), *lines.at(place.value.end))


def _name(entry: dict[str, Any]) -> str:
    declared, file = entry.get("name"), entry.get("file")
    return str(declared or posixpath.basename(str(file or "").rstrip("/")))


def _leaves(entry: dict[str, Any], above: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    for key, value in entry.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, (*above, key))
        else:
            yield (*above, key)
