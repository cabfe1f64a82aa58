"""A place in a log that stays where it is while rotation moves the bytes.

Theory of operation: a position counts from the first byte that was ever archived, so it means the
same byte for ever. Below the total of the cut it lies in an archive, from there on in the log. A
read from the log is trusted only when neither the cut nor the beginning of the log has changed
around it; else the place looks again and the read is repeated. Nobody is waited for, so a rotation
that was killed half-way holds up no reader.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from gzip import GzipFile
from pathlib import Path
from typing import IO, NamedTuple

from pmon3_schema.errors import PmonError
from pmond.runtime.files import archives, log_files
from pmond.runtime.files.archives import Archive, Cut
from pmond.runtime.files.log_files import LogFile

_MODULUS = 1 << 32
_MORE_WHEN_PACKED = 1 << 20
"""Bytes; packing what cannot be packed adds far less."""


class Moved(Exception):
    """A rotation has moved the bytes that were asked for; ask again."""


class Stretch(NamedTuple):
    """The positions that an archive holds."""

    archive: Archive
    begin: int
    end: int

    @property
    def is_packed(self) -> bool:
        """Whether it has to be read from its beginning."""
        return self.archive.name.endswith(".gz")


class LogPosition:
    """A reader's place in a log, of which `file` is open: the first byte of it at first."""

    def __init__(self, log: LogFile, file: IO[bytes]) -> None:
        self._log = log
        self._file = file
        self._settled = False
        self._cut = self._read_cut()
        self._archives = self._list()
        self.position = self._cut.total

    @property
    def archives(self) -> list[Archive]:
        """What was cut out of the log, oldest first."""
        return self._archives

    @property
    def log_begins(self) -> int:
        """The position of the first byte of the log."""
        return self._cut.total

    def log_ends(self) -> int:
        """The position behind its last byte. Raises Moved."""
        first = self._first_byte()
        end = os.fstat(self._file.fileno()).st_size
        self._check(first)
        return self._cut.total + max(0, end - first)

    def block(self, begin: int, size: int) -> bytes:
        """Bytes of the log, from this position on. Raises Moved."""
        first = self._first_byte()
        if begin < self._cut.total:
            raise Moved
        found = os.pread(self._file.fileno(), size, first + begin - self._cut.total)
        self._check(first)
        return found

    def ahead(self, end: int | None = None) -> Iterator[bytes]:
        """What lies between here and this position, or the present end; the place moves on with it."""
        while end is None or self.position < end:
            size = log_files.CHUNK if end is None else min(log_files.CHUNK, end - self.position)
            try:
                chunk = self.block(self.position, size)
            except Moved:
                self.look()
                yield from self._archived(end)
                continue
            if not chunk:
                return
            self.position += len(chunk)
            yield chunk

    def look(self) -> None:
        """Find out what rotation has done."""
        before, self._cut = self._cut, self._read_cut()
        if self._cut.total < before.total:  # somebody has removed what counts them
            self.position += self._cut.total - before.total
        self._archives = self._list()

    def settle(self) -> None:
        """The file bears its name no longer: rotation concerns another one from now on."""
        self._settled = True
        self.position -= self._cut.total
        self._cut, self._archives = Cut(), []

    def stretches(self) -> Iterator[Stretch]:
        """The positions of the archives, newest first. Raises OSError."""
        end = self._cut.total
        for archive in reversed(self._archives):
            with self.opened(archive) as file:
                if archive.name.endswith(".gz"):
                    size = self._unpacked_size(archive)
                else:
                    size = os.fstat(file.fileno()).st_size
            yield Stretch(archive, end - size, end)
            end -= size

    def _unpacked_size(self, archive: Archive) -> int:
        """By what its last bytes say (RFC 1952): to unpack it would hold everybody up."""
        with self._log.open_beside(archive.name) as packed:
            size = os.fstat(packed.fileno()).st_size
            said = int.from_bytes(os.pread(packed.fileno(), 4, max(0, size - 4)), "little")
        # It is said modulo 2**32, and nothing gets larger by being packed, to speak of.
        whole = max(0, size - _MORE_WHEN_PACKED - said)
        return said + -(-whole // _MODULUS) * _MODULUS

    @contextmanager
    def opened(self, archive: Archive) -> Iterator[IO[bytes]]:
        """Its content, by whatever name it has now. Raises OSError."""
        try:
            packed = self._log.open_beside(archive.name)
        except FileNotFoundError:
            archive = next((one for one in self._list() if one.stamp == archive.stamp), archive)
            packed = self._log.open_beside(archive.name)
        with packed, log_files.unpacked(packed, Path(archive.name).suffix) as file:
            yield file

    def _archived(self, end: int | None) -> Iterator[bytes]:
        """What is in archives between here and there; what was removed is passed over."""
        try:
            for stretch in self._stretches_ahead():
                with self.opened(stretch.archive) as file:
                    self.position = max(self.position, stretch.begin)
                    yield from _passed(file, self.position - stretch.begin)
                    while self.position < stretch.end and (chunk := file.read(log_files.CHUNK)):
                        chunk = chunk if end is None else chunk[: max(0, end - self.position)]
                        self.position += len(chunk)
                        yield chunk
                        if self.position == end:
                            return
        except FileNotFoundError:
            return  # removed meanwhile: the next look tells
        except log_files.DAMAGED:
            self.position = stretch.end
            return
        self.position = max(self.position, self._cut.total)

    def _stretches_ahead(self) -> list[Stretch]:
        found: list[Stretch] = []
        if self.position < self._cut.total:
            for stretch in self.stretches():
                found.insert(0, stretch)
                if stretch.begin <= self.position:
                    break
        return found

    def _first_byte(self) -> int:
        first = archives.first_byte(self._file.fileno())
        newest = self._archives[-1] if self._archives else None
        if newest is not None and newest.end is not None:
            if newest.name not in self._log.names():
                raise Moved  # it has its name now, and what was cut out may have been taken out of the file
            if os.fstat(self._file.fileno()).st_size > newest.end:
                return max(first, newest.end)
        return first

    def _check(self, first: int) -> None:
        if self._first_byte() != first or self._read_cut() != self._cut:
            raise Moved

    def _read_cut(self) -> Cut:
        if self._settled:
            return Cut()
        try:
            with self._log.open_lock() as lock:
                return archives.read_cut(lock.fileno())
        except (OSError, PmonError):
            return Cut()  # it was never rotated

    def _list(self) -> list[Archive]:
        """The archives that count."""
        if not self._cut.stamp:
            return []
        found = archives.among(self._log.names(), self._log.path.name)
        return [archive for archive in found if archive.stamp <= self._cut.stamp]


def _passed(file: IO[bytes], size: int) -> Iterator[bytes]:
    """Pass over so many bytes; what has to be unpacked a bit at a time, with empty pieces in between."""
    if not isinstance(file, GzipFile):
        file.seek(size)
        return
    while size > 0 and (passed := file.read(min(size, log_files.CHUNK))):
        size -= len(passed)
        yield b""
