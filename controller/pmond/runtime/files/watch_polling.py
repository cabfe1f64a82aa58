"""Changes by looking at the files again and again, where the kernel will not say.

For when inotify cannot be had: no more instances or watches (EMFILE, ENOSPC), or no inotify.
watchfiles polls the directories in a thread of its own. It compares times by the second, so it
misses the second of two quick edits, and stops for good at a name it cannot read; therefore each
of its time-outs, and its end, also count as "look again". It costs a few wake-ups per second.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

from watchfiles import Change, awatch

from pmond.runtime.files.watch_paths import WatchedEntries, places

POLL_SECONDS = 1.0


class PollingNotifier:
    """A `watch.Notifier` that polls."""

    def __init__(
        self,
        touched: Callable[[bool], None],
        find: Callable[[list[str]], WatchedEntries] = places,
        *,
        poll: float = POLL_SECONDS,
    ) -> None:
        self._touched = touched
        self._find = find
        self._poll = poll
        self._directories: list[str] = []
        self._stop = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def arm(self, sources: list[str]) -> None:
        found = self._find(sources)
        directories = sorted(d for d in found.names if os.access(d, os.R_OK | os.X_OK))
        if directories == self._directories and self._task is not None:
            return
        self.close()
        self._directories = directories
        self._stop = asyncio.Event()
        self._task = asyncio.create_task(self._run(found, directories, self._stop))

    def unread(self) -> bool:
        return False  # who looks has seen

    def close(self) -> None:
        self._stop.set()
        if self._task is not None:
            self._task.cancel()
            self._task = None

    async def _run(self, found: WatchedEntries, directories: list[str], stop: asyncio.Event) -> None:
        while not stop.is_set():
            try:
                await self._follow(found, directories, stop)
            except Exception:
                # However its thread ended (a directory went away: OSError; a name that is not UTF-8:
                # RuntimeError in an ExceptionGroup), the answer is to look, which arms anew, and go on.
                self._touched(False)
            await asyncio.sleep(self._poll)

    async def _follow(self, found: WatchedEntries, directories: list[str], stop: asyncio.Event) -> None:
        def wanted(_change: Change, path: str) -> bool:
            return found.counts(*os.path.split(path)) or path in found.names

        watching = awatch(
            *directories,
            watch_filter=wanted,
            debounce=50,
            step=50,
            stop_event=stop,
            rust_timeout=int(self._poll * 1000),
            yield_on_timeout=True,
            force_polling=True,
            poll_delay_ms=int(self._poll * 500),
            recursive=False,
        )
        async for _changes in watching:
            self._touched(False)
