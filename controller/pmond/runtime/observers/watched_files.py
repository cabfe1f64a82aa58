"""Follows the files that processes watch (`ProcessSpec.watched`), and tells the loop what they say.

Theory of operation: one `Watcher` over the paths of all processes, in a thread that is made when the
first process watches something. A change of any of them, once it has been still for the process's `debounce`,
makes us read that process's files again, there too; the loop is told their digests, whatever
they are, and decides from states alone. So a change that was missed is found at the next look, and
one that happened while no pmond ran is found at start, against what the instance is known to have read.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable, Mapping, Sequence
from functools import partial

from pmon3_schema.process_parts import WatchSpec
from pmon3_schema.trust import stranger
from pmond.core.events import ProcessEvent
from pmond.core.facts import FilesSeen
from pmond.core.model import NOTHING_SEEN, Files, State
from pmond.runtime.base.journal import Journal
from pmond.runtime.base.thread_rights import acting_as
from pmond.runtime.files.watch import InotifyNotifier, Watcher, polling
from pmond.runtime.files.watch_thread import Post, WatchThread
from pmond.runtime.files.watch_trees import Ignore, digest, tree_places, tree_signature
from pmond.runtime.intent.registry import Registry
from pmond.runtime.processes.environment import User, other_user
from pmond.runtime.processes.failures import SpawnError
from pmond.runtime.supervise.loop import Loop


class WatchedFiles:
    """Those of all processes."""

    def __init__(self, registry: Registry, loop: Loop, journal: Journal) -> None:
        self._registry = registry
        self._loop = loop
        self._journal = journal
        self._watched: dict[str, WatchSpec] = {}
        self._ignored: dict[str, Ignore] = {}
        """For each path what nobody who watches it wants to know."""
        self._thread: WatchThread | None = None
        self._still: dict[str, asyncio.TimerHandle] = {}

    def follow(self, names: Iterable[str]) -> None:
        """Of these processes something else is wanted now, perhaps other files."""
        changed = [name for name in names if self._wanted(name) != self._watched.get(name)]
        if not changed:
            return
        wanted = {name: self._wanted(name) for name in {*self._watched, *changed}}
        self._watched = {name: watch for name, watch in wanted.items() if watch is not None}
        self._ignored = _ignored_by_all(self._watched.values())
        self._watch(changed)

    def turn_ended(self, before: Mapping[str, State], happened: Sequence[ProcessEvent]) -> None:
        """What the turn has changed may watch other files now."""
        self.follow(before)

    def look_again(self) -> None:
        """Look whether anything changed that no event told of."""
        if self._thread is not None:
            self._thread.resync()
        elif self._watched:
            self._watch(list(self._watched))

    def close(self) -> None:
        for timer in self._still.values():
            timer.cancel()
        if self._thread is not None:
            self._thread.close()

    def _wanted(self, name: str) -> WatchSpec | None:
        one = self._registry.processes.get(name)
        return one.spec.watched if one is not None and one.spec.watch.paths else None

    def _watch(self, changed: list[str]) -> None:
        if self._thread is None:
            try:
                self._thread = WatchThread(self._make)
            except OSError as error:  # the next look tries again
                self._journal.warn("watch.no_thread", error=str(error))
                return
        # Before they are read, so that no change goes unseen.
        self._thread.watch(tuple(self._ignored), partial(self._read, changed))

    def _make(self, post: Post) -> Watcher:
        """In the thread; `post` leads back to the loop."""

        def ignored(source: str) -> Ignore:
            return self._ignored.get(source, ())

        places = partial(tree_places, ignored=ignored)
        return Watcher(
            lambda sources: post(partial(self._changed, sources)),
            notifier=partial(InotifyNotifier, find=places),
            fallback=partial(polling, find=places),
            on_fallback=lambda error: post(partial(self._journal.warn, "watch.polling", error=str(error))),
            look=lambda source: tree_signature(source, ignored(source)),
        )

    def _changed(self, sources: list[str]) -> None:
        loop = asyncio.get_running_loop()
        for name, watch in self._watched.items():
            if not {os.path.abspath(path) for path in watch.paths}.isdisjoint(sources):  # noqa: PTH100
                if name in self._still:
                    self._still[name].cancel()
                self._still[name] = loop.call_later(watch.debounce, self._read, [name])

    def _read(self, names: list[str]) -> None:
        for name in names:
            self._still.pop(name, None)
            one = self._registry.processes.get(name)
            if one is None or self._thread is None:
                continue
            watch = one.spec.watched
            try:
                user = other_user(name, one.spec.user)
            except SpawnError:
                continue  # nobody's rights are there to read them with
            work = partial(_digests, watch, user, trusted=one.trusted)
            self._thread.read(work, partial(self._was_read, name, watch))

    def _was_read(self, name: str, watch: WatchSpec, files: Files) -> None:
        present = self._registry.processes.get(name)
        if present is None or present.spec.watched != watch:
            return  # other files count by now; they are being read
        if files or self._loop.observed.get(name, NOTHING_SEEN).files:
            self._loop.tell(FilesSeen(name, files))


def _digests(watch: WatchSpec, user: User | None, *, trusted: bool) -> Files:
    """What the files say to this user; None: to pmond."""
    return tuple((path, _digest(path, watch.ignore, user, trusted)) for path in watch.paths)


def _digest(path: str, ignore: Ignore, user: User | None, trusted: bool) -> str:
    # Files that only root may read, and only root has put there, may concern a process that root declares.
    if user is None or (trusted and not stranger(path, os.geteuid())):
        return digest(path, ignore)
    try:
        with acting_as(user.rights):
            return digest(path, ignore)
    except PermissionError:
        return "-"


def _ignored_by_all(watches: Iterable[WatchSpec]) -> dict[str, Ignore]:
    found: dict[str, Ignore] = {}
    for watch in watches:
        for path in map(os.path.abspath, watch.paths):
            before = found.get(path, watch.ignore)
            found[path] = tuple(pattern for pattern in before if pattern in watch.ignore)
    return found
