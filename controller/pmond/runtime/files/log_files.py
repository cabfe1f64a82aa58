"""Opening what may be read of a log, and which part of it is wanted.

Theory of operation: the process writes its file itself, so all there is to read is files, which
anyone may rotate in any way at any time. Everything is bytes, in chunks of at most 64 KiB, so
neither a huge file nor an endless line costs memory; a chunk need not end with a line. Lines
are counted by their newlines; a last line without one counts too.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import re
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, NamedTuple

from msgspec import Struct

from pmon3_schema.errors import ErrorCode, PmonError
from pmond.runtime.base.guarded import StrangerError, open_folder
from pmond.runtime.base.path_access import PathAccess, Way
from pmond.runtime.base.regular_files import NotRegular, open_regular
from pmond.runtime.base.thread_rights import acting_as
from pmond.runtime.files import archives

CHUNK = 65536
DAMAGED = (EOFError, zlib.error, gzip.BadGzipFile)
"""What reading a compressed file that is not whole raises."""


class LineRange(Struct, frozen=True):
    """Which part of a log: the `last` lines, those from number `first` on (from 1), or from a position on."""

    last: int | None = None
    first: int = 1
    position: int | None = None
    """A byte, counted as `log_position` does; what was removed of it meanwhile is left out."""


def parse_lines(text: str) -> LineRange:
    """``10``: the last ten lines; ``+5``: from line five on; ``@700``: from that byte on; ``all``: all.

    Raises PmonError (bad_request) for anything else.
    """
    if text == "all":
        return LineRange()
    if re.fullmatch(r"@[0-9]{1,18}", text):
        return LineRange(position=int(text[1:]))
    if re.fullmatch(r"\+?[0-9]{1,18}", text):
        return LineRange(first=max(1, int(text))) if text.startswith("+") else LineRange(last=int(text))
    raise PmonError(
        ErrorCode.BAD_REQUEST,
        f"cannot read {text!r} as a number of lines",
        "write 10, +5 (from line 5) or all",
    )


class LogPiece(NamedTuple):
    """Some bytes of a log, and where they are in it."""

    position: int | None
    """That of the first byte; None: of a file that somebody else has rotated, which is not counted."""
    data: bytes


class LogFile(Struct, frozen=True):
    """A log to be read, and with whose rights.

    pmond's own must not lend themselves to whoever chose the path of a log or can put a link there.
    """

    path: Path
    access: PathAccess = PathAccess()

    def open(self) -> IO[bytes]:
        """The log, unbuffered, at its beginning.

        Raises OSError; PmonError when it is no regular file, or (forbidden) somebody else's.
        """
        return self._open(self.path, self.access)

    def open_beside(self, name: str) -> IO[bytes]:
        """The same of a file in its folder, such as an archive."""
        return self._open(self.path.with_name(name), self.access)

    def open_lock(self) -> IO[bytes]:
        """The same of what guards its rotation, which is of whoever rotates it."""
        lock = self.path.with_name(archives.lock_name(self.path.name))
        return self._open(lock, self.access.for_files_of(None))

    def _open(self, file: Path, access: PathAccess) -> IO[bytes]:
        path = str(file)
        try:
            return open(open_regular(path, access), "rb", buffering=0)  # noqa: PTH123
        except NotRegular as error:
            raise PmonError(ErrorCode.INVALID, f"cannot read {path}: {error.strerror}") from None
        except StrangerError as error:
            hint = f"read it yourself, if you may: tail {path}"
            raise PmonError(ErrorCode.FORBIDDEN, f"cannot read {path}: {error.strerror}", hint) from None

    def names(self) -> list[str]:
        """What is in its folder. Raises OSError."""
        folder = str(self.path.parent)

        def list_on(way: Way) -> list[str]:
            if way.guard is None:
                return os.listdir(folder)  # noqa: PTH208
            descriptor = open_folder(folder, way.guard)
            try:
                return os.listdir(descriptor)  # noqa: PTH208
            finally:
                os.close(descriptor)

        return self.access.perform(list_on, acting_as)

    def changed(self, names: Iterable[str]) -> Iterator[tuple[str, int]]:
        """The regular files among these in its folder, and when each was changed last. Raises OSError."""
        for name in names:
            with suppress(PmonError, FileNotFoundError, PermissionError), self.open_beside(name) as file:
                yield name, os.fstat(file.fileno()).st_mtime_ns


def unpacked(packed: IO[bytes], suffix: str) -> IO[bytes]:
    """The same file as it was before it was compressed, if it was."""
    unpackers: dict[str, Callable[[IO[bytes]], Any]] = {
        ".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open,
    }  # fmt: skip
    found: IO[bytes] = unpackers[suffix](packed) if suffix in unpackers else packed
    return found


def unreadable(path: str | os.PathLike[str], error: OSError) -> PmonError:
    """The error for a log that cannot be read."""
    if isinstance(error, FileNotFoundError):
        return PmonError(ErrorCode.NOT_FOUND, f"cannot read {os.fspath(path)}: there is no log yet")
    code = ErrorCode.FORBIDDEN if isinstance(error, PermissionError) else ErrorCode.INVALID
    return PmonError(code, f"cannot read {os.fspath(path)}: {error.strerror or error}")
