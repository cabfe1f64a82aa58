"""Looking into the state file of a pmond that may be running, without its noticing.

Theory of operation: a running pmond has the file for itself, and what it wrote last is in the log
beside it. Both files are copied, and the copy counts if neither of them changed meanwhile: it is
then what the file would be after a crash at that instant, which SQLite reads.
"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

from pmond.runtime.state.records import key

_FILES = ("", "-wal")
_TRIES = 5


class CannotPeek(Exception):
    """The text says why the state cannot be read."""


def accepted_content(path: Path, source: str) -> bytes:
    """The documents of a manifest that were accepted last, packed; none: empty. Raises CannotPeek."""
    try:
        with tempfile.TemporaryDirectory(prefix="pmond-check-") as folder:
            copy = Path(folder) / path.name
            if not _copied(path, copy):
                return b""
            with closing(sqlite3.connect(copy)) as db:
                query = "SELECT content FROM sources WHERE path = ?"
                found = db.execute(query, (key(source),)).fetchone()
    except OSError as error:
        raise CannotPeek(error.strerror or str(error)) from error
    except sqlite3.Error as error:
        raise CannotPeek(str(error)) from error
    return bytes(found[0]) if found is not None else b""


def _copied(path: Path, copy: Path) -> bool:
    """Whether there is such a file; it is then copied with its log. Raises OSError, CannotPeek."""
    for _ in range(_TRIES):
        before = _stamps(path)
        for suffix, stamp in zip(_FILES, before, strict=True):
            if stamp is not None:
                shutil.copyfile(f"{path}{suffix}", f"{copy}{suffix}")
        if _stamps(path) == before:
            return before[0] is not None
    raise CannotPeek("it changes while it is read")


def _stamps(path: Path) -> list[tuple[int, int, int] | None]:
    return [_stamp(Path(f"{path}{suffix}")) for suffix in _FILES]


def _stamp(file: Path) -> tuple[int, int, int] | None:
    try:
        status = file.stat()
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns
