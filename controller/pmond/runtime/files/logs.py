"""Reading the log of a process: its end, its whole, and what is added.

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
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from msgspec import Struct

from pmon3_schema.errors import ErrorCode, PmonError

CHUNK = 65536


class Lines(Struct, frozen=True):
    """Which part of a log: the `last` lines, or those from number `first` on (from 1)."""

    last: int | None = None
    first: int = 1


def parse_lines(text: str) -> Lines:
    """``10``: the last ten lines; ``+5``: from line five on; ``all``: everything.

    Raises PmonError (bad_request) for anything else.
    """
    if text == "all":
        return Lines()
    if re.fullmatch(r"\+?[0-9]{1,18}", text):
        return Lines(first=max(1, int(text))) if text.startswith("+") else Lines(last=int(text))
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


def read(path: str | os.PathLike[str], lines: Lines, owners: Owners | None = None) -> Iterator[bytes]:
    """These lines of the file as it is now, in chunks.

    Raises PmonError "cannot read PATH: why", not_found when there is no file.
    """
    try:
        with open_log(path, owners) as file:
            end = os.fstat(file.fileno()).st_size
            position = start_of(file, lines, end)
            while position < end and (chunk := _pread(file, min(CHUNK, end - position), position)):
                position += len(chunk)
                yield chunk
    except OSError as error:
        raise unreadable(path, error) from error


def read_all(path: str | os.PathLike[str], owners: Owners | None = None) -> Iterator[bytes]:
    """The rotated files of this log, oldest first, compressed or not, then the log itself.

    A file that cannot be read is told in a line of its own, and the others are read nevertheless;
    rotated files of others than the owners are left out. Raises PmonError: not_found when there is
    none at all, forbidden when the log itself is not the owners'.
    """
    files = [*rotated(Path(path)), Path(path)]
    found = False
    for file in files:
        try:
            yield from _read_archive(file, owners) if file != files[-1] else read(file, Lines(), owners)
            found = True
        except FileNotFoundError:
            continue
        except PmonError as error:
            if error.code is ErrorCode.FORBIDDEN and file == files[-1]:
                raise
            if error.code not in {ErrorCode.NOT_FOUND, ErrorCode.FORBIDDEN}:
                yield _remark(error.message)
        except (OSError, EOFError, ValueError, ArithmeticError) as error:
            yield f"\n[pmon3: cannot read {file.name} to its end: {error}]\n".encode(
                "utf-8", "backslashreplace"
            )
    if not found:
        raise PmonError(ErrorCode.NOT_FOUND, f"cannot read {os.fspath(path)}: there is no log yet")


def _remark(message: str) -> bytes:
    return f"\n[pmon3: {message}]\n".encode("utf-8", "backslashreplace")


def rotated(path: Path) -> list[Path]:
    """What rotation made of this log, oldest first: ``web.log.2.gz``, ``web.log-20260131``.

    By time of change, which compressing keeps; among equals a higher number is older.
    """
    begins = re.compile(re.escape(path.name) + r"[.-].*\d")
    found = []
    try:
        for file in path.parent.iterdir():
            if begins.match(file.name) and file.is_file():
                found.append((file.stat().st_mtime_ns, -_rotation(file.name, path.name), file.name))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise unreadable(path.parent, error) from error
    return [path.with_name(name) for _time, _number, name in sorted(found)]


def _rotation(name: str, log: str) -> int:
    number = re.fullmatch(r"\.(\d{1,6})(\..*)?", name[len(log) :])
    return int(number[1]) if number else 0


def _read_archive(path: Path, owners: Owners | None) -> Iterator[bytes]:
    if path.suffix in {".zst", ".lz4", ".Z", ".zip"}:
        raise ValueError("its compression is not known")
    with open_log(path, owners) as packed, _unpacked(packed, path.suffix) as file:
        while chunk := file.read(CHUNK):
            yield chunk


def _unpacked(packed: IO[bytes], suffix: str) -> IO[bytes]:
    unpackers: dict[str, Callable[[IO[bytes]], Any]] = {
        ".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open,
    }  # fmt: skip
    found: IO[bytes] = unpackers[suffix](packed) if suffix in unpackers else packed
    return found


def start_of(file: IO[bytes], lines: Lines, end: int) -> int:
    """Where these lines begin in a file of `end` bytes."""
    if lines.last is not None:
        return _start_of_last(file, lines.last, end)
    return _start_of_line(file, lines.first, end)


def _start_of_last(file: IO[bytes], count: int, end: int) -> int:
    if count == 0:
        return end
    # The newline that ends the last line does not begin another one.
    block_end = max(end - 1, 0)
    while block_end > 0:
        block_start = max(block_end - CHUNK, 0)
        block = _pread(file, block_end - block_start, block_start)
        newlines = block.count(b"\n")
        if newlines >= count:
            at = len(block)
            for _ in range(count):
                at = block.rindex(b"\n", 0, at)
            return block_start + at + 1
        count -= newlines
        block_end = block_start
    return 0


def _start_of_line(file: IO[bytes], number: int, end: int) -> int:
    position, left = 0, number - 1
    while left and position < end:
        block = _pread(file, CHUNK, position)
        if not block:
            break
        newlines = block.count(b"\n")
        if newlines >= left:
            at = -1
            for _ in range(left):
                at = block.index(b"\n", at + 1)
            return position + at + 1
        left -= newlines
        position += len(block)
    return min(position, end)


def _pread(file: IO[bytes], size: int, position: int) -> bytes:
    return os.pread(file.fileno(), size, position)


def unreadable(path: str | os.PathLike[str], error: OSError) -> PmonError:
    """The error for a log that cannot be read."""
    if isinstance(error, FileNotFoundError):
        return PmonError(ErrorCode.NOT_FOUND, f"cannot read {os.fspath(path)}: there is no log yet")
    return PmonError(ErrorCode.INVALID, f"cannot read {os.fspath(path)}: {error.strerror or error}")
