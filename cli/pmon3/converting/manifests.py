"""A manifest of our own, in whatever format, as plain data with keys in their usual spelling."""

from __future__ import annotations

from typing import Any

from pmon3.converting.settings import CannotConvert
from pmon3.converting.sources import text
from pmon3_schema.formats import format_of
from pmon3_schema.formats.source import Unreadable
from pmon3_schema.spelling import SEED_TEXT_KEYS, Spelling


def convert(path: str, content: bytes) -> dict[str, Any]:
    """The data of a manifest. Raises CannotConvert."""
    written = text(content)
    format = format_of(path, written, text_keys=SEED_TEXT_KEYS)
    try:
        loaded = format.load(written)
    except Unreadable as unreadable:
        raise CannotConvert(unreadable.problem.message) from unreadable
    if loaded.problems:
        raise CannotConvert(loaded.problems[0].message)
    if not isinstance(loaded.data, dict):
        raise CannotConvert("a manifest is a mapping")
    return _usual(loaded.data, format.name)


def _usual(data: dict[str, Any], format_name: str) -> dict[str, Any]:
    """The same with keys in their usual spelling, which all three formats take."""
    exact = format_name != "toml"
    usual = {
        key if exact and key.lower() != "processes" else key.lower(): value
        for key, value in data.items()
        if key != "$schema"
    }
    if isinstance(usual.get("processes"), list):
        usual["processes"] = [
            Spelling(one, format_name).entry if isinstance(one, dict) else one for one in usual["processes"]
        ]
    return usual
