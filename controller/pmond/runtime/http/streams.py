"""Logs and events as streams of bytes."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, Collection, Iterator, Mapping
from typing import Any, cast

from pmond.runtime.files import log_files, log_follow, logs
from pmond.runtime.files.log_files import LogFile
from pmond.runtime.http.control import Control


def log(file: LogFile, lines: str, everything: bool, follow: bool) -> AsyncGenerator[bytes, None]:
    """A log as text: its last lines or all of it, then, if it is followed, what is new.

    Raises PmonError at once, rather than from the stream, when the log cannot be read.
    """
    part = log_files.parse_lines(lines)
    if not follow:
        pieces = logs.read_all(*file) if everything else logs.read(file.path, part, file.owners)
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
    following = cast(AsyncGenerator[bytes, None], log_follow.follow(file.path, part, file.owners))
    async with contextlib.aclosing(following) as pieces:
        async for piece in pieces:
            yield piece


def _check_readable(file: LogFile) -> None:
    try:
        log_files.open_log(*file).close()
    except FileNotFoundError:
        return  # it is waited for
    except OSError as error:
        raise log_files.unreadable(file.path, error) from error


def past_events(
    control: Control, since: int, limit: int, names: Collection[str] | None
) -> list[Mapping[str, Any]]:
    """The newest `limit` events with an id above `since`, oldest first, of `names` or of all."""
    only = next(iter(names)) if names is not None and len(names) == 1 else None
    found = [event for event in control.events(since, only) if _concerns(event, names)]
    return found[-limit:] if limit else []


async def events(
    control: Control, since: int, limit: int, names: Collection[str] | None
) -> AsyncGenerator[bytes, None]:
    """The same as server-sent events, then each new one as it happens."""
    live = control.subscribe()  # before the past is read: nothing falls between the two
    past = past_events(control, since, limit, names)
    yield b"".join(map(_server_sent, past))
    last = past[-1]["id"] if past else since
    async for event in live:
        if event["id"] > last and _concerns(event, names):
            yield _server_sent(event)


def _concerns(event: Mapping[str, Any], names: Collection[str] | None) -> bool:
    return names is None or event["name"] in names


def _server_sent(event: Mapping[str, Any]) -> bytes:
    return f"id: {event['id']}\ndata: {json.dumps(event, separators=(',', ':'))}\n\n".encode("ascii")
