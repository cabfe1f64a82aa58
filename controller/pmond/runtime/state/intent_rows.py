"""Intents as rows of the state file: the JSON text of the `data` column.

The row has every field of `Intent` under its own name, but for three: the spec is plain data without
defaults, the place is three keys, and the revision is left out, as it follows from the spec. A field
that an older pmond did not write gets its default; what a newer one wrote beside is passed over.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec

from pmon3_schema.process import ProcessSpec
from pmond.core.model import Intent, SourceLocation
from pmond.runtime.state.records import encode

_APART = {"spec", "place", "revision"}
_ALIKE = tuple(name for name in Intent.__struct_fields__ if name not in _APART)


def encode_intent(intent: Intent) -> str:
    """The row of an intent."""
    row: dict[str, Any] = {name: getattr(intent, name) for name in _ALIKE}
    row["name"] = intent.name
    row["spec"] = intent.spec.to_record()
    row.update(intent.place._asdict())
    return encode(row)


def decode_intent(data: str | bytes) -> Intent:
    """The intent of a row. Raises ValueError when the row is damaged, or its spec means nothing."""
    row = _plain(data)
    try:
        spec = _spec(row["name"], row["spec"])
        place = SourceLocation(row.pop("file"), row.pop("line"), row.pop("column"))
        return msgspec.convert({**row, "spec": spec, "place": place}, Intent)
    except (msgspec.ValidationError, KeyError, TypeError) as error:
        raise ValueError(f"{error!r}" if isinstance(error, KeyError) else str(error)) from None


def _spec(name: str, record: dict[str, Any]) -> ProcessSpec:
    try:
        return ProcessSpec.from_record({**record, "name": name})
    except ValueError as error:
        raise ValueError(f"the spec of {name}: {error}") from None


def _plain(data: str | bytes) -> dict[str, Any]:
    try:
        row = msgspec.json.decode(data)
    except msgspec.DecodeError:  # escapes of what is not valid UTF-8, or damage: the other reader says
        row = json.loads(data)
    if not isinstance(row, dict):
        raise ValueError("it is no object")
    return row
