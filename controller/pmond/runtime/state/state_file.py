"""Opening the state file so that pmond always starts.

Theory of operation: the file is one SQLite database in WAL mode. One that is damaged, of
another program or of another user is moved aside (`data.db.corrupt-TIME`) and a new one begun;
the manifests and the live processes fill it again. One that is sound but cannot be written
(full disk, read-only folder) is copied into memory, so that what it says still counts; `store`
puts the copy in place as soon as that can be done. Nothing is ever deleted. A copy counts from the
moment that it has the name `data.db.new`: whoever finds it there puts it in place, so that a kill
between the renames loses neither the old state nor the new one.

The connection holds the file for itself (`locking_mode=EXCLUSIVE`): SQLite then needs no
shared-memory file, which somebody could truncate under us (a bus error, hence a dead daemon),
and saves the locking calls of each transaction. `state_lock` already sees to one pmond per folder.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import tempfile
from pathlib import Path

from msgspec import Struct, field

from pmond.runtime.base.clock import Clock
from pmond.runtime.base.failpoints import FailPoint, reached
from pmond.runtime.state import migrations

_SIDE_FILES = ("", "-wal", "-journal")
_HEADER = 100
"""Bytes; see https://sqlite.org/fileformat.html."""
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT}
_PASSING = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_NOMEM}
"""Not the fault of the file: it is kept where it is."""


class FileAccess(Struct, frozen=True):
    """Who may use the state file. What is in it runs: only who could configure pmond may write it."""

    mode: int = 0o600
    owner: tuple[int, int] | None = None
    """uid and gid, where the configuration names them; None: pmond's own."""

    def apply(self, path: Path) -> None:
        """Give the file and its side files these rights. Raises OSError."""
        for file in (Path(f"{path}{suffix}") for suffix in _SIDE_FILES):
            if file.exists():
                file.chmod(self.mode & ~stat.S_IWOTH)
                if self.owner is not None:
                    os.chown(file, *self.owner)

    def trusts(self, uid: int) -> bool:
        """Whether a file of this user is believed."""
        return uid in {0, os.geteuid()} or (self.owner is not None and uid == self.owner[0])


class Unusable(Exception):
    """The file must not be read; the text says why."""


_UNSOUND = (Unusable, sqlite3.Error, ValueError, TypeError)
"""The last two: what a damaged schema makes of the library."""


class StateFile(Struct):
    """An open database, and what a person should know about how it was opened."""

    db: sqlite3.Connection
    path: Path
    in_memory: str | None = None
    """Why it is only in memory, or None."""
    notices: list[str] = field(default_factory=list)


def open_state_file(path: Path, clock: Clock, mode: int, access: FileAccess) -> StateFile:
    """Open or begin the state file at `path`, creating its folder with `mode`; never raises for its state."""
    notices: list[str] = []
    try:
        path.parent.mkdir(mode=mode, parents=True, exist_ok=True)
        _replace(path, clock)
        try:
            db = _open_checked(path, notices, access)
        except _UNSOUND as error:
            if _is_passing(error):
                raise
            aside = move_aside(path, clock)
            notices.append(f"cannot use the state in {path}: {error} (moved to {aside}, begun anew)")
            db = _open_checked(path, notices, access)
        return StateFile(db, path, None, notices)
    except (OSError, *_UNSOUND) as error:
        reason = explain(error)
        notices.append(f"cannot write the state in {path}: {reason} (kept in memory until it can be written)")
        return StateFile(_copy_in_memory(path, notices, access), path, reason, notices)


def connect(path: Path) -> sqlite3.Connection:
    """A connection set up for our way of writing. Raises sqlite3.Error."""
    # Another program that has the file open delays a command by this much at most, in seconds.
    db = sqlite3.connect(path, timeout=0.25, isolation_level=None, check_same_thread=False)
    try:
        # Damaged text costs only itself.
        db.text_factory = lambda text: text.decode("utf-8", "replace")
        db.execute("PRAGMA locking_mode = EXCLUSIVE")
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
    except BaseException:
        db.close()
        raise
    return db


def move_aside(path: Path, clock: Clock) -> Path:
    """Rename the file and what belongs to it; the new name of the file. Raises OSError."""
    stamp = clock.wall().replace(":", "").replace("-", "")
    aside = path.with_name(f"{path.name}.corrupt-{stamp}")
    count = 1
    while aside.exists():
        count += 1
        aside = path.with_name(f"{path.name}.corrupt-{stamp}-{count}")
    for suffix in _SIDE_FILES:
        side = Path(f"{path}{suffix}")
        if suffix == "" or side.exists():
            side.rename(f"{aside}{suffix}")
            reached(FailPoint.STATE_MOVING_ASIDE)
    return aside


def put_in_place(db: sqlite3.Connection, path: Path, clock: Clock, access: FileAccess) -> sqlite3.Connection:
    """Write all of `db` to `path` and continue there; what is at `path` is moved aside.

    Raises OSError or sqlite3.Error, and then `db` is still good.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    copy = path.with_name(f"{path.name}.copy")
    _write_copy(db, copy, access)
    reached(FailPoint.STATE_COPIED)
    copy.rename(_replacement(path))
    _replace(path, clock)
    return connect(path)


def _replacement(path: Path) -> Path:
    """Where a whole copy of the state waits to take the place of what is at `path`."""
    return path.with_name(f"{path.name}.new")


def _replace(path: Path, clock: Clock) -> None:
    """Put the replacement in its place, if there is one: also one that a killed pmond has left."""
    fresh = _replacement(path)
    if not fresh.exists():
        return
    if path.exists() or path.is_symlink():
        move_aside(path, clock)
    Path(f"{path}-wal").unlink(missing_ok=True)
    reached(FailPoint.STATE_REPLACING)
    fresh.rename(path)


def _write_copy(db: sqlite3.Connection, fresh: Path, access: FileAccess) -> None:
    fresh.unlink(missing_ok=True)
    copy = sqlite3.connect(fresh)
    try:
        db.backup(copy)
        access.apply(fresh)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise
    finally:
        copy.close()


def explain(error: Exception) -> str:
    """Why a read or write failed, in the words of a person who can do something about it."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    words = {
        sqlite3.SQLITE_FULL: "disk full",
        sqlite3.SQLITE_READONLY: "read-only",
        sqlite3.SQLITE_BUSY: "another program uses the file",
        sqlite3.SQLITE_CANTOPEN: "the file cannot be opened",
        sqlite3.SQLITE_IOERR: "input/output error",
        sqlite3.SQLITE_CORRUPT: "the file is damaged",
        sqlite3.SQLITE_NOTADB: "the file is damaged",
    }
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return f"{words[code]} ({error})" if code in words else str(error)


def _is_passing(error: Exception) -> bool:
    return getattr(error, "sqlite_errorcode", -1) & 0xFF in _PASSING


def _open_checked(path: Path, notices: list[str], access: FileAccess) -> sqlite3.Connection:
    _refuse_planted(path, notices, access)
    _refuse_short(path)
    # Not left to SQLite, whose files anyone may read.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    reached(FailPoint.STATE_CREATED)
    db = connect(path)
    try:
        if migrations.is_foreign(db):
            raise Unusable("it belongs to another program")
        if migrations.version(db) > len(migrations.STEPS):
            notices.append(f"the state in {path} is of a newer pmond; read as far as it is understood")
        # Not quick_check: that passes an index which does not match its table, and fails later.
        verdict = db.execute("PRAGMA integrity_check(1)").fetchone()[0]
        if verdict != "ok":
            raise Unusable(f"the file is damaged ({verdict})")
        migrations.migrate(db)
        migrations.verify(db)
        access.apply(path)
    except BaseException:
        db.close()
        raise
    return db


def _refuse_short(path: Path) -> None:
    """SQLite takes what is shorter than its shortest header for a new file, and removes the log beside it."""
    size = path.stat().st_size if path.exists() else 0
    if 0 < size < _HEADER:
        raise Unusable(f"it is too short to be a database: {size} byte{'s' if size > 1 else ''}")


def _refuse_planted(path: Path, notices: list[str], access: FileAccess) -> None:
    """Root must not run what another user wrote: only a plain file of our own is believed, or of
    the user whom the configuration names for it.
    """
    try:
        status = path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISREG(status.st_mode):
        raise Unusable("it is not a regular file")
    if not access.trusts(status.st_uid):
        raise Unusable(f"it belongs to user id {status.st_uid}")
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH) & ~access.mode:
        notices.append(f"the state in {path} could be written by others than it should; no more")


def _copy_in_memory(path: Path, notices: list[str], access: FileAccess) -> sqlite3.Connection:
    db = sqlite3.connect(":memory:", isolation_level=None)
    try:
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder, path.name)
            for suffix in _SIDE_FILES:
                if Path(f"{path}{suffix}").is_file():
                    shutil.copyfile(f"{path}{suffix}", f"{copy}{suffix}")
            if copy.exists():
                source = _open_checked(copy, notices, FileAccess())
                source.backup(db)
                source.close()
    except (OSError, *_UNSOUND) as error:
        notices.append(f"cannot read the state in {path}: {explain(error)} (begun anew from manifests)")
    migrations.migrate(db)
    return db
