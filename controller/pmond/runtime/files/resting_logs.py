"""Logs that nobody writes to: told when somebody does again, once for each, and at no cost until then."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

from pmond.runtime.files import inotify


class RestingLogs:
    """Those that are watched. Made without inotify it watches none."""

    def __init__(self, woke: Callable[[str], None]) -> None:
        """`woke` is told the path of a log that was written to."""
        self._woke = woke
        self._paths: dict[int, str] = {}
        self._inotify: inotify.Inotify | None = None

    def rest(self, path: str, log: int, size: int) -> bool:
        """Watch an open log that had this size a moment ago; False where that cannot be done."""
        try:
            watch = self._opened().add(f"/proc/self/fd/{log}", inotify.MODIFY | inotify.ONESHOT)
        except OSError:
            return False
        self._paths[watch] = path
        # What was written before the watch was there is told by nobody else.
        return os.fstat(log).st_size == size

    def rest_by_name(self, path: str) -> bool:
        """Watch a log whatever the path leads to; for who only wants to know that something happens there."""
        try:
            watch = self._opened().add(path, inotify.MODIFY | inotify.ONESHOT)
        except OSError:
            return False
        self._paths[watch] = path
        return True

    def close(self) -> None:
        """Watch nothing any more."""
        if self._inotify is not None:
            asyncio.get_running_loop().remove_reader(self._inotify.fileno())
            self._inotify.close()
            self._inotify = None
        self._paths.clear()

    def _opened(self) -> inotify.Inotify:
        if self._inotify is None:
            self._inotify = inotify.Inotify()
            asyncio.get_running_loop().add_reader(self._inotify.fileno(), self._readable)
        return self._inotify

    def _readable(self) -> None:
        assert self._inotify is not None
        events = self._inotify.read()
        if any(event.mask & inotify.Q_OVERFLOW for event in events):
            woken = list(self._paths.values())
            self._paths.clear()
        else:
            woken = [self._paths.pop(event.watch) for event in events if event.watch in self._paths]
        for path in woken:
            self._woke(path)
