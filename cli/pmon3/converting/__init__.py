"""Declarations of other tools to entries of a manifest, for `convert`.

Theory of operation: one module per tool, each a function from text to `Converted`. What a tool does by
default and pmond does otherwise is written out. What has no counterpart is never dropped in silence: each
such setting is a loss, with the reason. Nothing is started or looked up, so that the result is the
same on every machine; the command has it validated before it is printed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple


class Converted(NamedTuple):
    """A manifest as plain data, and what of the original it does not have."""

    manifest: dict[str, Any]
    losses: list[str]


class CannotConvert(Exception):
    """The text says why the file cannot be read as what it should be."""


def entry(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that say something; sections without content are left out too, empty variables are not."""
    inner = {
        key: entry(value) if isinstance(value, dict) and key != "env_vars" else value
        for key, value in fields.items()
    }
    return {key: value for key, value in inner.items() if value not in (None, "", [], {}, ())}


def unknown(owner: str, given: Iterable[str], known: Iterable[str], why: Mapping[str, str]) -> list[str]:
    """A loss for each setting that is not among the known ones, with the reason."""
    left = [key for key in given if key not in set(known)]
    return [f"{owner}: `{key}` is left out: {why.get(key, 'there is no counterpart')}" for key in left]
