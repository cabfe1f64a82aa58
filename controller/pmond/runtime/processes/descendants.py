"""The trees of our own children: by descent, and by what orphans that became ours say and are."""

from __future__ import annotations

import asyncio
import ctypes
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from pmond.runtime.processes.identity import Identity, Stat, boot_id, read_stat, runs
from pmond.runtime.processes.tree import Root
from pmond.runtime.processes.tree_claims import (
    NO_CLAIM,
    Claim,
    alive,
    children,
    claim_of,
    is_member,
    own_children,
)

_PR_SET_CHILD_SUBREAPER = 36
_MOST_LOOKS = 5
"""At programs that come and go faster than they can be looked at; then they count as alive."""


def become_subreaper() -> bool:
    """Have orphaned descendants given to this process; False where the system cannot."""
    try:
        prctl = ctypes.CDLL(None, use_errno=True).prctl
    except (OSError, AttributeError):
        return False
    return bool(prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0)


class Descendants:
    """Membership of trees whose main program is, or was, our own child.

    `mains`: the pids of all main programs that are our children now, so that nobody's main
    program is taken for somebody's orphan. `users`: those that something was started as, which account for
    processes of theirs.

    When hundreds end at once, one look at our children serves all of them: what it sees is good until the
    event loop comes round again. Whoever asks then about a main program that ended asks after it was
    reaped, hence after its orphans had become our children.
    """

    def __init__(self, mains: Callable[[], Collection[int]], users: Callable[[], Collection[int]]) -> None:
        self._mains = mains
        self._users = users
        self._seen: _ChildrenSeen | None = None

    def members(self, root: Root) -> frozenset[Identity]:
        """The tree under the main program and under its orphans."""
        found: dict[int, Stat] = {}
        start = [*self._main(root), *self._orphans(root)]
        while start:
            pid = start.pop()
            stat = read_stat(pid)
            if stat is not None and pid not in found:
                found[pid] = stat
                start += children(pid)
        return alive(found)

    def may_live(self, root: Root) -> bool:
        # Who was alive at the look counts, ended since or not: what it left was not ours then.
        return any(self._main(root)) or any(self._orphans(root)) or not self._look().settled

    def _main(self, root: Root) -> Iterator[int]:
        """The main program; once reaped its number may be that of another child of ours."""
        if root.pid in self._look().own:
            stat = read_stat(root.pid)
            if stat is not None and stat.start_ticks == root.start_ticks and runs(root.pid, stat):
                yield root.pid

    def _orphans(self, root: Root) -> Iterator[int]:
        strangers = self._look().strangers.items()
        if root.of_root:
            others = {one.claim.uid for _, one in strangers if one.claim.uid is not None}
            root = replace(root, uids=root.uids | others.difference(self._users()))
        return (pid for pid, one in strangers if pid != root.pid and is_member(*one, root))

    def _look(self) -> _ChildrenSeen:
        if self._seen is not None:
            return self._seen
        seen = _look_at_children(self._mains())
        with suppress(RuntimeError):  # without an event loop each look is a new one
            asyncio.get_running_loop().call_soon(self._forget)
            self._seen = seen
        return seen

    def _forget(self) -> None:
        self._seen = None


class _ChildSeen(NamedTuple):
    """A child of ours that is nobody's main program."""

    stat: Stat
    claim: Claim


class _ChildrenSeen(Struct, frozen=True):
    """Our children at one moment."""

    own: frozenset[int]
    strangers: dict[int, _ChildSeen]
    """Those that live."""
    settled: bool


def _look_at_children(mains: Collection[int]) -> _ChildrenSeen:
    passing: set[int] = set()
    for _ in range(_MOST_LOOKS):
        own, strangers, unclear = frozenset(own_children()), {}, False
        for pid in own.difference(mains):
            stat = read_stat(pid)
            claim = claim_of(pid, stat) if stat is not None else None
            if stat is not None and runs(pid, stat):
                strangers[pid] = _ChildSeen(stat, claim or NO_CLAIM)
                unclear |= claim is None
            elif pid not in passing:
                passing.add(pid)
                unclear = True
        if not unclear:
            return _ChildrenSeen(own, strangers, settled=True)
    return _ChildrenSeen(own, strangers, settled=False)


class OrphanedChildren(Struct, frozen=True):
    """Our children that are nobody's main program. Zombies are left out; the reaper takes care of them."""

    by_marker: Mapping[str, list[Identity]]
    """Under "" are those whose marker is not to be had: they have cleared it, or it may not be read."""
    sessions: frozenset[int]
    """The sessions that they are in."""
    settled: bool
    """These are all of them; false when they come and go faster than one can look."""


def orphans(known: Collection[int]) -> OrphanedChildren:
    """Our children but for the pids of `known`."""
    found: dict[str, list[Identity]] = defaultdict(list)
    seen = _look_at_children(known)
    for pid, one in seen.strangers.items():
        found[one.claim.marker].append(Identity(pid, one.stat.start_ticks, boot_id()))
    sessions = frozenset(one.stat.session for one in seen.strangers.values())
    return OrphanedChildren(found, sessions, seen.settled)
