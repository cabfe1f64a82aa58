"""A `Watcher` in a thread of its own, for files by the thousand.

Theory of operation: one look at a large tree takes seconds, in which supervision must go on. So the
watcher lives on an event loop of its own, in a thread that sleeps while nothing happens. Nothing is
shared: what is to be done is handed over, and what came of it is handed back to the loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

from pmond.runtime.base.threads import start_thread
from pmond.runtime.files.watch import Watcher

Found = TypeVar("Found")
Post = Callable[[Callable[[], None]], None]
"""Has something done by the loop that made the thread."""


class WatchThread:
    """Its methods return at once. Raises OSError when no thread is to be had, or no descriptor for it."""

    def __init__(self, make: Callable[[Post], Watcher]) -> None:
        """`make` is called in the thread."""
        self._make = make
        self._home = asyncio.get_running_loop()
        self._loop = asyncio.new_event_loop()
        self._loop.set_exception_handler(self._report)
        self._jobs: asyncio.Queue[Callable[[Watcher], None] | None] = asyncio.Queue()
        try:
            # It must not hold up the end of pmond: a look cannot be broken off.
            start_thread(self._run, "watch")
        except OSError:
            self._loop.close()
            raise

    def watch(self, paths: Sequence[str], then: Callable[[], None]) -> None:
        """Watch these absolute paths instead of the earlier ones; `then` is called when that is done."""

        def job(watcher: Watcher) -> None:
            watcher.watch(paths)
            self._post(then)

        self._do(job)

    def read(self, work: Callable[[], Found], then: Callable[[Found], None]) -> None:
        """`then` is called with what `work` answers, which is done in the thread and in its turn."""

        def job(watcher: Watcher) -> None:
            self._post(partial(then, work()))

        self._do(job)

    def resync(self) -> None:
        """Look whether anything changed that no event told of."""
        self._do(Watcher.resync)

    def close(self) -> None:
        """End when the look that is under way, if any, is over."""
        self._do(None)

    def _do(self, job: Callable[[Watcher], None] | None) -> None:
        with suppress(RuntimeError):  # it was closed
            self._loop.call_soon_threadsafe(self._jobs.put_nowait, job)

    def _post(self, call: Callable[[], None]) -> None:
        with suppress(RuntimeError):  # pmond has ended
            self._home.call_soon_threadsafe(call)

    def _report(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        told: dict[str, Any] = {key: context[key] for key in ("message", "exception") if key in context}
        self._post(lambda: self._home.call_exception_handler(told))

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        watcher = self._make(self._post)
        while (job := await self._jobs.get()) is not None:
            # Not called here: an error in one is reported, and the next is done.
            self._loop.call_soon(job, watcher)
        watcher.close()
