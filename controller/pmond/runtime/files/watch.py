"""Changes of manifests and of config.yml, told once each.

Theory of operation: a *notifier* says "look again" (inotify; `watch_polling` where inotify
cannot be had), and what happened is then found by comparing `signature`s, so a lost, doubled or
misread event does no harm. After the first event the watcher waits until nothing has happened
for 50 ms, at most 500 ms in all, and while a new file is still being written, so that a burst
of edits, an editor's way of saving or a slow writer is one change. It has no timer of its own
while nothing happens; the loop calls `resync` now and then for changes that no event tells
(network file systems).
"""

# Paths are text here: there are many per look, and links stay as they are written.
# ruff: noqa: PTH100, PTH118
from __future__ import annotations

import asyncio
import errno
import os
import stat
from collections.abc import Callable, Iterable
from typing import Protocol

from pmond.runtime.files import inotify
from pmond.runtime.files.watch_paths import Signature, WatchedEntries, places, signature

SETTLE_SECONDS = 0.05
MOST_SETTLE_SECONDS = 0.5

_NAMES = inotify.CREATE | inotify.DELETE | inotify.MOVED_FROM | inotify.MOVED_TO | inotify.ATTRIB
_SELF = inotify.DELETE_SELF | inotify.MOVE_SELF | inotify.ATTRIB
_LOST = inotify.Q_OVERFLOW | inotify.UNMOUNT
# Not the end of the world, each: the entry went away between looking and watching, or may not be read.
_PASSING = {errno.ENOENT, errno.ENOTDIR, errno.EACCES, errno.ELOOP}


class ChangeNotifier(Protocol):
    """Says that something may have changed in the places it was armed for."""

    def arm(self, sources: list[str]) -> None:
        """Look at these sources only. Raises OSError when that cannot be done."""

    def unread(self) -> bool:
        """Whether there is something that it has not said yet."""

    def close(self) -> None: ...


Touched = Callable[[bool], None]
"""Called for each event that counts; true while a new file is still being written."""
Find = Callable[[list[str]], WatchedEntries]
"""Says where changes of some sources show."""


class InotifyNotifier:
    """Watches the directories along the way to each source."""

    def __init__(self, touched: Touched, find: Find = places) -> None:
        self._touched = touched
        self._find = find
        self._inotify = inotify.Inotify()
        self._places = WatchedEntries()
        self._watches: dict[int, str] = {}
        self._unfinished: set[tuple[int, bytes]] = set()
        asyncio.get_running_loop().add_reader(self._inotify.fileno(), self._readable)

    def arm(self, sources: list[str]) -> None:
        # Looking again after watching finds what changed between the two; ways do not grow for ever.
        for _ in range(10):
            found = self._find(sources)
            watches = self._add(found)
            if self._find(sources) == found:
                break
        for number in self._watches.keys() - watches.keys():
            self._inotify.remove(number)
        self._places, self._watches = found, watches
        self._unfinished.clear()

    def unread(self) -> bool:
        return self._inotify.unread()

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._inotify.fileno())
        self._inotify.close()

    def _add(self, found: WatchedEntries) -> dict[int, str]:
        watches = {}
        for directory in found.names:
            mask = _SELF
            mask |= _NAMES if directory in found.turns else 0
            mask |= inotify.CLOSE_WRITE if directory in found.holders else 0
            try:
                # MASK_ADD: a directory mounted in two places is one watch.
                number = self._inotify.add(directory, mask | inotify.ONLYDIR | inotify.MASK_ADD)
            except OSError as error:
                if error.errno not in _PASSING:
                    raise
                continue
            watches[number] = directory
        return watches

    def _readable(self) -> None:
        counted = [self._counts(event) for event in self._inotify.read()]
        if any(counted):
            self._touched(bool(self._unfinished))

    def _counts(self, event: inotify.InotifyEvent) -> bool:
        if event.mask & _LOST:
            return True
        directory = self._watches.get(event.watch)
        if directory is None:  # of a watch that was ended since
            return False
        if not event.name:
            return True  # the directory itself: moved, removed, no longer watched
        if not self._places.counts(directory, os.fsdecode(event.name)):
            return False
        self._note_writing(event, directory)
        return True

    def _note_writing(self, event: inotify.InotifyEvent, directory: str) -> None:
        # A file that is created is written next, and closed; one that is linked in or moved here is whole.
        entry = (event.watch, event.name)
        if event.mask & inotify.CREATE and _is_new_file(os.path.join(os.fsencode(directory), event.name)):
            self._unfinished.add(entry)
        elif not event.mask & inotify.ATTRIB:
            self._unfinished.discard(entry)


