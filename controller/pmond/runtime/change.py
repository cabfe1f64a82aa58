"""Writes of desired state inside one transaction; `Store.transaction` hands it out."""

from __future__ import annotations

from sqlite_utils import Database

from pmond.runtime.records import GroupRecord, ProcessRecord, RevisionRecord, SourceRecord, encode, key


class Change:
    """What may be changed together. Methods raise sqlite3.Error, which the transaction explains."""

    def __init__(self, db: Database) -> None:
        self._execute = db.conn.execute

    def next_process_id(self) -> int:
        """One more than the largest in use, as in the seed; 1 for the first process."""
        return self._next("SELECT max(id) FROM processes")

    def next_group_id(self) -> int:
        return self._next("SELECT max(id) FROM groups")

    def put_process(self, record: ProcessRecord) -> None:
        """Add a process, or replace the record with the same id."""
        self._execute(
            "INSERT INTO processes (id, name, data) VALUES (?, ?, ?)"
            " ON CONFLICT (id) DO UPDATE SET name = excluded.name, data = excluded.data",
            (record.id, key(record.name), encode(record)),
        )

    def delete_process(self, number: int) -> None:
        """Remove a process and its memberships. Its events stay."""
        self._execute("DELETE FROM memberships WHERE process_id = ?", (number,))
        self._execute("DELETE FROM processes WHERE id = ?", (number,))

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

    def _next(self, query: str) -> int:
        return int(self._execute(query).fetchone()[0] or 0) + 1
