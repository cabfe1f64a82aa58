"""A manifest as plain data: its text in each format, and what is wrong with it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from pmon3.converting.settings import CannotConvert
from pmon3_schema.formats import export
from pmon3_schema.manifest import ManifestFile, read


class ConversionMistake(Struct, frozen=True):
    """Something that a manifest does not allow, in words without places: nobody has seen its text yet."""

    code: str
    path: str
    message: str
    is_error: bool = True
    """Else it does nothing, and is worth a word."""

    @property
    def field(self) -> str:
        """The field of the process that is wrong, dotted; empty where it is the whole."""
        return ".".join(self.path.split("/")[3:]).replace("~1", "/").replace("~0", "~")

    def __str__(self) -> str:
        return f"{self.path.lstrip('/') or 'manifest'}: {self.message}"


def text_of(manifest: Mapping[str, Any], form: str) -> str:
    """The text of a manifest. Raises CannotConvert for what TOML has no words for."""
    if form == "toml" and "null" in json.dumps(manifest, default=str) and _has_none(manifest):
        raise CannotConvert("TOML has no empty values, which variables and profiles need here")
    return export.render_manifest(manifest, form)


def mistakes(manifest: Mapping[str, Any]) -> list[ConversionMistake]:
    """What `validate` says of a manifest."""
    found = read([ManifestFile("converted.json", json.dumps(manifest, default=str).encode())]).diagnostics
    return [ConversionMistake(one.code, one.path, one.message, one.is_error) for one in found]


def _has_none(value: Any) -> bool:
    inside = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    return value is None or any(map(_has_none, inside))
