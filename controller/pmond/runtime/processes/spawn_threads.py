"""Threads that start programs, so that many starts take place at a time.

Each start spends most of its time in the kernel, where `native_spawn` lets the others go on. The threads
are made at the first need and stay: none may be missing when the system has no thread left to give, and
an idle one costs nothing. Whoever hands work over waits for it before anything else happens.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Generic, TypeVar

from pmond.runtime.threads import start_thread

_MOST = 4
"""Beyond that a start is held up by what is not parallel in it."""

Result = TypeVar("Result")


class SpawnThreads(Generic[Result]):
    """As many as there are processors, within reason."""

    def __init__(self) -> None:
        self._jobs = SimpleQueue[tuple[Callable[[], Result], Future[Result]]]()
        self._begun = 0

    def begin(self) -> bool:
        """Make them; False when the system gives not a single one."""
        for _ in range(self._begun, min(_MOST, len(os.sched_getaffinity(0)))):
            try:
                start_thread(self._work, "start")
            except RuntimeError:  # as many processes as the user may have
                break
            self._begun += 1
        return self._begun > 0

    def run(self, job: Callable[[], Result]) -> Future[Result]:
        """What becomes of a job."""
        future: Future[Result] = Future()
        self._jobs.put((job, future))
        return future

    def _work(self) -> None:
        while True:
            job, future = self._jobs.get()
            try:
                future.set_result(job())
            except BaseException as error:
                future.set_exception(error)
