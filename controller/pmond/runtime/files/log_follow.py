"""Following a log through whatever rotates it.

Theory of operation: inotify only says "look again". Each look reads the open files to their
ends, finds out whether the file was cut (copytruncate) and whether another file bears the name
now (rename, deletion). When one does, the file before it stays open beside it until the next
change of files: the process goes on writing to it until it opens its log anew.
"""

from __future__ import annotations

import asyncio
import gzip
import os
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import IO, Any

from pmon3_schema.errors import ErrorCode, PmonError
from pmond.runtime.files import inotify, rotate
from pmond.runtime.files.logs import CHUNK, Lines, Owners, open_log, start_of, unreadable
from pmond.runtime.files.watch_paths import places

_NAMES = inotify.CREATE | inotify.MOVED_TO | inotify.MOVED_FROM | inotify.DELETE
_SELF = inotify.DELETE_SELF | inotify.MOVE_SELF
_MARK = 64
"""Bytes before the position that must still be there: else the file was cut and has grown again."""


async def follow(
    path: str | os.PathLike[str], lines: Lines, owners: Owners | None = None
) -> AsyncIterator[bytes]:
    """These lines of the log, then all that is added, in chunks, for ever; close the iterator to end.

    A file that does not exist yet is waited for. Raises PmonError when it may not be read, or
    when the system has no more inotify watches.
    """
    follower = _Follower(Path(path), lines, owners)
    try:
        while True:
            follower.changed.clear()
            for chunk in follower.look():
                yield chunk
            await follower.changed.wait()
    except OSError as error:
        raise unreadable(path, error) from error
    finally:
        follower.close()


class _OpenFile:
    """One file of the log and how far it was read."""

    def __init__(self, file: IO[bytes], position: int) -> None:
        self.file = file
        status = os.fstat(file.fileno())
        self.identity = status.st_dev, status.st_ino
        self.position = position
        self._mark = self._before()

    def read(self, settled: Callable[[], bool]) -> Iterator[bytes]:
        """What was added since, from the beginning when the file was cut.

        `settled`: says that no rotation has moved the bytes; what was read before it said no is
        not trusted.
        """
        if not settled():
            return
        if self._before() != self._mark and settled():
            self.position = 0
        while (chunk := os.pread(self.file.fileno(), CHUNK, self.position)) and settled():
            self.position += len(chunk)
            self._mark = self._before() if settled() else chunk[-_MARK:]
            yield chunk

    def moved(self, archive: Path) -> Iterator[bytes]:
        """The beginning of the file is in `archive` now; what was not read of it yet."""
        open_archive: Any = gzip.open if archive.suffix == ".gz" else open
        with open_archive(archive, "rb") as file:
            size = _length(file)
            file.seek(min(self.position, size))
            while chunk := file.read(CHUNK):
                yield chunk
        self.position = max(0, self.position - size)
        self._mark = self._before()

    def _before(self) -> bytes:
        size = min(_MARK, self.position)
        return os.pread(self.file.fileno(), size, self.position - size)


class _Rotation:
    """What `rotate` has made of a log since it is followed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = Path(rotate.lock_path(str(path)))
        self.known = {name.removesuffix(".gz") for name in self._archives()}

    def fresh(self) -> list[Path]:
        """Archives that are not known yet, oldest first."""
        names = [name for name in self._archives() if name.removesuffix(".gz") not in self.known]
        return [self._path.with_name(name) for name in names]

    def partial(self) -> bool:
        """Whether a rotation is under way: the bytes may move at any moment."""
        if not self._lock.exists():
            return False
        folder = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            return bool(rotate.archives(folder, self._path.name, partial=True))
        finally:
            os.close(folder)

    def _archives(self) -> list[str]:
        if not self._lock.exists():
            return []
        folder = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            return rotate.archives(folder, self._path.name)
        finally:
            os.close(folder)


def _length(file: IO[bytes]) -> int:
    """How many bytes it has; a compressed file must be read for that."""
    return sum(len(chunk) for chunk in iter(lambda: file.read(CHUNK), b""))


class _Follower:
    def __init__(self, path: Path, lines: Lines, owners: Owners | None) -> None:
        self.changed = asyncio.Event()
        self._path = path.absolute()
        self._owners = owners
        self._files: list[_OpenFile] = []
        self._rotation = _Rotation(self._path)
        self._watches: set[int] = set()
        try:
            self._inotify = inotify.Inotify()
        except OSError as error:
            raise _no_watches(error) from error
        asyncio.get_running_loop().add_reader(self._inotify.fileno(), self._readable)
        try:
            self._begin(lines)
        except BaseException:
            self.close()
            raise

    def look(self) -> Iterator[bytes]:
        """Everything that can be read now."""
        while True:
            yield from self._rotated()
            for file in self._files:
                yield from file.read(self._settled)
            if not self._settled():
                if self._rotation.partial():
                    return  # its end is told by inotify
                continue
            if not self._open_next():
                return

    def _settled(self) -> bool:
        return not self._rotation.partial() and not self._rotation.fresh()

    def _rotated(self) -> Iterator[bytes]:
        """Take the bytes into account that a rotation has moved from the log to an archive."""
        for archive in self._rotation.fresh():
            for file in self._files[-1:]:
                yield from file.moved(archive)
            self._rotation.known.add(archive.name.removesuffix(".gz"))

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._inotify.fileno())
        self._inotify.close()
        for file in self._files:
            file.file.close()

    def _begin(self, lines: Lines) -> None:
        self._arm()
        try:
            file = open_log(self._path, self._owners)
        except FileNotFoundError:
            return
        self._add(file, start_of(file, lines, os.fstat(file.fileno()).st_size))

    def _open_next(self) -> bool:
        """Open the file that bears the name now, if it is another one."""
        try:
            status = self._path.stat()
            if any(file.identity == (status.st_dev, status.st_ino) for file in self._files):
                return False
            file = open_log(self._path, self._owners)
        except FileNotFoundError:
            return False
        for old in self._files[:-1]:
            old.file.close()
        self._files = self._files[-1:]
        self._add(file, 0)
        return True

    def _add(self, file: IO[bytes], position: int) -> None:
        self._files.append(_OpenFile(file, position))
        self._arm()

    def _arm(self) -> None:
        """Watch the open files, and the way to the name."""
        watches = set()
        try:
            for file in self._files:
                # By descriptor: its name may be gone, or another file's.
                watches.add(self._inotify.add(f"/proc/self/fd/{file.file.fileno()}", inotify.MODIFY))
            for directory in places([str(self._path)]).names:
                try:
                    watches.add(self._inotify.add(directory, _NAMES | _SELF | inotify.ONLYDIR))
                except (FileNotFoundError, NotADirectoryError, PermissionError):
                    continue  # gone meanwhile, which the folder above it tells; or closed to us
        except OSError as error:
            raise _no_watches(error) from error
        for number in self._watches - watches:
            self._inotify.remove(number)
        self._watches = watches

    def _readable(self) -> None:
        events = self._inotify.read()
        if any(event.mask & ~inotify.MODIFY for event in events):
            self._arm_quietly()
        self.changed.set()

    def _arm_quietly(self) -> None:
        try:
            self._arm()
        except PmonError:
            # No watches left for a new way to the name; the open files are still followed.
            return


def _no_watches(error: OSError) -> PmonError:
    return PmonError(
        ErrorCode.INTERNAL,
        f"cannot follow the log: no more inotify watches ({error.strerror})",
        "raise fs.inotify.max_user_instances and fs.inotify.max_user_watches",
    )
