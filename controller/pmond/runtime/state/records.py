"""What the state file remembers, as frozen values, and their form in the file.

Theory of operation: every record is one row that holds the whole record as JSON text in its
`data` column; other columns only repeat what is searched by or must be unique. A field may
therefore be added without a migration as long as it has a default: reading drops keys that
this version does not know (a newer pmond wrote them) and fills in what an older one left out.
A file name that is not valid UTF-8 is carried unharmed by JSON's escapes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import Any, TypeVar

import msgspec
from msgspec import Struct, field
from msgspec.structs import replace

from pmon3_schema.answers import Suspension
from pmond.core.model import Intent


class InstanceRecord(Struct, frozen=True):
    """One run of one process: enough to know it again after the daemon died."""

    name: str
    number: int
    pid: int
    start_ticks: int
    """Field 22 of /proc/PID/stat: clock ticks from boot to its start."""
    boot_id: str
    pidfd_inode: int
    """Unique per process where the kernel has pidfs (6.9); 0 elsewhere."""
    revision: str
    token: int
    started_monotonic: float
    """`clock.now()` at its start; means something only under the same boot id."""
    started_at: str
    log: str
    spec: dict[str, Any]
    """The spec it was started with."""
    born_as: str = ""
    """The name of the process when it was started, where that is another one now."""
    ending: str = "itself"
    """Why it was asked to end (`core.model.Ending`), or that it was not."""
    files: list[list[str]] = field(default_factory=list)
    """What its watched files said when it read them last: pairs of path and digest."""
    exit: list[int | bool | None] | None = None
    """How its main program ended, where some of its tree outlived that (`row_conversion.exit_fields`)."""
    ready: bool = False
    """Its ready probe has found it ready."""
    needs: list[list[str | int]] = field(default_factory=list)
    """Which runs there were of dependencies whose replacement replaces it too: pairs of name and number."""
    by: str = ""
    """What asked for it, where that is a schedule (`core.timing`)."""


class HistoryRecord(Struct, frozen=True):
    """What is remembered about the restarts of one process, as its owner wrote it."""

    name: str
    data: dict[str, Any]


class EventRecord(Struct, frozen=True):
    """One line of what happened, for people."""

    id: int
    at: str
    name: str
    """The process it is about; empty for the daemon itself."""
    type: str
    reason: str
    message: str
    fields: dict[str, Any] = field(default_factory=dict)


class RunRecord(Struct, frozen=True):
    """One run of a process that has ended, or a start that failed."""

    name: str
    number: int
    started_at: str
    ended_at: str
    duration_seconds: float
    outcome: str
    exit_code: int | None = None
    exit_signal: str | None = None
    by: str = ""


class GroupRecord(Struct, frozen=True):
    id: int
    name: str


class SourceRecord(Struct, frozen=True):
    """One manifest (a file or a folder) that declares processes, and the last good reading of it."""

    path: str
    set_name: str
    digest: str
    """Of the content that was looked at last, accepted or not."""
    content: bytes
    """The last accepted documents (`documents.pack`); what is in force while the file is broken."""
    accepted: bool
    diagnostics: list[Any]
    """Why it is not, as `answers.DiagnosticObject`; as far as an earlier pmond wrote that (`Sets.load`)."""
    checked_at: str
    version: int
    """Counted up by each accepted change."""
    accepted_digest: str = ""
    """Of `content`."""
    reason: str = ""
    """Why it is not accepted, in one word."""
    message: str = ""
    """The same for people."""
    suspended: Suspension | None = None
    rollout: dict[str, Any] | None = None
    """What is being rolled out (`core.rollout`), until it has ended."""
    undo: int = 0
    """The revision whose rollout failed and is to be rolled back; 0: there is none."""
    revision: int = 0
    """The number of the revision in force."""
    uid: int = 0
    """Who wrote what is in force of it; nobody without his rights changes that."""
    taken_out: list[str] = field(default_factory=list)
    """What it declares and somebody has deleted since it was accepted."""
    followed: bool = False
    """It was the process config file, which pmond brings in by itself, when it was accepted last."""


class RevisionRecord(Struct, frozen=True):
    """One accepted change of a set, for history and rollback."""

    number: int
    set_name: str
    at: str
    by: str
    summary: dict[str, Any]
    content: bytes
    message: str = ""
    digest: str = ""
    commit: str = ""
    """The git commit of the work tree that the manifest lay in."""
    outcome: str = ""
    """progressing, done, failed, rolled_back or superseded."""
    uid: int | None = None
    """Who wrote its content; None: an earlier pmond kept only who asked for it (`by`)."""


class Snapshot(Struct, frozen=True):
    """Everything the state file held when it was opened."""

    processes: tuple[Intent, ...]
    instances: tuple[InstanceRecord, ...]
    histories: tuple[HistoryRecord, ...]
    groups: tuple[GroupRecord, ...]
    memberships: frozenset[tuple[int, int]]
    """Pairs of group id and process id."""
    sources: tuple[SourceRecord, ...]


class Batch(Struct):
    """What one turn of the loop has to remember: later entries of the same key replace earlier ones."""

    instances: dict[tuple[str, int], InstanceRecord | None] = field(default_factory=dict)
    """By name and number; None forgets the instance."""
    histories: dict[str, HistoryRecord | None] = field(default_factory=dict)
    events: list[EventRecord] = field(default_factory=list)
    runs: list[RunRecord] = field(default_factory=list)
    """Those that have ended."""
    changes: dict[tuple[str, int], dict[str, Any]] = field(default_factory=dict)
    """Fields of recorded instances that have another value now."""

    def __bool__(self) -> bool:
        return bool(self.instances or self.histories or self.events or self.changes or self.runs)

    def merge(self, later: Batch, keep_events: int) -> None:
        """Lay `later` over this; only the newest `keep_events` events are kept."""
        self.instances.update(later.instances)
        self.histories.update(later.histories)
        for key, fields in later.changes.items():
            self.changes[key] = self.changes.get(key, {}) | fields
        self.events.extend(later.events)
        del self.events[:-keep_events]
        self.runs.extend(later.runs)
        del self.runs[:-keep_events]

    def rename(self, names: Mapping[str, str]) -> None:
        """Processes are called otherwise from now on, by their old names; events keep theirs."""

        def moved(key: tuple[str, int]) -> tuple[str, int]:
            return names.get(key[0], key[0]), key[1]

        self.instances = {moved(key): _moved(record, names) for key, record in self.instances.items()}
        self.histories = {
            names.get(name, name): record and replace(record, name=names.get(name, name))
            for name, record in self.histories.items()
        }
        self.runs = [replace(run, name=names.get(run.name, run.name)) for run in self.runs]
        self.changes = {moved(key): fields for key, fields in self.changes.items()}


def _moved(record: InstanceRecord | None, names: Mapping[str, str]) -> InstanceRecord | None:
    if record is None or record.name not in names:
        return record
    return replace(record, name=names[record.name], born_as=record.born_as or record.name)


Record = TypeVar(
    "Record", InstanceRecord, HistoryRecord, EventRecord, RunRecord, SourceRecord, RevisionRecord
)

_WITH_CONTENT = (SourceRecord, RevisionRecord)
"""Their bytes have a column of their own."""
_encoder = msgspec.json.Encoder()


@cache
def _decoder(kind: type[Any]) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind)


def encode(record: Any) -> str:
    """The `data` column of a record, or of plain data."""
    if isinstance(record, _WITH_CONTENT):
        plain: Any = {name: getattr(record, name) for name in record.__struct_fields__ if name != "content"}
    else:
        plain = record
    try:
        return _encoder.encode(plain).decode()
    except UnicodeEncodeError:  # a path that is not valid UTF-8: escapes carry it
        return json.dumps(msgspec.to_builtins(plain), separators=(",", ":"))


def key(text: str) -> str:
    """Text for a column: that must be valid UTF-8, which a name or path need not be (the record keeps it)."""
    return text.encode("utf-8", "backslashreplace").decode()


def decode(kind: type[Record], data: str | bytes, content: bytes | None = None) -> Record:
    """The record of a row.

    Raises ValueError when the row is damaged.
    """
    try:
        if content is not None:
            return msgspec.convert({**json.loads(data), "content": content}, kind)
        return _decode(kind, data)
    except (msgspec.ValidationError, TypeError) as error:
        raise ValueError(str(error)) from None


def _decode(kind: type[Record], data: str | bytes) -> Record:
    try:
        found: Record = _decoder(kind).decode(data)
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:  # escapes of what is not valid UTF-8, or damage: the other reader says
        return msgspec.convert(json.loads(data), kind)
    return found
