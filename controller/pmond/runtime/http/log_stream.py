"""A log as a stream of bytes.

Theory of operation: the bytes are those of the file, so whoever reads them splits them into lines. Who wants
to know where they are in the log (to find out when they were written) gets them in frames: a line with a
position, or `-`, and a length, then so many bytes.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Iterator

from msgspec import Struct

from pmond.runtime.files import log_files, log_follow, logs
from pmond.runtime.files.log_files import LineRange, LogFile, LogPiece


class WantedLog(Struct, frozen=True):
    """Which part of a log, and how."""

    lines: LineRange
    everything: bool = False
    """Rotated files too; if it is followed, the whole of the present file."""
    follow: bool = False
    positions: bool = False
    """In frames."""


def stream(file: LogFile, wanted: WantedLog) -> AsyncGenerator[bytes, None]:
    """A log as text: its last lines or all of it, then, if it is followed, what is new.

    Raises PmonError at once, rather than from the stream, when the log cannot be read.
    """
    if not wanted.follow:
        pieces = _pieces(file, wanted)
        return _read(next(pieces, b""), pieces)
    _check_readable(file)
    return _followed(file, wanted)


def _pieces(file: LogFile, wanted: WantedLog) -> Iterator[bytes]:
    if wanted.positions:
        found = logs.all_pieces(file) if wanted.everything else logs.pieces(file, wanted.lines)
        return map(_framed, found)
    return logs.read_all(file) if wanted.everything else logs.read(file, wanted.lines)


def _framed(piece: LogPiece) -> bytes:
    place = b"-" if piece.position is None else b"%d" % piece.position
    return b"%b %d\n%b" % (place, len(piece.data), piece.data)


async def _read(first: bytes, rest: Iterator[bytes]) -> AsyncGenerator[bytes, None]:
    yield first
    for piece in rest:
        yield piece
        await asyncio.sleep(0)  # a long log is read in between the other work


async def _followed(file: LogFile, wanted: WantedLog) -> AsyncGenerator[bytes, None]:
    # What was rotated away is not followed.
    lines = LineRange() if wanted.everything else wanted.lines
    async with contextlib.aclosing(log_follow.follow_pieces(file, lines)) as pieces:
        async for piece in pieces:
            yield _framed(piece) if wanted.positions else piece.data


def _check_readable(file: LogFile) -> None:
    try:
        file.open().close()
    except FileNotFoundError:
        return  # it is waited for
    except OSError as error:
        raise log_files.unreadable(file.path, error) from error
