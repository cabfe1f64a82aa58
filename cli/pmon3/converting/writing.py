"""A manifest as plain data: its text in each format, and what is wrong with it."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from pmon3.converting import CannotConvert
from pmon3_schema.diagnostics import Diagnostic
from pmon3_schema.formats import export
from pmon3_schema.manifest import ManifestFile, read


def text_of(manifest: dict[str, Any], form: str) -> str:
    """The text of a manifest. Raises CannotConvert for what TOML has no words for."""
    if form == "toml" and "null" in json.dumps(manifest, default=str) and _has_none(manifest):
        raise CannotConvert("TOML has no empty values, which variables and profiles need here")
    return export.render_manifest(manifest, form)


class Findings(NamedTuple):
    """What `validate` says of a manifest, in words without places: nobody has seen its text yet."""

    errors: list[str]
    warnings: list[str]


def checked(manifest: dict[str, Any]) -> Findings:
    """What is wrong with it, and what of it does nothing."""
    found = read([ManifestFile("converted.json", json.dumps(manifest, default=str).encode())]).diagnostics
    return Findings(
        [_words(one) for one in found if one.is_error], [_words(one) for one in found if not one.is_error]
    )


def _words(one: Diagnostic) -> str:
    return f"{one.path.lstrip('/') or 'manifest'}: {one.message}"


def _has_none(value: Any) -> bool:
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return value is None or any(map(_has_none, inside))
