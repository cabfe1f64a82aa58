"""Which tool a file is of, and its text through the module of that tool."""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import Any

from pmon3.converting import CannotConvert, Converted
from pmon3_schema.formats import format_of
from pmon3_schema.formats.source import Unreadable, decode
from pmon3_schema.spelling import SEED_TEXT_KEYS, Spelling

KINDS = ("pmon3", "procfile", "supervisord", "pm2", "systemd")


def convert(content: bytes, path: str, kind: str) -> Converted:
    """A file as a manifest; without a kind it is told from the name and the text. Raises CannotConvert."""
    try:
        text = decode(content)
        kind = kind or _kind(PurePath(path), text)
        if kind in ("pmon3", "pm2"):
            return _data(path, text, kind)
    except Unreadable as unreadable:
        raise CannotConvert(unreadable.problem.message) from unreadable
    try:
        return _text(kind, text, path)
    except ValueError as error:  # a number or a quote that is none
        raise CannotConvert(str(error)) from error


def _text(kind: str, text: str, path: str) -> Converted:
    from pmon3.converting import procfile, supervisord, systemd

    if kind == "systemd":
        return systemd.convert(text, PurePath(path).stem)
    return procfile.convert(text) if kind == "procfile" else supervisord.convert(text)


def _kind(path: PurePath, text: str) -> str:
    if path.name.lower().startswith("procfile"):
        return "procfile"
    if path.suffix == ".service":
        return "systemd"
    if re.search(r"^\[(program|group|supervisord)\b", text, re.M):
        return "supervisord"
    return "pm2" if re.search(r"""^[\s{]*["']?apps["']?\s*:""", text, re.M) else "pmon3"


def _data(path: str, text: str, kind: str) -> Converted:
    from pmon3.converting import pm2

    keys = SEED_TEXT_KEYS if kind == "pmon3" else frozenset[str]()
    format = format_of(path, text, text_keys=keys)
    loaded = format.load(text)
    if loaded.problems:
        raise CannotConvert(loaded.problems[0].message)
    if kind == "pm2":
        return pm2.convert(loaded.data)
    if not isinstance(loaded.data, dict) or re.search(r"^services:", text, re.M):
        hint = "; the programs of docker compose are in images" if "services:" in text else ""
        raise CannotConvert(f"it is of none of {', '.join(KINDS)}{hint}")
    return Converted(_usual(loaded.data, format.name), [])


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
