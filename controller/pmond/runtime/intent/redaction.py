"""A set as callers know it who may not see what is in its source (`pmon3_schema.redaction`)."""

from __future__ import annotations

from msgspec.structs import replace

from pmon3_schema.redaction import INVALID_MANIFEST, place_and_kind, withheld
from pmond.runtime.state.records import SourceRecord


def redacted(record: SourceRecord) -> SourceRecord:
    """The record without anything that stands in the source."""
    if record.reason != INVALID_MANIFEST:
        return record
    message = place_and_kind(record.path, record.message, record.diagnostics)
    return replace(record, message=message, diagnostics=[withheld(one) for one in record.diagnostics])
