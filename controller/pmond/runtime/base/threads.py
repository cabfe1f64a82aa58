"""Threads beside the loop, all of which leave signals to the main thread.

The kernel gives a signal to any thread that does not block it. One that came while the main thread holds
signals back, during an upgrade, would be taken by another and end with it at `execve`, unseen.
"""

from __future__ import annotations

import errno
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Thread

_SIGNALS = signal.valid_signals() - {signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL}
"""All but those that tell a thread of its own errors."""


class ThreadShortage(OSError):
    """The system has no thread to give: each counts as a process."""

    def __init__(self) -> None:
        super().__init__(errno.EAGAIN, "the system refuses pmond one more thread")


def start_thread(work: Callable[[], None], name: str) -> None:
    """Begin a thread that does not hold up the end of pmond. Raises ThreadShortage."""

    def run() -> None:
        _leave_signals()
        work()

    with shortage_told():
        Thread(target=run, name=name, daemon=True).start()


@contextmanager
def shortage_told() -> Iterator[None]:
    """Around whatever may begin a thread: Python says nothing but RuntimeError. Raises ThreadShortage."""
    try:
        yield
    except RuntimeError as error:
        if "start new thread" not in str(error):
            raise
        raise ThreadShortage from error


def thread_pool(most: int | None = None, name: str = "") -> ThreadPoolExecutor:
    """Threads that are begun when there is work; as many as Python sees fit unless `most` says so."""
    return ThreadPoolExecutor(most, name, _leave_signals)


def _leave_signals() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
