"""A compose file of docker: services that name their command, as processes of this machine.

Theory of operation: a container has its program, its folders and its network in its image; what of that a
service says itself is carried, the rest is told. A service that says no command has nothing to run here.
`${NAME}` is filled in from `.env` and the caller's environment, as docker does.
"""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pmon3.converting.compose_services import ContainerService
from pmon3.converting.data_files import DataFile, mapping, read_data
from pmon3.converting.drafts import Draft
from pmon3.converting.procfile import variables_in
from pmon3.converting.settings import Books, CannotConvert, Left
from pmon3.converting.sources import STDIN, InputFiles, text

_OF_CONTAINERS = Left("processes of this machine have no such thing")
_TOP = {
    "volumes": Left("programs see the folders of this machine", "see `cwd`, and the paths in arguments"),
    "networks": Left("programs use the network of this machine", "choose ports that are free"),
    "configs": Left("files are not put anywhere for a program", "write them where it reads them"),
    "secrets": Left("files are not put anywhere for a program", "see `env_file`"),
    "name": Left("sets are named when they are applied", "see `apply --set`"),
    "include": Left("another file is not read", "convert that file too"),
}
_VARIABLE = re.compile(r"\$(?:\$|([A-Za-z_]\w*)|\{([A-Za-z_]\w*)(?:(:?[-?+])((?:[^{}]|\{[^{}]*\})*))?\})")
_MEANING = (
    "programs run on this machine, with its files, its network and its users, not those of an image",
    "hosts that are called like services do not exist: all of them are on 127.0.0.1",
)


def convert(path: str, content: bytes, sources: InputFiles, books: Books) -> list[Draft]:
    """The processes of a compose file. Raises CannotConvert."""
    data = read_data(text(content), path)
    if not isinstance(data.data, dict) or not isinstance(data.data.get("services"), dict):
        raise CannotConvert("it has no mapping `services`")
    folder = posixpath.dirname(path)
    filled = _Filler(_dot_env(folder, path, sources), data, books).whole()
    top = filled.section((), books)
    services = mapping(top.value("services"))
    top.note("version", "a manifest has none")
    for key in [key for key in top.keys if key.startswith("x-")]:
        top.take(key)
    top.close(_TOP | {key: _TOP.get(key, _OF_CONTAINERS) for key in top.keys})
    drafts: list[Draft] = []
    for name, value in services.items():
        if isinstance(value, dict):
            at = ("services", name)
            drafts += ContainerService(str(name), at, filled, folder, sources, books).drafts()
        else:
            books.lose_at(filled.place(("services", name)), str(name), "it is no mapping")
    if not drafts:
        raise CannotConvert("no service says its command: the programs are in the images")
    for difference in _MEANING:
        books.differs("compose", difference)
    return drafts


def _dot_env(folder: str, path: str, sources: InputFiles) -> Mapping[str, str]:
    file = posixpath.join(folder, ".env")
    found = variables_in(sources.text_of(file)) if path != STDIN and Path(file).is_file() else {}
    return {**found, **os.environ}


class _Filler:
    """Fills variables in, everywhere in the data."""

    def __init__(self, known: Mapping[str, str], data: DataFile, books: Books) -> None:
        self._known, self._data, self._books = known, data, books

    def whole(self) -> DataFile:
        """The file with its variables filled in; one without a value is told."""
        return self._data.changed(self._value(self._data.data, ()))

    def _value(self, value: Any, path: tuple[Any, ...]) -> Any:
        if isinstance(value, dict):
            return {key: self._value(inner, (*path, key)) for key, inner in value.items()}
        if isinstance(value, list):
            return [self._value(inner, (*path, index)) for index, inner in enumerate(value)]
        return self._text(value, path) if isinstance(value, str) and "$" in value else value

    def _text(self, value: str, path: tuple[Any, ...]) -> str:
        return _VARIABLE.sub(lambda found: self._filled(found, path), value)

    def _filled(self, found: re.Match[str], path: tuple[Any, ...]) -> str:
        name = found[1] or found[2]
        if name is None:
            return "$"
        sign, other = found[3] or "", found[4] or ""
        given = self._known.get(name)
        is_there = bool(given) if sign.startswith(":") else given is not None
        if sign.endswith("+"):
            return other if is_there else ""
        if is_there:
            return given or ""
        if sign.endswith("-"):
            return self._text(other, path)
        key = ".".join(str(part) for part in path[2:] or path)
        self._books.lose_at(
            self._data.place(path),
            key,
            f"${name} is not set here",
            f"set {name} where you convert, or in .env",
        )
        return ""
