"""A manifest as plain data: its text in each format, and what is wrong with it."""

from __future__ import annotations

import json
from typing import Any

from pmon3.converting import CannotConvert
from pmon3_schema.formats import export
from pmon3_schema.manifest import ManifestFile, read


def text_of(manifest: dict[str, Any], form: str) -> str:
    """The text of a manifest. Raises CannotConvert for what TOML has no words for."""
    if form == "toml" and "null" in json.dumps(manifest, default=str) and _has_none(manifest):
        raise CannotConvert("TOML has no empty values, which variables and profiles need here")
    return export.render_manifest(manifest, form)


def mistakes(manifest: dict[str, Any]) -> list[str]:
    """What is wrong with it, in words without places: nobody has seen its text yet."""
    found = read([ManifestFile("converted.json", json.dumps(manifest, default=str).encode())]).diagnostics
    return [f"{one.path.lstrip('/') or 'manifest'}: {one.message}" for one in found]


def _has_none(value: Any) -> bool:
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return value is None or any(map(_has_none, inside))
