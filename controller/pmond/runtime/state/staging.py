"""A transaction that stays open over several turns of the loop, for a change of thousands of rows.

Theory of operation: rows are written some at a time, and the loop goes on between. Nothing of it
counts before the end, which is one short step (`committed`); a pmond that dies before has written
nothing. So that the end is short, rows go to the log on the way (little is kept in memory), and a
thread has them reach the disk (`sync`). The file takes one transaction at a time, so whoever else
changes desired state meanwhile ends this one (`abandon`) and goes first: the owner sees that it is no
longer open, and begins again from what is declared then. Runtime facts do not end it; they wait in
memory (`Store.flush`).
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path

from pmond.runtime.base.failpoints import FailPoint, reached
from pmond.runtime.base.threads import shortage_told
from pmond.runtime.state.transaction import Statements, Transaction

_PAGES = 1000
"""SQLite's own value for the size of a log that is worth a checkpoint."""
_KEPT, _KEPT_OTHERWISE = 500, 2000
"""KiB of changed pages that SQLite keeps in memory until it writes them to the log; its own value."""


class _Abandoned(Exception):
    """Rolls the transaction back."""


class Staging:
    """One such transaction, open from its making on. Methods raise sqlite3.Error, and it is over then."""

    def __init__(
        self,
        db: sqlite3.Connection,
        log: Path,
        writing: AbstractContextManager[None],
        thread: Executor,
        ended: Callable[[], None],
    ) -> None:
        self._db = db
        self._log = log
        self._thread = thread
        with ExitStack() as entered:
            entered.callback(ended)
            # So many rows are worth a checkpoint, which would come with the commit and take longer than it.
            entered.callback(db.execute, f"PRAGMA wal_autocheckpoint = {_PAGES}")
            db.execute("PRAGMA wal_autocheckpoint = 0")
            entered.callback(db.execute, f"PRAGMA cache_size = -{_KEPT_OTHERWISE}")
            db.execute(f"PRAGMA cache_size = -{_KEPT}")
            entered.enter_context(writing)
            self._entered = entered.pop_all()
        self.open = True

    def write(self, statements: Statements) -> None:
        """Execute some of it."""
        try:
            Transaction(self._db).execute(statements)
            reached(FailPoint.MANY_BEGUN)
        except BaseException:
            self.abandon()
            raise

    async def sync(self) -> None:
        """Have what was written so far reach the disk, so that the commit need not wait for it."""
        with suppress(OSError):  # the commit will say what is wrong
            with shortage_told():
                synced = asyncio.get_running_loop().run_in_executor(self._thread, _sync, self._log)
            await synced

    @contextmanager
    def committed(self) -> Iterator[Transaction]:
        """Write the rest, in the block; when it is left all is on the disk, or nothing if it raised."""
        self.open = False
        with self._entered:
            yield Transaction(self._db)

    def abandon(self) -> None:
        """Nothing of it happened; once it is over this does nothing."""
        if self.open:
            self.open = False
            with suppress(_Abandoned), self._entered:
                raise _Abandoned


def _sync(file: Path) -> None:
    descriptor = os.open(file, os.O_RDWR | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
