"""Reading the log of a process as it is now: its end, from a line on, or everything there is.

Theory of operation: where lines begin is found out first, as a position that rotation does not
move (`log_position`); then everything from there to the end that the log had is read, from archives
where it has gone there meanwhile. The last lines may begin in an archive. Rotated files that are
not pmond's own work (but logrotate's, or the process's) are read by `read_all` alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import IO

from pmon3_schema.errors import ErrorCode, PmonError
from pmond.runtime.files import log_files
from pmond.runtime.files.archives import among, is_ours
from pmond.runtime.files.log_files import DAMAGED, LineRange, LogFile, LogPiece, unpacked, unreadable
from pmond.runtime.files.log_position import LogPosition, Moved, Stretch

MOST_SEARCHED = 16 * 1024 * 1024
"""Bytes that are looked through for the beginning of a line: nobody else gets an answer meanwhile."""
_MOST_UNPACKED = 4 * 1024 * 1024
"""The same of an archive that has to be unpacked."""
MOST_ROTATED = 1_000
"""Files beside a log that are looked at: each is opened to see when it was changed."""
_UNKNOWN_COMPRESSION = {".zst", ".lz4", ".Z", ".zip"}


def read(log: LogFile, lines: LineRange) -> Iterator[bytes]:
    """These lines of the log as it is now, in chunks.

    Raises PmonError "cannot read PATH: why", not_found when there is no file.
    """
    return (piece.data for piece in pieces(log, lines))


def pieces(log: LogFile, lines: LineRange) -> Iterator[LogPiece]:
    """The same, each chunk with its place."""
    try:
        with log.open() as file:
            place = LogPosition(log, file)
            end = go_to(place, lines)
            yield from _placed(place, end)
    except OSError as error:
        raise unreadable(log.path, error) from error


def all_pieces(log: LogFile) -> Iterator[LogPiece]:
    """What there is of a log, oldest first, with the place of what pmond has rotated, and of the log itself.

    Archives that cannot be read are passed over. Raises PmonError as `read_all` does.
    """
    others = [name for name in rotated(log) if not is_ours(name, log.path.name)]
    for name in others:
        for chunk in _told(_opened(log, name), name):
            yield LogPiece(None, chunk)
    try:
        yield from pieces(log, LineRange(position=0))
    except PmonError as error:
        if error.code is not ErrorCode.NOT_FOUND or not others:
            raise


def _placed(place: LogPosition, end: int) -> Iterator[LogPiece]:
    return (LogPiece(place.position - len(chunk), chunk) for chunk in place.ahead(end))


def read_all(log: LogFile) -> Iterator[bytes]:
    """The rotated files of this log, oldest first, compressed or not, then the log itself.

    A file that cannot be read is told in a line of its own, and the others are read nevertheless;
    those of somebody else are left out. Raises PmonError: not_found when there is none at all, forbidden
    when the log itself is somebody else's.
    """
    try:
        file = log.open()
    except FileNotFoundError as error:
        names = rotated(log)
        if not names:
            raise unreadable(log.path, error) from error
        for name in names:
            yield from _told(_opened(log, name), name)
        return
    except OSError as error:
        raise unreadable(log.path, error) from error
    with file:
        place = LogPosition(log, file)
        end = end_of(place)
        for name in rotated(log):
            if not is_ours(name, log.path.name):
                yield from _told(_opened(log, name), name)
        for archive in place.archives:
            yield from _told(place.opened(archive), archive.name)
        yield from place.ahead(end)


def tail(log: LogFile, lines: int, most: int) -> bytes:
    """The last lines of the log itself, as far as they are within its last `most` bytes.

    Raises PmonError, OSError.
    """
    with log.open() as file:
        place = LogPosition(log, file)
        while True:
            try:
                end = place.log_ends()
                found = place.block(max(place.log_begins, end - most), most)
                break
            except Moved:
                place.look()
    return b"".join(found.splitlines(keepends=True)[-lines:])


def go_to(place: LogPosition, lines: LineRange) -> int:
    """Move the place to where these lines begin; the position where the log ends now."""
    while True:
        try:
            end = place.log_ends()
            if lines.position is not None:
                place.position = min(lines.position, end)
            elif lines.last is not None:
                place.position = _start_of_last(place, lines.last, end)
            else:
                place.position = _start_of_line(place, lines.first, end)
            return end
        except (Moved, FileNotFoundError):  # rotated, compressed or removed meanwhile
            place.look()


def end_of(place: LogPosition) -> int:
    """Where the log ends, as seen together with the archives that the place knows."""
    while True:
        try:
            return place.log_ends()
        except Moved:
            place.look()
            place.position = place.log_begins


def _told(opening: AbstractContextManager[IO[bytes]], name: str) -> Iterator[bytes]:
    """The content of an archive, or a line that says why it cannot be read."""
    try:
        with opening as file:
            yield from _blocks(file)
    except FileNotFoundError:
        return  # rotated away meanwhile
    except PmonError as error:
        if error.code is not ErrorCode.FORBIDDEN:
            yield _remark(error.message)
    except (*DAMAGED, OSError, ValueError, ArithmeticError) as error:
        yield _remark(f"cannot read {name} to its end: {error}")


@contextmanager
def _opened(log: LogFile, name: str) -> Iterator[IO[bytes]]:
    suffix = Path(name).suffix
    if suffix in _UNKNOWN_COMPRESSION:
        raise ValueError("its compression is not known")
    with log.open_beside(name) as packed, unpacked(packed, suffix) as file:
        yield file


def _remark(message: str) -> bytes:
    return f"\n[pmon3: {message}]\n".encode("utf-8", "backslashreplace")


def rotated(log: LogFile) -> list[str]:
    """What rotation made of this log, oldest first: ``web.log.2.gz``, ``web.log-20260131``.

    By time of change, which compressing keeps; among equals a higher number is older. The archives
    that pmond made come last, each once.
    """
    name = log.path.name
    begins = re.compile(re.escape(name) + r"[.-].*\d")
    try:
        names = log.names()
        others = sorted(file for file in names if begins.match(file) and not is_ours(file, name))[
            :MOST_ROTATED
        ]
        found = sorted((changed, -_rotation(file, name), file) for file, changed in log.changed(others))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise unreadable(log.path.parent, error) from error
    return [*(file for *_, file in found), *(archive.name for archive in among(names, name))]


def _rotation(name: str, log: str) -> int:
    number = re.fullmatch(r"\.(\d{1,6})(\..*)?", name[len(log) :])
    return int(number[1]) if number else 0


def _start_of_last(place: LogPosition, count: int, end: int) -> int:
    """The position of so many lines before the end. Raises Moved, OSError."""
    if count == 0:
        return end
    # The newline that ends the last line does not begin another one.
    block_end = max(end - 1, place.log_begins)
    furthest = max(place.log_begins, end - MOST_SEARCHED)
    while block_end > furthest:
        block_begin = max(block_end - log_files.CHUNK, furthest)
        block = place.block(block_begin, block_end - block_begin)
        newlines = block.count(b"\n")
        if newlines >= count:
            at = len(block)
            for _ in range(count):
                at = block.rindex(b"\n", 0, at)
            return block_begin + at + 1
        count -= newlines
        block_end = block_begin
    if furthest > place.log_begins:
        return furthest
    # In an empty log there is no last line that the last newline ends: it ends one in an archive.
    return _start_in_archives(place, count + 1 if end == place.log_begins else count)


def _start_in_archives(place: LogPosition, count: int) -> int:
    """The same, when so many newlines are still to be passed before the log begins."""
    begin, left = place.log_begins, MOST_SEARCHED
    try:
        for stretch in place.stretches():
            size = stretch.end - stretch.begin
            if stretch.is_packed and size > _MOST_UNPACKED:
                return begin
            searched = min(size, left)
            first = stretch.end - searched
            newlines = sum(block.count(b"\n") for block in _end_of(place, stretch, searched))
            if newlines >= count:
                return first + _after_newline(_end_of(place, stretch, searched), newlines - count + 1)
            count -= newlines
            left -= searched
            begin = first
            if left <= 0:
                return begin
    except (*DAMAGED, PmonError):
        return begin  # what is older cannot be read
    return begin


def _end_of(place: LogPosition, stretch: Stretch, size: int) -> Iterator[bytes]:
    """The last so many bytes of an archive, and no more: somebody may have put another file there."""
    with place.opened(stretch.archive) as file:
        file.seek(stretch.end - stretch.begin - size)
        while size > 0 and (block := file.read(min(size, log_files.CHUNK))):
            size -= len(block)
            yield block


def _start_of_line(place: LogPosition, number: int, end: int) -> int:
    begin = place.log_begins
    if number == 1:
        return begin
    furthest = min(end, begin + MOST_SEARCHED)
    blocks = (place.block(at, log_files.CHUNK) for at in range(begin, furthest, log_files.CHUNK))
    found = begin + _after_newline(blocks, number - 1)
    if found >= furthest < end:
        raise PmonError(
            ErrorCode.REFUSED,
            f"cannot begin at line {number}: it is not within the first {MOST_SEARCHED >> 20} MiB of the log",
            "read the whole log, or its last lines",
        )
    return min(found, end)


def _blocks(file: IO[bytes]) -> Iterator[bytes]:
    return iter(lambda: file.read(log_files.CHUNK), b"")


def _after_newline(blocks: Iterable[bytes], count: int) -> int:
    """Behind so many newlines; behind all of it when there are not so many."""
    passed = 0
    for block in blocks:
        newlines = block.count(b"\n")
        if newlines >= count:
            at = -1
            for _ in range(count):
                at = block.index(b"\n", at + 1)
            return passed + at + 1
        count -= newlines
        passed += len(block)
    return passed
