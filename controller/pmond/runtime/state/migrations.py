"""The tables of the state file, and how an older file becomes a current one.

`PRAGMA user_version` counts the steps a file has taken. Each step runs in a transaction of its
own together with its count, so a file is never between two versions. Steps are only ever
added: tests/contract/state keeps a file of every version, which must load for ever.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING
from uuid import uuid4

from pmond.runtime.base.failpoints import FailPoint, reached

if TYPE_CHECKING:  # costs a tenth of a start, and most starts take no step
    from sqlite_utils import Database

APPLICATION_ID = 0x706D6F6E
"""``pmon`` in ASCII: marks the file as ours (https://www.sqlite.org/pragma.html#pragma_application_id)."""


def _create(db: Database) -> None:
    db.table("meta").create({"key": str, "value": str}, pk="key", not_null={"value"})
    db.table("processes").create({"id": int, "name": str, "data": str}, pk="id", not_null={"name", "data"})
    db.table("processes").create_index(["name"], unique=True)
    db.table("groups").create({"id": int, "name": str}, pk="id", not_null={"name"})
    db.table("groups").create_index(["name"], unique=True)
    db.table("memberships").create({"group_id": int, "process_id": int}, pk=("group_id", "process_id"))
    db.table("instances").create(
        {"name": str, "number": int, "data": str}, pk=("name", "number"), not_null={"data"}
    )
    db.table("histories").create({"name": str, "data": str}, pk="name", not_null={"data"})
    db.table("events").create({"id": int, "name": str, "data": str}, pk="id", not_null={"name", "data"})
    db.table("events").create_index(["name", "id"])
    db.table("sources").create(
        {"path": str, "data": str, "content": bytes}, pk="path", not_null={"data", "content"}
    )
    db.table("revisions").create(
        {"number": int, "set_name": str, "data": str, "content": bytes},
        pk="number",
        not_null={"set_name", "data", "content"},
    )
    db.table("revisions").create_index(["set_name", "number"])
    db.table("damaged").create({"table_name": str, "data": str})
    db.table("meta").insert({"key": "uuid", "value": str(uuid4())})
    db.execute(f"PRAGMA application_id = {APPLICATION_ID}")


def _add_runs(db: Database) -> None:
    db.table("runs").create(
        {"name": str, "number": int, "data": str}, pk=("name", "number"), not_null={"data"}
    )


STEPS: tuple[Callable[[Database], None], ...] = (_create, _add_runs)
"""Step N takes a file from version N to N + 1."""
_SCHEMA_KEY = "schema"
"""In `meta`: the digest of the schema that was last found sound."""


def migrate(db: sqlite3.Connection) -> None:
    """Bring the file up to the current version; one of a newer pmond is left as it is."""
    if version(db) >= len(STEPS):
        return
    tables = _tables(db)
    for number in range(version(db), len(STEPS)):
        with tables.atomic():
            STEPS[number](tables)
            reached(FailPoint.STATE_MIGRATING)
            tables.execute(f"PRAGMA user_version = {number + 1}")


def verify(db: sqlite3.Connection) -> None:
    """Refuse a file whose tables are not those of its version: some byte of its schema is damaged.

    Compared are columns, keys and indexes, not the text of the schema, which another version of
    the library may write differently. A newer pmond may have added to them. A text that was found
    sound before is known by its digest, and not looked into again. Raises ValueError.
    """
    digest = _digest(db)
    known = dict(db.execute("SELECT key, value FROM meta WHERE key IN ('uuid', ?)", (_SCHEMA_KEY,)))
    if "uuid" not in known or (digest != known.get(_SCHEMA_KEY) and not _is_sound(db)):
        raise ValueError("the file is damaged (its tables are not those of pmond)")
    if digest != known.get(_SCHEMA_KEY):
        db.execute("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", (_SCHEMA_KEY, digest))


def version(db: sqlite3.Connection) -> int:
    return int(db.execute("PRAGMA user_version").fetchone()[0])


def is_foreign(db: sqlite3.Connection) -> bool:
    """Whether the file is a sound database of some other program."""
    mark = db.execute("PRAGMA application_id").fetchone()[0]
    return mark != APPLICATION_ID and bool(db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0])


def _digest(db: sqlite3.Connection) -> str:
    rows = db.execute("SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY type, name").fetchall()
    return hashlib.sha256(repr(rows).encode("utf-8", "replace")).hexdigest()


def _is_sound(db: sqlite3.Connection) -> bool:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as fresh:
        migrate(fresh)
        wanted, found = _shape(_tables(fresh)), _shape(_tables(db))
    return wanted <= found if version(db) > len(STEPS) else wanted == found


def _shape(db: Database) -> set[tuple[object, ...]]:
    shape: set[tuple[object, ...]] = set()
    for table in db.tables:
        shape.update((table.name, c.name, c.type, c.notnull, c.is_pk) for c in table.columns)
        shape.update((table.name, tuple(index.columns), index.unique) for index in table.indexes)
    return shape


def _tables(db: sqlite3.Connection) -> Database:
    from sqlite_utils import Database

    return Database(db, recursive_triggers=False, execute_plugins=False)
