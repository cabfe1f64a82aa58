"""Intents as rows of the state file: the JSON text of the `data` column.

The row has every field of `Intent` under its own name, but for four: the spec is plain data without
defaults, the place is three keys, the revision is left out, as it follows from the spec, and the entry of a
replica is text, so that a thousand rows with the same text make one value when they are read. A field
that an older pmond did not write gets its default; what a newer one wrote beside is passed over.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

import msgspec

from pmon3_schema.process import ProcessSpec
from pmond.core.model import Intent, Replica, SourceLocation
from pmond.runtime.state.records import encode

_APART = {"spec", "place", "revision", "replica"}
_ALIKE = tuple(name for name in Intent.__struct_fields__ if name not in _APART)


def encode_intent(intent: Intent) -> str:
    """The row of an intent."""
    row: dict[str, Any] = {name: getattr(intent, name) for name in _ALIKE}
    row["name"] = intent.name
    row["spec"] = intent.spec.to_record()
    row.update(intent.place._asdict())
    if intent.replica is not None:
        row["replica"] = [_text(intent.replica.entry), intent.replica.index, intent.replica.count]
    return encode(row)


def decode_intent(data: str | bytes) -> Intent:
    """The intent of a row. Raises ValueError when the row is damaged, or its spec means nothing."""
    row = _plain(data)
    try:
        spec = _spec(row["name"], row["spec"])
        place = SourceLocation(row.pop("file"), row.pop("line"), row.pop("column"))
        replica = _replica(*row.pop("replica")) if row.get("replica") else None
        return msgspec.convert({**row, "spec": spec, "place": place, "replica": replica}, Intent)
    except (msgspec.ValidationError, KeyError, TypeError) as error:
        raise ValueError(f"{error!r}" if isinstance(error, KeyError) else str(error)) from None


def _text(entry: ProcessSpec) -> str:
    return encode({**entry.to_record(), "name": entry.name})


def _replica(entry: str, index: int, count: int) -> Replica:
    return Replica(_entry(entry), int(index), int(count))


@lru_cache(maxsize=1000)
def _entry(text: str) -> ProcessSpec:
    return ProcessSpec.from_record(_plain(text))


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
