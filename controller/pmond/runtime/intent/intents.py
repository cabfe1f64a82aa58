"""From the intents of the core to the rows of the state file."""

from __future__ import annotations

from msgspec.structs import replace

from pmond.core.intent import Intent
from pmond.core.model import Hold
from pmond.runtime.intent.edit import Declared, dump
from pmond.runtime.state import records
from pmond.runtime.state.records import ProcessRecord


def changed_record(one: Declared, intent: Intent) -> ProcessRecord:
    """The record of a process whose intent is this now."""
    record = one.record
    return replace(
        record,
        spec=record.spec if intent.spec is one.spec else dump(intent.spec),
        owner=intent.owner,
        file=intent.place.file,
        line=intent.place.line,
        column=intent.place.column,
        generation=intent.generation,
        token=intent.token,
        hold=_hold(record.hold, intent.hold),
        deferred=intent.deferred,
        staged=intent.staged,
        deleting=intent.deleting,
        forced=intent.forced,
        trusted=intent.trusted,
        undeclared=intent.undeclared,
    )


def _hold(recorded: records.HoldRecord | None, hold: Hold | None) -> records.HoldRecord | None:
    """The core never lays a hold here; it keeps one or lifts it."""
    return recorded if hold is not None else None
