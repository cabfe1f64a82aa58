"""Text of a manifest to plain data, in YAML, TOML or JSON; and plain data to text (`export`).

Theory of operation: each format is a module with the same two functions. `load(text)` gives plain
data, where each process starts, and the problems that did not stop it. `locate(text, paths)` finds
characters for paths of that data and is called only when there is an error to point at. The libraries
behind them are imported with the format that needs them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import PurePath

from msgspec import Struct

from pmon3_schema.discovery import SUFFIXES
from pmon3_schema.formats.source import Loaded, Path, Position


class Format(Struct, frozen=True):
    """One way of writing manifests."""

    name: str
    load: Callable[[str], Loaded]
    locate: Callable[[str, Iterable[Path]], dict[Path, Position]]
    trace: Callable[[str, Iterable[Path]], dict[Path, Position]]
    """The same,
    also where a value comes by an alias or a merge key: its place is that of what is referred to."""


def format_name(file: str, text: str = "") -> str:
    """``yaml``, ``toml`` or ``json``; any other name: JSON if it starts with a brace, else YAML."""
    known = SUFFIXES.get(PurePath(file).suffix.lower())
    return known or ("json" if text.lstrip()[:1] == "{" else "yaml")


def format_of(file: str, text: str, *, text_keys: frozenset[str] = frozenset()) -> Format:
    """The reader of a file. In YAML, values of `text_keys` stay text even where they look like numbers."""
    name = format_name(file, text)
    if name == "json":
        from pmon3_schema.formats import json

        return Format(name, json.load, json.locate, json.locate)
    if name == "toml":
        from pmon3_schema.formats import toml

        return Format(name, toml.load, toml.locate, toml.locate)
    from pmon3_schema.formats import yaml, yaml_places

    return Format(name, lambda content: yaml.load(content, text_keys=text_keys), yaml_places.locate, _trace)


def _trace(text: str, paths: Iterable[Path]) -> dict[Path, Position]:
    from pmon3_schema.formats import yaml_anchors, yaml_places

    # Most texts refer to nothing, and their places are found in one scan.
    return yaml_anchors.trace(text, paths) if "*" in text else yaml_places.locate(text, paths)
