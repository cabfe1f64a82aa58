"""The tables of the state file, and how an older file becomes a current one.

`PRAGMA user_version` counts the steps a file has taken. Each step runs in a transaction of its
own together with its count, so a file is never between two versions. Steps are only ever
added: tests/contract/state keeps a file of every version, which must load for ever.
"""

from __future__ import annotations

from collections.abc import Callable
from uuid import uuid4

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


STEPS: tuple[Callable[[Database], None], ...] = (_create,)
"""Step N takes a file from version N to N + 1."""


def migrate(db: Database) -> None:
    """Bring the file up to the current version; one of a newer pmond is left as it is."""
    for number in range(version(db), len(STEPS)):
        with db.atomic():
            STEPS[number](db)
            db.execute(f"PRAGMA user_version = {number + 1}")


def verify(db: Database) -> None:
    """Refuse a file whose tables are not those of its version: some byte of its schema is damaged.

    Compared are columns, keys and indexes, not the text of the schema, which another version of
    the library may write differently. A newer pmond may have added to them. Raises ValueError.
    """
    fresh = Database(memory=True, recursive_triggers=False, execute_plugins=False)
    migrate(fresh)
    wanted, found = _shape(fresh), _shape(db)
    fresh.close()
    sound = wanted <= found if version(db) > len(STEPS) else wanted == found
    if not sound or db.execute("SELECT value FROM meta WHERE key = 'uuid'").fetchone() is None:
        raise ValueError("the file is damaged (its tables are not those of pmond)")


def _shape(db: Database) -> set[tuple[object, ...]]:
    shape: set[tuple[object, ...]] = set()
    for table in db.tables:
        shape.update((table.name, c.name, c.type, c.notnull, c.is_pk) for c in table.columns)
        shape.update((table.name, tuple(index.columns), index.unique) for index in table.indexes)
    return shape


def version(db: Database) -> int:
    return int(db.execute("PRAGMA user_version").fetchone()[0])


def is_foreign(db: Database) -> bool:
    """Whether the file is a sound database of some other program."""
    mark = db.execute("PRAGMA application_id").fetchone()[0]
    return mark != APPLICATION_ID and bool(db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0])
