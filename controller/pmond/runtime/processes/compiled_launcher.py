"""The launcher that a compiler has made of `launcher.c`, where there was one when pmond was installed.

Theory of operation: a Python that starts up takes ten times as long as the program that it then becomes, so
the same few system calls also exist in C. Which of the two is used makes no other difference; `launcher.py`
is for machines without a compiler, and for sandboxes. The program is opened once, when pmond starts: an
upgrade may replace the file, and what is open stays what it was.
"""

# Descriptors are the subject here, and Path objects would be a part of the cost of every start.
# ruff: noqa: PTH118, PTH120

from __future__ import annotations

import fcntl
import functools
import os
import struct
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pmond.runtime.processes.launch import Launch

VERSION = 1
"""Of the orders. It is a part of the file's name, which `build_launcher.py` takes from here."""

LOWEST = 10
"""Descriptors below are given to children as something else."""

_HEAD = struct.Struct("=14q")
_IDENTITY = (slice(4, 6), slice(18, 20))
"""What an ELF file says of the machine that it is for: word size and order of bytes; the instruction set."""


def path() -> str:
    """Where the program is, if it has been made."""
    return os.path.join(os.path.dirname(__file__), f"launcher-{VERSION}")


@functools.cache
def program() -> str | None:
    """A name that always means the program that there was at the first call; None: there is none."""
    with suppress(OSError):
        if _kind_of(path()) == _kind_of("/proc/self/exe") and os.access(path(), os.X_OK):
            opened = os.open(path(), os.O_PATH | os.O_CLOEXEC)
            try:
                above = fcntl.fcntl(opened, fcntl.F_DUPFD_CLOEXEC, LOWEST)
            finally:
                os.close(opened)
            # Of the child, which has it too until it has been executed.
            return f"/proc/self/fd/{above}"
    return None


def _kind_of(file: str) -> tuple[bytes, ...]:
    """For which kind of machine it is: a folder may be shared by several."""
    descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    try:
        head = os.read(descriptor, 20)
    finally:
        os.close(descriptor)
    return tuple(head[part] for part in _IDENTITY)


def orders_of(launch: Launch) -> bytes:
    """What `launcher.c` is told. Raises ValueError for a NUL, or half a surrogate pair."""
    user = launch.user
    numbers = [*(user.groups if user else ()), *(part for limit in launch.limits for part in limit)]
    head = _HEAD.pack(
        *((1, user.uid, user.gid) if user else (0, 0, 0)),
        *_optional(launch.umask),
        *_optional(launch.priority),
        *_optional(launch.context.oom_score_adj),
        launch.trusted,
        len(user.groups) if user else 0,
        len(launch.limits),
        len(launch.argv),
        len(launch.environment),
    )
    members = os.path.join(launch.group, "cgroup.procs") if launch.group else ""
    variables = (f"{name}={value}" for name, value in launch.environment.items())
    texts = [os.fsencode(text) for text in (members, launch.cwd, launch.file, *launch.argv, *variables)]
    if any(b"\0" in text for text in texts):
        raise ValueError("embedded null byte")
    return b"".join((head, struct.pack(f"={len(numbers)}q", *numbers), b"\0".join(texts), b"\0"))


def _optional(value: int | None) -> tuple[int, int]:
    return (0, 0) if value is None else (1, value)
