"""A transaction that stays open over several turns of the loop, for a change of thousands of rows.

Theory of operation: rows are written some at a time, and the loop goes on between. Nothing of it
counts before the end, which is one short step (`committed`); a pmond that dies before has written
nothing. The file takes one transaction at a time, so whoever else changes desired state meanwhile
ends this one (`abandon`) and goes first: the owner sees that it is no longer open, and begins again
from what is declared then. Runtime facts do not end it; they wait in memory (`Store.flush`).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress

from pmond.runtime.failpoints import FailPoint, reached
from pmond.runtime.state.change import Change, Statements

_PAGES = 1000
"""SQLite's own value for the size of a log that is worth a checkpoint."""


class _Abandoned(Exception):
    """Rolls the transaction back."""


class Staging:
    """One such transaction, open from its making on. Methods raise sqlite3.Error, and it is over then."""

    def __init__(
        self, db: sqlite3.Connection, writing: AbstractContextManager[None], ended: Callable[[], None]
    ) -> None:
        self._db = db
        with ExitStack() as entered:
            entered.callback(ended)
            # So many rows are worth a checkpoint, which would come with the commit and take longer than it.
            entered.callback(db.execute, f"PRAGMA wal_autocheckpoint = {_PAGES}")
            db.execute("PRAGMA wal_autocheckpoint = 0")
            entered.enter_context(writing)
            self._entered = entered.pop_all()
        self.open = True

    def write(self, statements: Statements) -> None:
        """Execute some of it."""
        try:
            Change(self._db).execute(statements)
            reached(FailPoint.MANY_BEGUN)
        except BaseException:
            self.abandon()
            raise

    @contextmanager
    def committed(self) -> Iterator[Change]:
        """Write the rest, in the block; when it is left all is on the disk, or nothing if it raised."""
        self.open = False
        with self._entered:
            yield Change(self._db)

    def abandon(self) -> None:
        """Nothing of it happened; once it is over this does nothing."""
        if self.open:
            self.open = False
            with suppress(_Abandoned), self._entered:
                raise _Abandoned
