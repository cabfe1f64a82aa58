"""What is known of when logs were written, kept over the end of pmond.

It is a convenience: whatever is wrong with the file, pmond begins anew, and the times of lines that are there
by then become rough. It is replaced as a whole, and not synced.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import msgspec
from msgspec import Struct

_FILE = "log_times"
_LARGEST = 1 << 28
"""Bytes read at most."""


class StoredLogTimes(Struct, frozen=True, array_like=True):
    """What is known of one log; device and inode tell whether it is still that file."""

    path: str
    identity: tuple[int, int]
    positions: bytes
    moments: bytes
    runs: tuple[tuple[str, int, int], ...]


class LogTimesFile:
    """The file in the state folder."""

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self._path = Path(folder) / _FILE

    def read(self) -> list[StoredLogTimes]:
        """What an earlier pmond has left; nothing where that cannot be read."""
        with suppress(OSError, msgspec.MsgspecError):
            descriptor = os.open(self._path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            with open(descriptor, "rb") as file:  # noqa: PTH123
                return msgspec.msgpack.decode(file.read(_LARGEST), type=list[StoredLogTimes])
        return []

    def write(self, logs: Sequence[StoredLogTimes]) -> None:
        """Raises OSError."""
        new = self._path.with_name(f".{_FILE}.new")
        new.unlink(missing_ok=True)
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with open(descriptor, "wb") as file:  # noqa: PTH123
            file.write(msgspec.msgpack.encode(logs))
        new.replace(self._path)
