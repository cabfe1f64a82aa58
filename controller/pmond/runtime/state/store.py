"""The state file: what must outlive pmond.

Theory of operation: two kinds of writes. *Desired state* (specs, holds, groups, sources) is
written in a `transaction`, forced to the disk before it returns; when that fails the command
is refused with StoreError, so that nothing is acknowledged that could be lost. *Runtime facts*
(instances, restart histories, events) are written once per turn by `flush`, without forcing:
the page cache outlives pmond, and after a power loss no instance lives that they could be
needed for. `flush` never raises: what could not be written stays in memory, `degraded` says why, and the next
turn tries again. Everything is read once, at start (`load`); only events are queried later.

SQLite writes to a log first. After a large change a thread brings it into the file (`checkpoint`);
`flush` leaves the connection to it for that long, and whoever cannot do without waits for it.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

from msgspec.structs import replace

from pmond.runtime.base.clock import Clock
from pmond.runtime.base.failpoints import FailPoint, reached
from pmond.runtime.base.threads import ThreadShortage, shortage_told, thread_pool
from pmond.runtime.state import run_rows
from pmond.runtime.state.event_rows import KEEP_EVENTS, KEEP_EVENTS_PER_PROCESS, EventRows
from pmond.runtime.state.intent_rows import decode_intent
from pmond.runtime.state.records import (
    Batch,
    EventRecord,
    GroupRecord,
    HistoryRecord,
    InstanceRecord,
    Record,
    RevisionRecord,
    RunRecord,
    Snapshot,
    SourceRecord,
    decode,
    encode,
    key,
)
from pmond.runtime.state.run_rows import RunRows
from pmond.runtime.state.staging import Staging
from pmond.runtime.state.state_file import FileAccess, StateFile, explain, open_state_file, put_in_place
from pmond.runtime.state.store_error import StoreError
from pmond.runtime.state.transaction import Transaction

UUID_NAME = "uuid"
_LOST = "lost"
"""The key in `meta` that says that the state was begun anew, until it has been made up for."""
Read = TypeVar("Read")
RETRY_SECONDS = 1.0
"""Between two tries to write what could not be written; each encodes all of it again."""


class Store:
    """The open state file. Belongs to the loop; not for other threads, but for the one of `checkpoint`."""

    def __init__(self, file: StateFile, clock: Clock, access: FileAccess) -> None:
        self._access = access
        self.notices = file.notices
        self.begun_anew = file.db.execute("SELECT count(*) FROM processes").fetchone()[0] == 0
        """It has no processes: new, or begun again in the place of a damaged one."""
        self.degraded: str | None = file.in_memory
        """Why the file is behind what is known, or None."""
        self._connection = file.db
        self._checkpointing: Future[None] | None = None
        self._thread = thread_pool(1)
        self._path = file.path
        self._clock = clock
        self._inode = None if file.in_memory is not None else _inode(file.path)
        self._unsaved = Batch()
        self._staging: Staging | None = None
        newest = self._db.execute("SELECT max(id) FROM events").fetchone()[0]
        self._next_event = (newest or 0) + 1
        self._retry_at = 0.0
        self._run_rows = RunRows()
        self._event_rows = EventRows(self._db)

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str],
        *,
        clock: Clock,
        mode: int = 0o700,
        access: FileAccess = FileAccess(),  # noqa: B008  (a frozen value)
    ) -> Store:
        """Open or begin the state file; its folder is created with `mode`.

        Never raises for what the file or the disk is like: `notices` says what was found.
        """
        return cls(open_state_file(Path(path), clock, mode, access), clock, access)

    @property
    def _db(self) -> sqlite3.Connection:
        """The connection, when no thread is at it."""
        self._await_checkpoint()
        return self._connection

    @property
    def saved(self) -> bool:
        """Whether all that `flush` was given is in the file."""
        return self.degraded is None and not self._unsaved

    @property
    def uuid(self) -> str:
        """Names this state for ever, in every file and process that belongs to it."""
        return str(self._db.execute("SELECT value FROM meta WHERE key = 'uuid'").fetchone()[0])

    def keep_uuid(self) -> None:
        """Have the name outlive the file: a new one goes on with it, so that what runs is recognised.

        It is kept beside the file, and written anew only when that is missing or damaged. A file that did
        not have it yet, and says nothing, is one in the place of another: then `lost` says so.
        """
        beside = self._path.with_name(UUID_NAME)
        with suppress(OSError, sqlite3.Error, ValueError):  # the file is what counts; this only mends it
            known = str(UUID(beside.read_text("ascii").strip())) if beside.exists() else ""
            if known and self.begun_anew and known != self.uuid:
                with self._writing(durable=True):
                    self._db.execute("UPDATE meta SET value = ? WHERE key = 'uuid'", [known])
                    self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, 'yes')", [_LOST])
                self.notices.append(
                    f"the state in {self._path} was lost: it is made anew of manifests and of what runs"
                )
            elif known != self.uuid:
                fresh = beside.with_suffix(".new")
                fresh.write_text(f"{self.uuid}\n", "ascii")
                reached(FailPoint.UUID_WRITTEN)
                fresh.replace(beside)

    @property
    def lost(self) -> bool:
        """Whether there was a state that is lost, and what it said is not made up for yet."""
        return bool(self._db.execute("SELECT count(*) FROM meta WHERE key = ?", [_LOST]).fetchone()[0])

    def made_up_for(self) -> None:
        """All that could be found out of what was lost is saved."""
        with suppress(sqlite3.Error), self._writing(durable=True):  # else it is looked for once more
            self._db.execute("DELETE FROM meta WHERE key = ?", [_LOST])

    def load(self) -> Snapshot:
        """Everything but events and revisions. Damaged rows are left out, removed and told in `notices`."""
        rows = self._db.execute
        return Snapshot(
            processes=tuple(self._read(decode_intent, "processes", "id")),
            instances=tuple(self._read(partial(decode, InstanceRecord), "instances", "name, number")),
            histories=tuple(self._read(partial(decode, HistoryRecord), "histories", "name")),
            groups=tuple(GroupRecord(*row) for row in rows("SELECT id, name FROM groups ORDER BY id")),
            memberships=frozenset(rows("SELECT group_id, process_id FROM memberships")),
            sources=tuple(self._read(partial(decode, SourceRecord), "sources", "path", content=True)),
        )

    def events(self, name: str | None = None, limit: int = KEEP_EVENTS_PER_PROCESS) -> list[EventRecord]:
        """The newest events, oldest first: of one process, or of all."""
        where, values = ("WHERE name = ?", [key(name)]) if name is not None else ("", [])
        query = f"SELECT CAST(data AS BLOB) FROM events {where} ORDER BY id DESC LIMIT ?"
        saved = _sound(EventRecord, self._db.execute(query, [*values, limit]).fetchall())
        unsaved = [event for event in self._unsaved.events if name in (None, event.name)]
        return (saved[::-1] + unsaved)[-limit:] if limit > 0 else []

    def runs(self, name: str, limit: int) -> list[RunRecord]:
        """The newest runs of a process that have ended, oldest first."""
        unsaved = [run for run in self._unsaved.runs if run.name == name]
        return (run_rows.of_process(self._db, name, limit) + unsaved)[-limit:] if limit > 0 else []

    def latest_runs(self) -> dict[str, RunRecord]:
        """The last run of each process that has ended."""
        return run_rows.latest(self._db)

    def revisions(self, set_name: str, limit: int) -> list[RevisionRecord]:
        """The newest revisions of a set, newest first."""
        columns = "CAST(data AS BLOB), content"
        query = f"SELECT {columns} FROM revisions WHERE set_name = ? ORDER BY number DESC LIMIT ?"
        return _sound(RevisionRecord, self._db.execute(query, [key(set_name), limit]).fetchall())

    def next_event_id(self) -> int:
        """A number greater than that of any earlier event."""
        number = self._next_event
        self._next_event += 1
        return number

    @contextmanager
    def transaction(self, what: str = "this change", *, durable: bool = True) -> Iterator[Transaction]:
        """Write everything in the block or nothing; on the disk when it returns, if `durable`.

        Raises StoreError "cannot save WHAT: why", and then nothing was changed.
        """
        with explained(what):
            self._end_staging()
            self._return_to_file()
            with self._writing(durable):
                yield Transaction(self._db)
        self._retry_at = 0.0  # there is room again: the next flush need not wait

    def stage(self, what: str) -> Staging:
        """Begin a durable transaction that is written over several turns; see `staging`.

        Raises StoreError, as `transaction` does. `explained` is for what is done with it.
        """
        with explained(what):
            self._end_staging()
            self._return_to_file()
            log = Path(f"{self._path}-wal")
            writing = self._writing(durable=True)
            self._staging = Staging(self._db, log, writing, self._thread, self._staging_ended)
            return self._staging

    def checkpoint(self) -> None:
        """Bring what a large change has written from the log into the file, by a thread."""
        db, loop = self._db, asyncio.get_running_loop()
        try:
            with shortage_told():
                self._checkpointing = self._thread.submit(_checkpoint, db)
        except ThreadShortage:  # a later commit tries again
            # The old one would do it too, some day, beside whatever the loop does then.
            self._thread = thread_pool(1)
            return
        self._checkpointing.add_done_callback(
            lambda done: loop.call_soon_threadsafe(self._checkpointed, done)
        )

    def last_ids(self) -> tuple[int, int]:
        """The greatest ids in use, of processes and of groups; 0 where there are none."""
        return self._last_id("processes"), self._last_id("groups")

    def flush(self, batch: Batch) -> None:
        """Save the runtime facts of one turn, and those of earlier turns that could not be saved."""
        self._unsaved.merge(batch, KEEP_EVENTS)
        if self._busy or (self.degraded is None and not self._unsaved):
            return
        if self.degraded is not None and self._clock.now() < self._retry_at:
            return
        try:
            self._return_to_file()
            with self._writing(durable=False):
                self._write(self._unsaved)
        except (sqlite3.Error, OSError) as error:
            self.degraded = f"cannot write {self._path}: {explain(error)}"
            self._retry_at = self._clock.now() + RETRY_SECONDS
            return
        self._unsaved = Batch()
        self.degraded = None

    def renamed(self, names: Mapping[str, str]) -> None:
        """What waits to be saved is of processes that a transaction has renamed, by their old names."""
        self._unsaved.rename(names)

    def copy_to(self, path: Path) -> None:
        """Write a copy of the whole state to a new file. Raises sqlite3.Error."""
        self._end_staging()
        with closing(sqlite3.connect(path)) as copy:
            self._db.backup(copy)

    def come_to_rest(self) -> None:
        """Give up a large change that is under way, and save the runtime facts that waited for its end."""
        self._end_staging()
        self._await_checkpoint()
        self._retry_at = 0.0
        self.flush(Batch())

    def close(self) -> None:
        """Save what is left and close the file."""
        self.come_to_rest()
        with suppress(sqlite3.Error):  # a full disk keeps the log in its own file, which the next start reads
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._db.close()
        self._thread.shutdown(wait=False)

    @contextmanager
    def _writing(self, durable: bool) -> Iterator[None]:
        execute = self._db.execute
        if durable:
            execute("PRAGMA synchronous = FULL")
        try:
            execute("BEGIN IMMEDIATE")
            try:
                yield
                reached(FailPoint.INTENT_WRITTEN if durable else FailPoint.FACTS_WRITTEN)
                execute("COMMIT")
                reached(FailPoint.INTENT_COMMITTED if durable else FailPoint.FACTS_COMMITTED)
            except BaseException:
                if self._db.in_transaction:
                    execute("ROLLBACK")
                raise
        finally:
            if durable:
                execute("PRAGMA synchronous = NORMAL")

    def _end_staging(self) -> None:
        if self._staging is not None:
            self._staging.abandon()

    @property
    def _busy(self) -> bool:
        """The connection is in use for a large change; whoever has the use of it saves what waited."""
        return self._staging is not None or self._checkpointing is not None

    def _staging_ended(self) -> None:
        self._staging = None

    def _await_checkpoint(self) -> None:
        if self._checkpointing is not None:
            self._checkpointing.result()
            self._checkpointing = None

    def _checkpointed(self, done: Future[None]) -> None:
        if self._checkpointing is done:
            self._checkpointing = None
        self.flush(Batch())

    def _last_id(self, table: str) -> int:
        return int(self._db.execute(f"SELECT max(id) FROM {table}").fetchone()[0] or 0)

    def _write(self, batch: Batch) -> None:
        many = self._db.executemany
        if batch.instances:
            live = [(key(r.name), r.number, encode(r)) for r in batch.instances.values() if r is not None]
            gone = [(key(name), number) for (name, number), r in batch.instances.items() if r is None]
            many("INSERT OR REPLACE INTO instances (name, number, data) VALUES (?, ?, ?)", live)
            many("DELETE FROM instances WHERE name = ? AND number = ?", gone)
        for (name, number), fields in batch.changes.items():
            self._change_instance(name, number, fields)
        if batch.histories:
            kept = [(key(r.name), encode(r)) for r in batch.histories.values() if r is not None]
            dropped = [(key(name),) for name, r in batch.histories.items() if r is None]
            many("INSERT OR REPLACE INTO histories (name, data) VALUES (?, ?)", kept)
            many("DELETE FROM histories WHERE name = ?", dropped)
            if dropped:
                run_rows.forget(self._db, (name for name, r in batch.histories.items() if r is None))
        if batch.runs:
            self._run_rows.write(self._db, batch.runs)
        if batch.events:
            self._event_rows.write(self._db, batch.events)

    def _change_instance(self, name: str, number: int, changes: dict[str, Any]) -> None:
        execute, where = self._db.execute, (key(name), number)
        query = "SELECT CAST(data AS BLOB) FROM instances WHERE name = ? AND number = ?"
        for (data,) in execute(query, where).fetchall():
            record = replace(decode(InstanceRecord, data), **changes)
            execute("UPDATE instances SET data = ? WHERE name = ? AND number = ?", (encode(record), *where))

    def _read(
        self, read: Callable[..., Read], table: str, order: str, content: bool = False
    ) -> Iterator[Read]:
        # As bytes, so that text which is not UTF-8 spoils its own row only.
        columns = "rowid, CAST(data AS BLOB)" + (", content" if content else "")
        damaged = []
        for rowid, *row in self._db.execute(f"SELECT {columns} FROM {table} ORDER BY {order}").fetchall():
            try:
                yield read(*row)
            except (ValueError, TypeError) as error:
                damaged.append((rowid,))
                self.notices.append(f"cannot read row {rowid} of {table} in {self._path}: {error} (left out)")
        if damaged:
            self._remove_damaged(table, damaged)

    def _remove_damaged(self, table: str, rowids: list[tuple[int]]) -> None:
        with suppress(sqlite3.Error), self._writing(durable=False):  # else the next start says it again
            copy = (
                f"INSERT INTO damaged (table_name, data) SELECT '{table}', data FROM {table} WHERE rowid = ?"
            )
            self._db.executemany(copy, rowids)
            self._db.executemany(f"DELETE FROM {table} WHERE rowid = ?", rowids)

    def _return_to_file(self) -> None:
        """Write everything to a new file where ours was removed, replaced or never could be made."""
        if self._inode is not None and self._inode == _inode(self._path):
            return
        old = self._db
        self._connection = put_in_place(old, self._path, self._clock, self._access)
        old.close()
        self._inode = _inode(self._path)
        self.notices.append(f"wrote the state to {self._path} again: the file was missing or not ours")


@contextmanager
def explained(what: str) -> Iterator[None]:
    """Raises StoreError for what goes wrong with the file in the block."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        hint = "free some space and try again" if "full" in explain(error) else ""
        raise StoreError(f"cannot save {what}: {explain(error)}", hint) from error


def _checkpoint(db: sqlite3.Connection) -> None:
    with suppress(sqlite3.Error):  # the log keeps it, and a later commit tries again
        db.execute("PRAGMA wal_checkpoint(PASSIVE)")


def _sound(kind: type[Record], rows: list[tuple[bytes, ...]]) -> list[Record]:
    """The rows of a history; a damaged one is left out, as nobody could act on it."""
    records = []
    for data, *content in rows:
        with suppress(ValueError, TypeError):
            records.append(decode(kind, data, *content))
    return records


def _inode(path: Path) -> tuple[int, int] | None:
    try:
        status = os.stat(path)  # noqa: PTH116  (in every turn: half the price of Path.stat)
    except OSError:
        return None
    return status.st_dev, status.st_ino
