"""Rows of events: of each process the last so many, and of all together so many."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from pmond.runtime.state.records import EventRecord, encode, key

KEEP_EVENTS = 10_000
"""Events kept in all."""
KEEP_EVENTS_PER_PROCESS = 200


class EventRows:
    """Writes them; knows how many there are, and when the oldest have to go."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._count(db)

    def write(self, db: sqlite3.Connection, events: Sequence[EventRecord]) -> None:
        """Add events, and drop what is beyond what is kept."""
        rows = [(event.id, key(event.name), encode(event)) for event in events]
        db.executemany("INSERT OR REPLACE INTO events (id, name, data) VALUES (?, ?, ?)", rows)
        self._trim(db, events)

    def _trim(self, db: sqlite3.Connection, added: Sequence[EventRecord]) -> None:
        counts = self._counts
        self._total += len(added)
        for event in added:
            counts[event.name] = counts.get(event.name, 0) + 1
        # Some slack, so that a full history is not trimmed at each event; it is never shown.
        for name in {event.name for event in added}:
            if counts[name] > KEEP_EVENTS_PER_PROCESS * 5 // 4:
                _delete(db, "WHERE name = ?", [key(name)], KEEP_EVENTS_PER_PROCESS)
                counts[name] = KEEP_EVENTS_PER_PROCESS
        if self._total > KEEP_EVENTS * 5 // 4:
            _delete(db, "", [], KEEP_EVENTS)
            self._count(db)

    def _count(self, db: sqlite3.Connection) -> None:
        query = "SELECT name, count(*) FROM events GROUP BY name"
        self._counts: dict[str, int] = dict(db.execute(query).fetchall())
        self._total = sum(self._counts.values())


def _delete(db: sqlite3.Connection, where: str, values: list[str], keep: int) -> None:
    last = f"SELECT id FROM events {where} ORDER BY id DESC LIMIT 1 OFFSET {keep}"
    joined = f"{where} AND" if where else "WHERE"
    db.execute(f"DELETE FROM events {joined} id <= ({last})", [*values, *values])
