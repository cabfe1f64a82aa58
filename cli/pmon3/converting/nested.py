"""Mappings inside of an entry, whose keys are named with it: `shutdown.signal`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pmon3.converting.data_files import DataFile, mapping
from pmon3.converting.settings import Books, Section, Setting
from pmon3_schema.formats.source import Path


class NestedEntry:
    """One entry of a data file, and the sections in it."""

    def __init__(self, name: str, at: Path, data: DataFile, books: Books) -> None:
        self.name, self.at, self.data, self.books = name, at, data, books
        self.section = data.section(at, books, name)

    def part(self, key: str) -> Section:
        """The mapping of a key, which is taken with that; told where it is none."""
        setting = self.section.take(key)
        value = mapping(setting.value if setting is not None else None)
        if setting is not None and not isinstance(setting.value, dict):
            self.books.lose(setting, "it is no mapping")
        return self.inner(key, value, key)

    def inner(self, title: str, value: Mapping[str, Any], *path: str | int) -> Section:
        """A mapping further in, at a path from the entry."""
        at = (*self.at, *path)
        settings = [
            Setting(f"{title}.{one.key}", one.value, one.place) for one in self.data.settings(at, value)
        ]
        return Section(title, self.data.place(at), settings, self.books)
