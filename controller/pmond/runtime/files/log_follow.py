"""Following a log through whatever rotates it.

Theory of operation: inotify only says "look again". Each look reads the open files to their
ends, finds out whether the file was cut (copytruncate) and whether another file bears the name
now (rename, deletion). When one does, the file before it stays open beside it until the next
change of files: the process goes on writing to it until it opens its log anew. What pmond's own
rotation moves is no change: the place in the log stays (`log_position`).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncGenerator, Iterator
from typing import IO

from msgspec.structs import replace

from pmon3_schema.errors import ErrorCode, PmonError
from pmond.runtime.files import inotify
from pmond.runtime.files.log_files import LineRange, LogFile, LogPiece, unreadable
from pmond.runtime.files.log_position import LogPosition, Moved
from pmond.runtime.files.logs import go_to
from pmond.runtime.files.watch_paths import places

_NAMES = inotify.CREATE | inotify.MOVED_TO | inotify.MOVED_FROM | inotify.DELETE
_SELF = inotify.DELETE_SELF | inotify.MOVE_SELF
_MARK = 64
"""Bytes before the position that must still be there: else the file was cut and has grown again."""


async def follow(log: LogFile, lines: LineRange) -> AsyncGenerator[bytes, None]:
    """These lines of the log, then all that is added, in chunks, for ever; close the iterator to end.

    A file that does not exist yet is waited for. Raises PmonError when it may not be read, or
    when the system has no more inotify watches.
    """
    async with contextlib.aclosing(follow_pieces(log, lines)) as pieces:
        async for piece in pieces:
            yield piece.data


async def follow_pieces(log: LogFile, lines: LineRange) -> AsyncGenerator[LogPiece, None]:
    """The same, each chunk with its place in the file that it is from."""
    follower = _Follower(log, lines)
    try:
        while True:
            follower.changed.clear()
            for piece in follower.look():
                yield piece
            await follower.changed.wait()
    except OSError as error:
        raise unreadable(log.path, error) from error
    finally:
        follower.close()


class _OpenFile:
    """One file of the log and how far it was read."""

    def __init__(self, log: LogFile, file: IO[bytes], lines: LineRange) -> None:
        self.file = file
        status = os.fstat(file.fileno())
        self.identity = status.st_dev, status.st_ino
        self.place = LogPosition(log, file)
        go_to(self.place, lines)
        self._mark = self._before(_MARK) or b""

    def read(self) -> Iterator[LogPiece]:
        """What was added since, from the beginning when the file was cut by somebody else."""
        before = self._before(len(self._mark))
        if before is None or not self._mark.endswith(before):
            self.place.position = self.place.log_begins
        at = self.place.position
        for chunk in self.place.ahead():
            before = self._mark if self.place.position == at + len(chunk) else b""
            self._mark = (before + chunk)[-_MARK:]
            at = self.place.position
            yield LogPiece(at - len(chunk), chunk)

    def _before(self, size: int) -> bytes | None:
        """So many bytes before the place, as far as they are in the log; None: it is shorter than that."""
        while True:
            size = max(0, min(size, self.place.position - self.place.log_begins))
            try:
                found = self.place.block(self.place.position - size, size) if size else b""
                return found if len(found) == size else None
            except Moved:
                self.place.look()


class _Follower:
    def __init__(self, log: LogFile, lines: LineRange) -> None:
        self.changed = asyncio.Event()
        self._log = replace(log, path=log.path.absolute())
        self._files: list[_OpenFile] = []
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

    def look(self) -> Iterator[LogPiece]:
        """Everything that can be read now."""
        while True:
            for file in self._files:
                yield from file.read()
            if not self._open_next():
                return

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._inotify.fileno())
        self._inotify.close()
        for file in self._files:
            file.file.close()

    def _begin(self, lines: LineRange) -> None:
        self._arm()
        try:
            file = self._log.open()
        except FileNotFoundError:
            return
        self._add(file, lines)

    def _open_next(self) -> bool:
        """Open the file that bears the name now, if it is another one."""
        try:
            file = self._log.open()
        except FileNotFoundError:
            return False
        status = os.fstat(file.fileno())
        if any(one.identity == (status.st_dev, status.st_ino) for one in self._files):
            file.close()
            return False
        for old in self._files[:-1]:
            old.file.close()
        self._files = self._files[-1:]
        for old in self._files:
            old.place.settle()
        self._add(file, LineRange())
        return True

    def _add(self, file: IO[bytes], lines: LineRange) -> None:
        self._files.append(_OpenFile(self._log, file, lines))
        self._arm()

    def _arm(self) -> None:
        """Watch the open files, and the way to the name."""
        watches = set()
        try:
            for file in self._files:
                # By descriptor: its name may be gone, or another file's.
                watches.add(self._inotify.add(f"/proc/self/fd/{file.file.fileno()}", inotify.MODIFY))
            for directory in places([str(self._log.path)]).names:
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
