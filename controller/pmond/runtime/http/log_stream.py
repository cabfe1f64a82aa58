"""A log as a stream of bytes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Iterator
from typing import cast

from pmond.runtime.files import log_files, log_follow, logs
from pmond.runtime.files.log_files import LogFile


def stream(file: LogFile, lines: str, everything: bool, follow: bool) -> AsyncGenerator[bytes, None]:
    """A log as text: its last lines or all of it, then, if it is followed, what is new.

    Raises PmonError at once, rather than from the stream, when the log cannot be read.
    """
    part = log_files.parse_lines(lines)
    if not follow:
        pieces = logs.read_all(file) if everything else logs.read(file, part)
        return _read(next(pieces, b""), pieces)
    _check_readable(file)
    return _followed(file, part, everything)


async def _read(first: bytes, rest: Iterator[bytes]) -> AsyncGenerator[bytes, None]:
    yield first
    for piece in rest:
        yield piece
        await asyncio.sleep(0)  # a long log is read in between the other work


async def _followed(
    file: LogFile, part: log_files.LineRange, everything: bool
) -> AsyncGenerator[bytes, None]:
    if everything:
        part = log_files.LineRange()  # the whole of the present file; what was rotated away is not followed
    following = cast(AsyncGenerator[bytes, None], log_follow.follow(file, part))
    async with contextlib.aclosing(following) as pieces:
        async for piece in pieces:
            yield piece


def _check_readable(file: LogFile) -> None:
    try:
        file.open().close()
    except FileNotFoundError:
        return  # it is waited for
    except OSError as error:
        raise log_files.unreadable(file.path, error) from error
