"""Orphans given to the test instead of to the first process, which may take its time to reap them."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager

_PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h


@contextmanager
def taking_orphans() -> Iterator[None]:
    """Descendants that lose their parent inside the block become children of the test."""
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    assert prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0
    try:
        yield
    finally:
        prctl(_PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


def reap(pid: int) -> None:
    """Wait for the end of an orphan that was taken, so that nothing of it is left."""
    os.waitpid(pid, 0)
