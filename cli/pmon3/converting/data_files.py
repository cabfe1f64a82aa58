"""Files of plain data, YAML or JSON: values by paths, sections of mappings whose keys know their lines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from pmon3.converting.settings import Books, CannotConvert, Place, Section, Setting
from pmon3_schema.formats import format_of
from pmon3_schema.formats.source import LineIndex, Path, Unreadable

_MOST_PLACES = 200_000
"""Keys whose lines are looked up; anchors can make many more of few."""


class DataFile:
    """The data of one file."""

    def __init__(self, file: str, data: Any, lines: Mapping[Path, int]) -> None:
        self.file, self.data, self._lines = file, data, lines

    def changed(self, data: Any) -> DataFile:
        """The same file with other values in the same places."""
        return DataFile(self.file, data, self._lines)

    def place(self, path: Path) -> Place:
        """Where a value is: the line of its key, or of the nearest thing around it."""
        for length in range(len(path), 0, -1):
            if path[:length] in self._lines:
                return Place(self.file, self._lines[path[:length]])
        return Place(self.file, 1)

    def section(self, path: Path, books: Books, title: str = "") -> Section:
        """The settings of the mapping at a path; a section without any where there is none."""
        value: Any = self.data
        for part in path:
            value = value[part]
        settings = self.settings(path, value) if isinstance(value, dict) else ()
        return Section(title or str(path[-1] if path else ""), self.place(path), settings, books)

    def settings(self, path: Path, mapping: Mapping[str, Any]) -> Iterator[Setting]:
        """The keys of a mapping at a path; what is empty (null) is not given."""
        for key, value in mapping.items():
            if value is not None:
                yield Setting(str(key), value, self.place((*path, key)))


def read_data(text: str, file: str) -> DataFile:
    """The data of a YAML, TOML or JSON text. Raises CannotConvert with the line."""
    format = format_of(file, text)
    index = LineIndex(text)
    try:
        loaded = format.load(text)
    except Unreadable as unreadable:
        raise _at_line(unreadable.problem.message, index.at(unreadable.problem.span.start)[0]) from unreadable
    if loaded.problems:
        problem = loaded.problems[0]
        raise _at_line(problem.message, index.at(problem.span.start)[0])
    places = format.trace(text, islice(_paths(loaded.data), _MOST_PLACES))
    lines = {path: index.at((place.key or place.value).start)[0] for path, place in places.items()}
    return DataFile(file, loaded.data, lines)


def _at_line(message: str, line: int) -> CannotConvert:
    return CannotConvert(f"line {line}: {message}")


def _paths(value: Any, above: Path = ()) -> Iterable[Path]:
    if above:
        yield above
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _paths(inner, (*above, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _paths(inner, (*above, index))


def mapping(value: Any) -> dict[str, Any]:
    """The value, where it is a mapping."""
    return value if isinstance(value, dict) else {}
