"""One pmond per state folder: an flock that the kernel drops when its holder dies, however it dies."""

from __future__ import annotations

import fcntl
import os
import stat
from contextlib import suppress
from pathlib import Path

from pmond.runtime.store_error import StoreError

LOCK_NAME = "pmond.lock"
_FLAGS = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW


def lock_state(folder: str | os.PathLike[str], mode: int = 0o700) -> int:
    """Take the state folder for this process; it is taken as long as the descriptor is open.

    Creates the folder (with `mode`) where it is missing. Raises StoreError when another pmond
    has it, when it cannot be written, or when somebody else could have put things into it.
    """
    path = Path(folder)
    try:
        path.mkdir(mode=mode, parents=True, exist_ok=True)
        _refuse_unsafe(path)
        while True:
            descriptor = os.open(path / LOCK_NAME, _FLAGS, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if _is_in_place(descriptor, path / LOCK_NAME):
                    break
            except BlockingIOError:
                owner = _owner(descriptor)
                os.close(descriptor)
                raise StoreError(f"cannot start: another pmond ({owner}) uses {path}") from None
            except OSError:
                os.close(descriptor)
                raise
            os.close(descriptor)  # removed between opening and locking; look again
    except OSError as error:
        raise StoreError(f"cannot use the state folder {path}: {error.strerror}") from error
    # The number only serves the message above, and a full disk must not keep pmond from starting.
    with suppress(OSError):
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    return descriptor


def _refuse_unsafe(folder: Path) -> None:
    status = folder.stat()
    if status.st_uid not in {0, os.geteuid()}:
        raise StoreError(f"cannot use the state folder {folder}: it belongs to user id {status.st_uid}")
    if status.st_mode & stat.S_IWOTH:
        raise StoreError(
            f"cannot use the state folder {folder}: everybody may write to it (chmod o-w {folder})"
        )


def _is_in_place(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _owner(descriptor: int) -> str:
    number = os.pread(descriptor, 20, 0).strip()
    return f"pid {int(number)}" if number.isdigit() else "pid unknown"
