"""Between the intents of the core and the rows of the state file."""

from __future__ import annotations

from msgspec.structs import replace

from pmond.core.intent import Intent, Place
from pmond.core.model import Hold
from pmond.runtime.intent.registry import Declared, dump
from pmond.runtime.state import records
from pmond.runtime.state.records import ProcessRecord


def intent_of(one: Declared) -> Intent:
    """What is wanted of a declared process."""
    record = one.record
    return Intent(
        spec=one.spec,
        owner=record.owner,
        place=Place(record.file, record.line, record.column),
        generation=record.generation,
        token=record.token,
        hold=one.wanted.hold,
        deferred=record.deferred,
        staged=record.staged,
        deleting=record.deleting,
        forced=record.forced,
        trusted=record.trusted,
        undeclared=record.undeclared,
    )


def changed_record(record: ProcessRecord, intent: Intent) -> ProcessRecord:
    """The record of a process whose intent is this now."""
    return replace(
        record,
        spec=dump(intent.spec),
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


def _hold(recorded: records.Hold | None, hold: Hold | None) -> records.Hold | None:
    """The core never lays a hold here; it keeps one or lifts it."""
    return recorded if hold is not None else None
