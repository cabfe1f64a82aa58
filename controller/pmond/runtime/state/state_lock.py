"""One pmond per state folder: an flock that the kernel drops when its holder dies, however it dies.

Theory of operation: the lock belongs to an open file, and that is shared by a child of pmond from
its birth until it becomes its program, when the kernel closes it. So the lock also tells when all
children that a killed pmond was just starting have become their programs, which bear the marker
in their environment: whoever has it and looks for markers misses none. That is worth waiting for
when the pmond that took the lock is dead.
"""

from __future__ import annotations

import fcntl
import os
import stat
import time
from contextlib import suppress
from pathlib import Path

from pmond.runtime.processes.identity import read_stat, start_ticks
from pmond.runtime.state.store_error import StoreError

LOCK_NAME = "pmond.lock"
UNBORN_LIMIT = 10.0
"""Seconds to wait for the children of a dead pmond to become their programs: a slow disk may take some."""
_BETWEEN_TRIES = 0.005
_FLAGS = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW


class StateInUse(StoreError):
    """Another pmond lives and has the state folder."""


def lock_state(folder: str | os.PathLike[str], mode: int = 0o700, trusted_uid: int | None = None) -> int:
    """Take the state folder for this process; it is taken as long as the descriptor is open.

    Creates the folder (with `mode`) where it is missing. Raises StateInUse when another pmond
    has it, StoreError when it cannot be written, or when somebody else could have put things into it: not
    root, not pmond's user, not `trusted_uid`, which the configuration names.
    """
    path = Path(folder)
    try:
        path.mkdir(mode=mode, parents=True, exist_ok=True)
        _refuse_unsafe(path, trusted_uid)
        deadline = time.monotonic() + UNBORN_LIMIT
        while True:
            descriptor = os.open(path / LOCK_NAME, _FLAGS, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if _is_in_place(descriptor, path / LOCK_NAME):
                    break
            except BlockingIOError:
                pid, dead = _owner(descriptor)
                os.close(descriptor)
                if not dead or time.monotonic() >= deadline:
                    raise StateInUse(f"cannot start: another pmond ({pid}) uses {path}") from None
                time.sleep(_BETWEEN_TRIES)
                continue
            except OSError:
                os.close(descriptor)
                raise
            os.close(descriptor)  # removed between opening and locking; look again
    except OSError as error:
        raise StoreError(f"cannot use the state folder {path}: {error.strerror}") from error
    # It only serves the message and the wait above, and a full disk must not keep pmond from starting.
    with suppress(OSError):
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()} {start_ticks(os.getpid())}\n".encode(), 0)
    return descriptor


def keep_lock(folder: str | os.PathLike[str], descriptor: int | None) -> int | None:
    """The lock that earlier code of this process took, if it is that of this folder; else it is let go."""
    if descriptor is None or _is_in_place(descriptor, Path(folder) / LOCK_NAME):
        return descriptor
    os.close(descriptor)
    return None


def _refuse_unsafe(folder: Path, trusted_uid: int | None) -> None:
    status = folder.stat()
    if status.st_uid not in {0, os.geteuid(), trusted_uid}:
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


def _owner(descriptor: int) -> tuple[str, bool]:
    """Who took the lock, for people, and whether that pmond is known to be dead."""
    words = os.pread(descriptor, 60, 0).split()
    if len(words) != 2 or not all(word.isdigit() for word in words):
        return "pid unknown", False
    pid, ticks = map(int, words)
    stat = read_stat(pid)
    return f"pid {pid}", stat is None or stat.state in {"Z", "X"} or stat.start_ticks != ticks
