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

from pmon3_schema.formats import Format, format_of
from pmon3_schema.formats.source import LineIndex, Path, Position, Unreadable, decode
from pmon3_schema.path_diagnostics import ManifestFile
from pmon3_schema.profiles import OPTIONS
from pmon3_schema.spelling import SEED_TEXT_KEYS, Spelling
from pmon3_schema.top import Top, read_top


class Written(Struct, frozen=True):
    """The entry of one process in the text of a document."""

    text: str
    format: Format
    path: Path
    """Of the entry."""
    data: dict[str, Any]
    """As written, keys spelt as in the file."""
    spelling: Spelling
    has_variables: bool = False
    """`${` means something in this document."""

    @property
    def name(self) -> str:
        declared, file = self.spelling.entry.get("name"), self.spelling.entry.get("file")
        return str(declared or posixpath.basename(str(file or "").rstrip("/")))

    def path_of(self, field: Sequence[str | int]) -> Path:
        """The path of a field, spelt as in the file."""
        return (*self.path, *self.spelling.source_path(tuple(field)))

    def places(self, fields: Iterable[Sequence[str | int]]) -> dict[Path, Position]:
        """Places of fields that are written, by the path of the field in the file."""
        return self.format.locate(self.text, [self.path_of(field) for field in fields])


def find(document: ManifestFile, name: str) -> Written | None:
    """The entry of the process `name`; None where the document cannot be read or has no such entry.

    An entry of a profile is looked for last, and only where it could stand by itself.
    """
    loaded = _load(document)
    if loaded is None:
        return None
    text, format, top = loaded
    places: list[tuple[Path, Any]] = [((top.key, index), entry) for index, entry in enumerate(top.processes)]
    for profile in top.profiles.values():
        added = (entry for entry in enumerate(profile.processes) if _has_file(entry[1]))
        places += (((*profile.processes_path, index), entry) for index, entry in added)
    found = (_written(text, format, top, path, entry) for path, entry in places)
    return next((one for one in found if one is not None and one.name == name), None)


def positions(documents: Sequence[ManifestFile], file: str, name: str) -> dict[str, tuple[str, int, int]]:
    """File, line and column of everything that is written of `name`, by dotted field; nothing else.

    `file` has its entry; what the profiles in use change of it is where they say it.
    """
    document = next((one for one in documents if one.path == file), None)
    written = find(document, name) if document is not None else None
    if document is None or written is None:
        return {}
    under = _under(document)
    found = _positions(document, under) if under is not None else {}
    found |= _positions(document, written)
    for changing, change in _changes(documents, name):
        if (changing.path, change.path) != (file, written.path):
            found |= _positions(changing, change)
    return found


def _positions(document: ManifestFile, written: Written) -> dict[str, tuple[str, int, int]]:
    fields = list(_leaves(written.spelling.plain))
    places = written.format.trace(written.text, [written.path_of(field) for field in fields])
    lines = LineIndex(written.text)
    found = {}
    for field in fields:
        place = places.get(written.path_of(field))
        if place is not None:
            at = lines.at((place.key or place.value).start)
            found[".".join(map(str, field))] = (document.path, *at)
    return found


def _under(document: ManifestFile) -> Written | None:
    """What the document lays under all of its processes."""
    if b"defaults" not in document.content.lower():
        return None
    loaded = _load(document)
    if loaded is None or not loaded[2].defaults:
        return None
    text, format, top = loaded
    return _written(text, format, top, top.defaults_path, top.defaults)


def _changes(documents: Sequence[ManifestFile], name: str) -> Iterator[tuple[ManifestFile, Written]]:
    """What the profiles in use say of a process, in the order in which it counts."""
    # Reading every file of a large manifest for one process would take long, and few speak of profiles.
    speaking = [one for one in documents if b"profiles" in one.content.lower()]
    loaded = [(one, found) for one in speaking if (found := _load(one)) is not None]
    caller = [found[2].use for one, found in loaded if one.path == OPTIONS]
    use = next((use for use in caller or [found[2].use for _, found in loaded] if use is not None), None)
    for chosen in use.profiles if use is not None else ():
        for document, (text, format, top) in loaded:
            profile = top.profiles.get(chosen)
            for index, entry in enumerate(profile.processes if profile is not None else ()):
                assert profile is not None
                written = _written(text, format, top, (*profile.processes_path, index), entry)
                if written is not None and written.name == name:
                    yield document, written


def _load(document: ManifestFile) -> tuple[str, Format, Top] | None:
    try:
        text = decode(document.content)
        format = format_of(document.path, text, text_keys=SEED_TEXT_KEYS)
        return text, format, read_top(format.load(text).data, format.name)
    except Unreadable:
        return None


def _has_file(entry: Any) -> bool:
    return isinstance(entry, dict) and any(key.lower() == "file" for key in entry)


def _written(text: str, format: Format, top: Top, path: Path, entry: Any) -> Written | None:
    if not isinstance(entry, dict):
        return None
    return Written(text, format, path, entry, Spelling(entry, format.name), top.variables is not None)


def ranges(document: ManifestFile, name: str, field: Sequence[str]) -> tuple[int, int, int, int]:
    """Line and column of the start and end of a field's value, or of the entry where it is not written."""
    written = find(document, name)
    if written is None:
        return 1, 1, 1, 1
    places, lines = written.places([field]), LineIndex(written.text)
    path = written.path_of(field)
    place = next((places[path[:n]] for n in range(len(path), 0, -1) if path[:n] in places), None)
    if place is None:
        return 1, 1, 1, 1
    return (*lines.at(place.value.start), *lines.at(place.value.end))


def _leaves(entry: dict[str, Any], above: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    for key, value in entry.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, (*above, key))
        else:
            yield (*above, key)
