"""`${REPLICA}` and `${REPLICA+8000}` in text: the number of a replica, or that and a number.

Written `$${REPLICA}` it is the text itself. Fields that hold something else than text (a port in a URL, say)
are checked with the first number in its place.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec.structs import replace

from pmon3_schema.fields import FieldStruct

_START = "${REPLICA"
REFERENCE = re.compile(r"(\$?)\$\{REPLICA(?:\+([0-9]{1,9}))?\}")


def filled(text: str, index: int) -> str:
    """The text for the replica of that number."""
    if _START not in text:
        return text
    return REFERENCE.sub(lambda found: found[0][1:] if found[1] else str(index + int(found[2] or 0)), text)


def refers(text: str) -> bool:
    """Whether the text differs from replica to replica."""
    return _START in text and any(not found[1] for found in REFERENCE.finditer(text))


def refers_anywhere(value: Any) -> bool:
    """The same of all texts in a value."""
    return mentions(value) and any(map(refers, _texts(value)))


def mentions(value: Any) -> bool:
    """Whether a reference, or the literal text of one, stands anywhere in a value."""
    if isinstance(value, str):
        return _START in value
    if isinstance(value, Mapping):
        return any(map(mentions, value.values()))
    if isinstance(value, FieldStruct):
        return any(mentions(getattr(value, name)) for name in value.declared)
    return isinstance(value, tuple) and any(map(mentions, value))


def filled_in(value: Any, index: int) -> Any:
    """The value with all its texts for the replica of that number."""
    if isinstance(value, str):
        return filled(value, index)
    if isinstance(value, tuple):
        return tuple(filled_in(item, index) for item in value)
    if isinstance(value, Mapping):
        return {key: filled_in(item, index) for key, item in value.items()}
    if isinstance(value, FieldStruct):
        inner = {name: getattr(value, name) for name in value.declared}
        changed = {name: filled_in(item, index) for name, item in inner.items() if mentions(item)}
        return replace(value, **changed) if changed else value
    return value


def as_text_itself(value: Any) -> Any:
    """The value as it is written where nothing in it is meant to be a number: the reverse of that."""
    if isinstance(value, str):
        return REFERENCE.sub(lambda found: f"${found[0]}", value)
    if isinstance(value, Mapping):
        return {key: as_text_itself(item) for key, item in value.items()}
    return [as_text_itself(item) for item in value] if isinstance(value, list) else value


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, FieldStruct):
        for name in value.declared:
            yield from _texts(getattr(value, name))
    elif isinstance(value, tuple):
        for item in value:
            yield from _texts(item)