def _is_new_file(path: bytes) -> bool:
    try:
        status = os.lstat(path)
    except OSError:
        return False
    return stat.S_ISREG(status.st_mode) and status.st_nlink == 1


class Watcher:
    """Calls `on_change` with the changed sources, once per change. `look` tells whether one changed.

    `fallback` makes the notifier to use when the first one fails, then or later; `on_fallback`
    is told why. Lives in the running event loop.
    """

    def __init__(
        self,
        on_change: Callable[[list[str]], None],
        *,
        notifier: Callable[[Touched], ChangeNotifier] = InotifyNotifier,
        fallback: Callable[[Touched], ChangeNotifier] | None = None,
        on_fallback: Callable[[OSError], None] = lambda error: None,
        look: Callable[[str], Signature] = signature,
        settle: float = SETTLE_SECONDS,
        most_settle: float = MOST_SETTLE_SECONDS,
    ) -> None:
        self._on_change = on_change
        self._fallback = fallback or polling
        self._on_fallback = on_fallback
        self._signature = look
        self._settle, self._most_settle = settle, most_settle
        self._seen: dict[str, Signature] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._first = 0.0
        try:
            self._notifier = notifier(self._touched)
        except OSError as error:
            self._fall_back(error)

    @property
    def settled(self) -> bool:
        """Whether nothing has happened of which `on_change` may still be called."""
        return self._timer is None and not self._notifier.unread()

    def watch(self, paths: Iterable[str | os.PathLike[str]]) -> None:
        """Watch these absolute paths instead of the earlier ones; those kept lose no change.

        Read a source after watching it, not before: what changes in between is then told.
        """
        sources = list(dict.fromkeys(os.path.abspath(os.fspath(path)) for path in paths))
        seen = self._seen
        self._arm(sources)
        self._seen = {path: seen[path] if path in seen else self._signature(path) for path in sources}

    def resync(self) -> None:
        """Look now, event or not. Does nothing while a change is settling."""
        if self._timer is None:
            self._look()

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._notifier.close()

    def _touched(self, unfinished: bool) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        if self._timer is None:
            self._first = now
        else:
            self._timer.cancel()
        wait = self._most_settle if unfinished else self._settle
        self._timer = loop.call_at(min(now + wait, self._first + self._most_settle), self._look)

    def _look(self) -> None:
        self._timer = None
        self._arm(list(self._seen))
        now = {path: self._signature(path) for path in self._seen}
        changed = [path for path in now if now[path] != self._seen[path]]
        self._seen = now
        if changed:
            self._on_change(changed)

    def _arm(self, sources: list[str]) -> None:
        try:
            self._notifier.arm(sources)
        except OSError as error:
            self._notifier.close()
            self._fall_back(error)
            self._notifier.arm(sources)

    def _fall_back(self, error: OSError) -> None:
        self._notifier = self._fallback(self._touched)
        self._on_fallback(error)


def polling(touched: Touched, find: Find = places) -> ChangeNotifier:
    """The notifier for where inotify cannot be had."""
    # Late: few machines ever need it.
    from pmond.runtime.files.watch_polling import PollingNotifier

    return PollingNotifier(touched, find)
