"""`${REPLICA}` and `${REPLICA+8000}` in text: the number of a replica, or that and a number.

Written `$${REPLICA}` it is the text itself. Fields that hold something else than text (a port in a URL, say)
are checked with the first number in its place.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

from msgspec.structs import replace

from pmon3_schema.fields import FieldStruct

_START = "${REPLICA"
REFERENCE = re.compile(r"(\$?)\$\{REPLICA(?:\+([0-9]{1,9}))?\}")


Template: TypeAlias = Callable[[int], Any]
"""What a value is for the replica of a number."""


def filled(text: str, index: int) -> str:
    """The text for the replica of that number."""
    return _text_template(text)(index) if _START in text else text


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
    return template(value)(index)


def template(value: Any) -> Template:
    """The same for any number: where the references are is looked for once, for a thousand replicas."""
    if not mentions(value):
        return lambda index: value
    if isinstance(value, str):
        return _text_template(value)
    if isinstance(value, tuple):
        items = [template(item) for item in value]
        return lambda index: tuple([item(index) for item in items])
    parts = value if isinstance(value, Mapping) else {name: getattr(value, name) for name in value.declared}
    varying = {name: template(part) for name, part in parts.items() if mentions(part)}
    if isinstance(value, Mapping):
        return lambda index: {**value, **{name: part(index) for name, part in varying.items()}}
    return lambda index: replace(value, **{name: part(index) for name, part in varying.items()})


def _text_template(text: str) -> Template:
    pieces: list[str | int] = []
    """Text, and what is to be added to the number in that place."""
    at = 0
    for found in REFERENCE.finditer(text):
        pieces.append(text[at : found.start()])
        pieces.append(found[0][1:] if found[1] else int(found[2] or 0))
        at = found.end()
    pieces.append(text[at:])
    return lambda index: "".join([part if type(part) is str else str(index + int(part)) for part in pieces])


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
