"""Rows of runs: of each process the last so many, and of all together so many.

The name stands in its column only, so a rename is one statement.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import suppress

from msgspec.structs import replace

from pmond.runtime.state.records import RunRecord, decode, encode, key

KEEP_PER_PROCESS = 100
KEEP = 20_000
"""Of all processes together."""
_BETWEEN_TRIMS = 1_000
"""Runs that are added between two looks at how many there are in all."""


class RunRows:
    """Writes them; knows when the oldest have to go."""

    def __init__(self) -> None:
        self._added = _BETWEEN_TRIMS

    def write(self, db: sqlite3.Connection, runs: Sequence[RunRecord]) -> None:
        """Add runs, and drop what is beyond what is kept."""
        rows = [(key(run.name), run.number, encode(replace(run, name=""))) for run in runs]
        db.executemany("INSERT OR REPLACE INTO runs (name, number, data) VALUES (?, ?, ?)", rows)
        latest = {name: number for name, number, _ in rows}
        old = [(name, number - KEEP_PER_PROCESS) for name, number in latest.items()]
        db.executemany("DELETE FROM runs WHERE name = ? AND number <= ?", old)
        self._added += len(rows)
        if self._added >= _BETWEEN_TRIMS:
            self._added = 0
            last = f"SELECT rowid FROM runs ORDER BY rowid DESC LIMIT 1 OFFSET {KEEP}"
            db.execute(f"DELETE FROM runs WHERE rowid <= ({last})")


def forget(db: sqlite3.Connection, names: Iterable[str]) -> None:
    """Drop the runs of processes that are no more."""
    db.executemany("DELETE FROM runs WHERE name = ?", [(key(name),) for name in names])


def of_process(db: sqlite3.Connection, name: str, limit: int) -> list[RunRecord]:
    """The newest runs of a process, oldest first."""
    query = "SELECT CAST(data AS BLOB) FROM runs WHERE name = ? ORDER BY number DESC LIMIT ?"
    rows = db.execute(query, (key(name), limit)).fetchall()
    return _sound((name, data) for (data,) in reversed(rows))


def latest(db: sqlite3.Connection) -> dict[str, RunRecord]:
    """The last run of each process."""
    query = "SELECT name, CAST(data AS BLOB), max(number) FROM runs GROUP BY name"
    found = _sound((name, data) for name, data, _ in db.execute(query).fetchall())
    return {run.name: run for run in found}


def _sound(rows: Iterable[tuple[str, bytes]]) -> list[RunRecord]:
    """What can be read of a history; nobody could act on the rest."""
    runs = []
    for name, data in rows:
        with suppress(ValueError, TypeError):
            runs.append(replace(decode(RunRecord, data), name=name))
    return runs
