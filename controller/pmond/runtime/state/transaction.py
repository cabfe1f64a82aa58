"""Writes of desired state inside one transaction; `Store.transaction` hands it out.

A large change is put together away from the file first (`DraftTransaction`), by a thread perhaps, and written
some rows at a time (`staging`).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby, islice
from operator import itemgetter
from typing import Any

from msgspec.structs import replace

from pmond.core.model import Intent
from pmond.runtime.base.long_work import drained
from pmond.runtime.state.intent_rows import encode_intent
from pmond.runtime.state.records import (
    GroupRecord,
    HistoryRecord,
    InstanceRecord,
    RevisionRecord,
    SourceRecord,
    decode,
    encode,
    key,
)

Statements = tuple[str, list[tuple[Any, ...]]]
"""One statement and the rows of values to execute it with."""


class Transaction:
    """What may be changed together. Methods raise sqlite3.Error, which the transaction explains."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._execute: Callable[..., Any] = db.execute
        self._execute_many = db.executemany

    def execute(self, statements: Statements) -> None:
        """Execute what a draft holds, or some of it."""
        self._execute_many(*statements)

    def next_process_id(self) -> int:
        """One more than the largest in use, as in the seed; 1 for the first process."""
        return self._next("SELECT max(id) FROM processes")

    def next_group_id(self) -> int:
        return self._next("SELECT max(id) FROM groups")

    def put_process(self, intent: Intent) -> None:
        """Add a process, or replace the one with the same id."""
        self._execute(
            "INSERT INTO processes (id, name, data) VALUES (?, ?, ?)"
            " ON CONFLICT (id) DO UPDATE SET name = excluded.name, data = excluded.data",
            (intent.id, key(intent.name), encode_intent(intent)),
        )

    def rename_runtime(self, old: str, new: str) -> None:
        """What is remembered of the runs of a process goes on under its new name."""
        rows = self._execute("SELECT CAST(data AS BLOB) FROM instances WHERE name = ?", (key(old),))
        for (data,) in rows.fetchall():
            record = decode(InstanceRecord, data)
            moved = replace(record, name=new, born_as=record.born_as or old)
            self._execute(
                "UPDATE instances SET name = ?, data = ? WHERE name = ? AND number = ?",
                (key(new), encode(moved), key(old), record.number),
            )
        rows = self._execute("SELECT CAST(data AS BLOB) FROM histories WHERE name = ?", (key(old),))
        for (data,) in rows.fetchall():
            history = replace(decode(HistoryRecord, data), name=new)
            self._execute(
                "INSERT OR REPLACE INTO histories (name, data) VALUES (?, ?)", (key(new), encode(history))
            )
            self._execute("DELETE FROM histories WHERE name = ?", (key(old),))
        self._execute("UPDATE OR REPLACE runs SET name = ? WHERE name = ?", (key(new), key(old)))

    def delete_processes(self, numbers: Sequence[int]) -> None:
        """Remove processes, some hundred at most, and their memberships. Their events stay."""
        # Together: memberships are found by their groups, so that each time all are looked through.
        those = f"({','.join('?' * len(numbers))})"
        self._execute(f"DELETE FROM memberships WHERE process_id IN {those}", tuple(numbers))
        self._execute(f"DELETE FROM processes WHERE id IN {those}", tuple(numbers))

    def put_group(self, record: GroupRecord) -> None:
        self._execute(
            "INSERT INTO groups (id, name) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET name = excluded.name",
            (record.id, key(record.name)),
        )

    def delete_group(self, number: int) -> None:
        """Remove a group and its memberships, so that no later group of this id inherits them."""
        self._execute("DELETE FROM memberships WHERE group_id = ?", (number,))
        self._execute("DELETE FROM groups WHERE id = ?", (number,))

    def add_member(self, group: int, process: int) -> None:
        self._execute(
            "INSERT OR IGNORE INTO memberships (group_id, process_id) VALUES (?, ?)", (group, process)
        )

    def remove_member(self, group: int, process: int) -> None:
        self._execute("DELETE FROM memberships WHERE group_id = ? AND process_id = ?", (group, process))

    def put_source(self, record: SourceRecord) -> None:
        self._execute(
            "INSERT OR REPLACE INTO sources (path, data, content) VALUES (?, ?, ?)",
            (key(record.path), encode(record), record.content),
        )

    def delete_source(self, path: str) -> None:
        self._execute("DELETE FROM sources WHERE path = ?", (key(path),))

    def next_revision_number(self) -> int:
        return self._next("SELECT max(number) FROM revisions")

    def add_revision(self, record: RevisionRecord) -> None:
        self._execute(
            "INSERT INTO revisions (number, set_name, data, content) VALUES (?, ?, ?, ?)",
            (record.number, key(record.set_name), encode(record), record.content),
        )

    def put_revision(self, record: RevisionRecord) -> None:
        """Replace a revision, whose outcome is known now."""
        self._execute(
            "UPDATE revisions SET data = ? WHERE number = ? AND set_name = ?",
            (encode(record), record.number, key(record.set_name)),
        )

    def trim_revisions(self, set_name: str, keep: int) -> None:
        """Forget all but the newest revisions of a set."""
        newest = "SELECT number FROM revisions WHERE set_name = ? ORDER BY number DESC LIMIT ?"
        self._execute(
            f"DELETE FROM revisions WHERE set_name = ? AND number NOT IN ({newest})",
            (key(set_name), key(set_name), keep),
        )

    def trim_revisions_within(self, set_names: Sequence[str], most: int) -> None:
        """Forget the oldest revisions of some sets, all together, beyond so many bytes of content."""
        those = f"({','.join('?' * len(set_names))})"
        rows = self._execute(
            f"SELECT number, length(content) FROM revisions WHERE set_name IN {those} ORDER BY number DESC",
            tuple(map(key, set_names)),
        ).fetchall()
        room = most
        for number, size in rows:
            room -= size
            if room < 0:
                self._execute(
                    f"DELETE FROM revisions WHERE number <= ? AND set_name IN {those}",
                    (number, *map(key, set_names)),
                )
                return

    def _next(self, query: str) -> int:
        return int(self._execute(query).fetchone()[0] or 0) + 1


class DraftTransaction(Transaction):
    """A change that is only written down, to be executed as one transaction later.

    `process` and `group` are the greatest ids in use; the draft is good as long as they are.
    """

    def __init__(self, process: int, group: int) -> None:
        self._written = written = list[tuple[str, tuple[Any, ...]]]()
        # Not a method of ours: that would be a cycle, and thousands of rows wait for the collector.
        self._execute = lambda query, values: written.append((query, values))
        self._process = process
        self._group = group
        self.renames: list[tuple[str, str]] = []
        """Old and new names; what is remembered of runs is read, so it is moved at the very end."""

    def next_process_id(self) -> int:
        self._process += 1
        return self._process

    def next_group_id(self) -> int:
        self._group += 1
        return self._group

    def rename_runtime(self, old: str, new: str) -> None:
        self.renames.append((old, new))

    def statements(self, most: int) -> Iterator[Statements]:
        """What was written down, in order, at most so many rows at a time. It is used up."""
        for query, written in groupby(drained(self._written), itemgetter(0)):
            rows = map(itemgetter(1), written)
            while some := list(islice(rows, most)):
                yield query, some
