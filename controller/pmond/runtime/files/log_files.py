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
import stat
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, NamedTuple

from msgspec import Struct

from pmon3_schema.errors import ErrorCode, PmonError

CHUNK = 65536
DAMAGED = (EOFError, zlib.error, gzip.BadGzipFile)
"""What reading a compressed file that is not whole raises."""


class LineRange(Struct, frozen=True):
    """Which part of a log: the `last` lines, or those from number `first` on (from 1)."""

    last: int | None = None
    first: int = 1


def parse_lines(text: str) -> LineRange:
    """``10``: the last ten lines; ``+5``: from line five on; ``all``: everything.

    Raises PmonError (bad_request) for anything else.
    """
    if text == "all":
        return LineRange()
    if re.fullmatch(r"\+?[0-9]{1,18}", text):
        return LineRange(first=max(1, int(text))) if text.startswith("+") else LineRange(last=int(text))
    raise PmonError(
        ErrorCode.BAD_REQUEST,
        f"cannot read {text!r} as a number of lines",
        "write 10, +5 (from line 5) or all",
    )


Owners = frozenset[int]
"""User ids whose files may be read; None in its place: anybody's.

pmond reads with its own rights, which must not lend themselves to whoever chose the path of a log
or can put a link there. So the file that was opened is asked whose it is; nothing can change that.
"""


class LogFile(NamedTuple):
    """A log that a caller may read, as far as the file is one of these users'."""

    path: Path
    owners: Owners | None = None


def open_log(path: str | os.PathLike[str], owners: Owners | None = None) -> IO[bytes]:
    """The log, unbuffered, at its beginning.

    Raises OSError; PmonError when it is no regular file, or (forbidden) not one of the owners'.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise PmonError(ErrorCode.INVALID, f"cannot read {os.fspath(path)}: it is not a regular file")
    if owners is not None and status.st_uid not in owners:
        os.close(descriptor)
        raise PmonError(
            ErrorCode.FORBIDDEN, f"cannot read {os.fspath(path)}: it belongs to somebody else",
            f"read it yourself, if you may: tail {os.fspath(path)}",
        )  # fmt: skip
    return open(descriptor, "rb", buffering=0)  # noqa: PTH123  (a descriptor)


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
    return PmonError(ErrorCode.INVALID, f"cannot read {os.fspath(path)}: {error.strerror or error}")
