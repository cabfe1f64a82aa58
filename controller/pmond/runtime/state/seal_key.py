"""The key by which a pmond knows again what it started, should the state be lost.

It lies beside the state and outlives it. One that others could have read or written is none, and is made
anew; so is one that is damaged. Then what was started before is known by its marker and user alone.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path

KEY_FILE = "key"
_BYTES = 32


def keep_key(folder: str) -> bytes:
    """The key of a state folder. Where it can be neither read nor kept it lasts as long as this pmond."""
    file = Path(folder) / KEY_FILE
    with suppress(OSError, ValueError):
        return _read(file)
    key = os.urandom(_BYTES)
    with suppress(OSError):
        _write(file, key)
    return key


def _read(file: Path) -> bytes:
    descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb") as opened:  # noqa: PTH123 - by its descriptor
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o077:
            raise ValueError("others could have read or written it")
        key = bytes.fromhex(opened.read(2 * _BYTES + 1).decode("ascii"))
    if len(key) != _BYTES:
        raise ValueError("it is no key")
    return key


def _write(file: Path, key: bytes) -> None:
    new = file.with_name(f".{KEY_FILE}.new")
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with open(descriptor, "wb") as written:  # noqa: PTH123 - by its descriptor
        written.write(f"{key.hex()}\n".encode("ascii"))
    new.replace(file)
