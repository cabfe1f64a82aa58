"""Whole trees: what belongs to an instance, and how all of it is ended.

Theory of operation: the main program leads a session and a process group of its own, which
catches most of a tree at once. A program that forks twice and makes its own session escapes
that, and its parents end. Two things then still lead to it: the daemon is a child subreaper, so
such an orphan becomes our child; and it has the instance's marker in its environment.

So the tree of our own child is its descendants, plus those of our other children that bear its
marker or are in its session or group, plus their descendants (`Descendants`: costs what the tree
costs). After the daemon itself died, orphans went elsewhere, and all of /proc has to be looked
through (`ProcessTable`). Both miss a process that moves while they look, therefore killing goes
on until two looks in a row have found nothing. That nothing is left (`may_live`) is believed of one
look that is *settled*: nobody had just ended, who may have left another, who has become our child since, and
nobody was just becoming another program, which has no environment for a moment.
Both are a `TreeMembership`, and so is a control group together with one of them (`cgroups`).

A marker is a claim that anybody can make: it counts for processes of the users that the instance runs as.
What root started may have become any user, which nobody has seen when its worker forks away. Our children are
what our instances have started, so one of a user that nothing was started as is a worker of that kind.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from typing import NamedTuple, Protocol

from msgspec import Struct
from msgspec.structs import replace

from pmond.runtime.processes.environment import MARKER
from pmond.runtime.processes.identity import (
    Identity,
    Stat,
    boot_id,
    pids_in,
    read_stat,
    read_whole,
    real_uid,
    runs,
    send_signal,
    start_ticks,
)

_PR_SET_CHILD_SUBREAPER = 36
_BETWEEN_LOOKS = 0.01
"""Seconds; two empty looks this far apart ended every tree that was tried."""
_MARKING = f"\0{MARKER}=".encode()
_GONE = (FileNotFoundError, ProcessLookupError)
_CLOSED = (*_GONE, PermissionError)
"""What /proc answers of processes that have ended, or are not ours to look into."""
_MOST_LOOKS = 5
"""At programs that come and go faster than they can be looked at; then they count as alive."""


class Root(Struct, frozen=True):
    """What a tree is recognised by."""

    pid: int
    """The main program, which is also the number of its session and group. It may have ended."""
    start_ticks: int
    """When it started: nothing older belongs to it, whatever its numbers."""
    marker: str
    uids: frozenset[int]
    """The users that it is known to run as. Whoever else bears its marker has only written it down."""
    of_root: bool = False
    """It was started as root, and may have become anybody."""


class TreeMembership(Protocol):
    """A way to find the processes of a tree."""

    def members(self, root: Root) -> frozenset[Identity]:
        """All that live (zombies do not), the main program included."""
        ...

    def may_live(self, root: Root) -> bool:
        """Whether any of it lives, or that cannot be told, as they come and go faster than one can look."""
        ...


def become_subreaper() -> bool:
    """Have orphaned descendants given to this process; False where the system cannot."""
    try:
        prctl = ctypes.CDLL(None, use_errno=True).prctl
    except (OSError, AttributeError):
        return False
    return bool(prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0)


def signal_group(pid: int, number: int, *, resume: bool = False) -> bool:
    """Signal the group of an own child that has not been reaped; False when nothing is there.

    `resume`: send SIGCONT after it, for signals that ask to end, since a stopped process sees
    none of them until it goes on.
    """
    return _signal_own(os.killpg, pid, number, resume)


def signal_main(pid: int, number: int, *, resume: bool = False) -> bool:
    """The same for the main program alone."""
    return _signal_own(os.kill, pid, number, resume)


def _signal_own(send: Callable[[int, int], None], pid: int, number: int, resume: bool) -> bool:
    if pid <= 1:
        return False
    try:
        send(pid, number)
        if resume:
            send(pid, signal.SIGCONT)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # it became somebody else's for good (set-user-ID): that it does not end is how that is told
    return True


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
        return _alive(found)

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
        return (pid for pid, one in strangers if pid != root.pid and _is_member(*one, root))

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


class _Claim(NamedTuple):
    """What a process says that it belongs to, and whose it is."""

    marker: str
    """Empty when there is none, or it may not be read."""
    uid: int | None
    """None without a marker."""


_NO_CLAIM = _Claim("", None)


class _ChildSeen(NamedTuple):
    """A child of ours that is nobody's main program."""

    stat: Stat
    claim: _Claim


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
            claim = _claim(pid, stat) if stat is not None else None
            if stat is not None and runs(pid, stat):
                strangers[pid] = _ChildSeen(stat, claim or _NO_CLAIM)
                unclear |= claim is None
            elif pid not in passing:
                passing.add(pid)
                unclear = True
        if not unclear:
            return _ChildrenSeen(own, strangers, settled=True)
    return _ChildrenSeen(own, strangers, settled=False)


class ProcessTable:
    """Membership by looking at every process there is: about 20 µs for each.

    As of `Descendants`, one look serves all who ask until the event loop comes round again.
    """

    def __init__(self) -> None:
        self._seen: _Table | None = None

    def members(self, root: Root) -> frozenset[Identity]:
        """Everything in its session or group or with its marker, and all descendants of that."""
        table = self._look()
        start, found = table.starting_at(root), dict[int, Stat]()
        while start:
            pid = start.pop()
            stat = table.stats[pid]
            if pid not in found and stat.start_ticks >= root.start_ticks:
                found[pid] = stat
                start += table.below.get(pid, ())
        return _alive(found)

    def may_live(self, root: Root) -> bool:
        """Nobody can wait until a look is settled, as on a busy machine somebody always ends: two must do."""
        if self.members(root):
            return True
        settled, self._seen = self._look().settled, None
        return not settled and bool(self.members(root))

    def _look(self) -> _Table:
        if self._seen is not None:
            return self._seen
        seen = _look_at_all()
        with suppress(RuntimeError):
            asyncio.get_running_loop().call_soon(self._forget)
            self._seen = seen
        return seen

    def _forget(self) -> None:
        self._seen = None


class _Table(Struct, frozen=True):
    """All processes at one moment."""

    stats: dict[int, Stat]
    below: Mapping[int, list[int]]
    """For each process its children."""
    together: Mapping[int, list[int]]
    """For each session and each process group its members."""
    claims: Mapping[str, list[tuple[int, _Claim]]]
    """For each marker who bears it."""
    settled: bool

    def starting_at(self, root: Root) -> list[int]:
        """The members that are not known by their parents."""
        leader = self.stats.get(root.pid)
        # Its number may be another's by now, whose session and group then bear it too.
        reused = leader is not None and leader.start_ticks != root.start_ticks
        bearers = self.claims.get(root.marker, ())
        found = [pid for pid, claim in bearers if _is_member(self.stats[pid], claim, root, by_session=False)]
        return found if reused else [*self.together.get(root.pid, ()), *found]


def _look_at_all() -> _Table:
    pids = list(_pids())
    stats = {pid: stat for pid in pids if (stat := read_stat(pid)) is not None}
    below, together, claims = defaultdict(list), defaultdict(list), defaultdict(list)
    settled = len(stats) == len(pids)
    for pid, stat in stats.items():
        below[stat.parent].append(pid)
        for number in {stat.session, stat.group}:
            together[number].append(pid)
        claim = _claim(pid, stat)
        if claim is None or stat.state == "Z":
            settled = False
        elif claim.marker:
            claims[claim.marker].append((pid, claim))
    return _Table(stats, below, together, claims, settled)


def members(marker: str, session: int, started_ticks: int) -> frozenset[Identity]:
    """The exact, slow look: `ProcessTable` on one tree."""
    return ProcessTable().members(Root(session, started_ticks, marker, frozenset({os.geteuid()})))


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


def kill_members(membership: TreeMembership, root: Root) -> frozenset[Identity]:
    """One look and SIGKILL to all that it finds; answers what it found."""
    found = membership.members(root)
    for identity in found:
        try_signal(identity, signal.SIGKILL)
    return found


def try_signal(identity: Identity, number: int) -> None:
    """Signal a member of a tree; one that we may not signal stays a member, which is how that is noticed."""
    with suppress(PermissionError):
        send_signal(identity, number)


async def kill_tree(membership: TreeMembership, root: Root, timeout: float = 2.0) -> frozenset[Identity]:
    """Kill until two looks in a row find nothing; answers the survivors after `timeout` seconds.

    Survivors are processes that wait for a device, or belong to somebody we may not signal.
    """
    loop = asyncio.get_running_loop()
    deadline, empty = loop.time() + timeout, 0
    while True:
        found = kill_members(membership, root)
        empty = 0 if found else empty + 1
        if empty == 2 or loop.time() >= deadline:
            return found
        await asyncio.sleep(_BETWEEN_LOOKS)


def marker_of(pid: int) -> str:
    """The instance marker in the environment of a process; empty when there is none to be seen."""
    return _marker(pid, None) or ""


def _claim(pid: int, stat: Stat) -> _Claim | None:
    """None for one that has just ended, or is just becoming another program."""
    marker = _marker(pid, stat)
    if not marker:
        return None if marker is None else _NO_CLAIM
    uid = real_uid(pid)
    return _Claim(marker, uid) if uid is not None else None


def _marker(pid: int, stat: Stat | None) -> str | None:
    """None for one that has just ended, or has neither environment nor arguments yet."""
    try:
        environment = b"\0" + read_whole(f"/proc/{pid}/environ")
        begin = environment.find(_MARKING)
        if begin < 0:
            # Of a program whose first thread has ended the others are not looked at.
            never = stat is not None and (stat.state == "Z" or stat.is_kernels)
            return "" if environment[1:] or never or read_whole(f"/proc/{pid}/cmdline") else None
    except _GONE:
        return None
    except PermissionError:
        return ""
    begin += len(_MARKING)
    end = environment.find(b"\0", begin)
    return os.fsdecode(environment[begin : end if end >= 0 else None])


def own_children() -> list[int]:
    """The pids of our children, zombies included."""
    return children(os.getpid())


def children(pid: int) -> list[int]:
    """The pids of the children of a process: of all its threads. Costs what they are in number."""
    found: list[int] = []
    try:
        tasks = os.listdir(f"/proc/{pid}/task")  # noqa: PTH208 - on the path of every stop
    except _CLOSED:
        return found
    for task in tasks:
        try:
            found += pids_in(read_whole(f"/proc/{pid}/task/{task}/children"))
        except _CLOSED:
            continue
    return found


def users_below(root: Root) -> frozenset[int]:
    """The real users of a main program that lives, and of its descendants. Raises OSError."""
    found: set[int] = set()
    start = [root.pid] if start_ticks(root.pid) == root.start_ticks else []
    while start:
        pid = start.pop()
        uid = real_uid(pid)
        if uid is not None:
            found.add(uid)
            start += children(pid)
    return frozenset(found)


def _is_member(stat: Stat, claim: _Claim, root: Root, by_session: bool = True) -> bool:
    if stat.start_ticks < root.start_ticks:
        return False
    if by_session and root.pid in (stat.session, stat.group):
        return True
    return claim.marker == root.marker and _runs_as_well(claim, root)


def _runs_as_well(claim: _Claim, root: Root) -> bool:
    """Whether a process runs as the instance does, or did: many programs give the rights of root up."""
    if claim.uid in root.uids:
        return True
    return start_ticks(root.pid) == root.start_ticks and real_uid(root.pid) == claim.uid


def _alive(found: dict[int, Stat]) -> frozenset[Identity]:
    boot = boot_id()
    return frozenset(Identity(pid, stat.start_ticks, boot) for pid, stat in found.items() if runs(pid, stat))


def _pids() -> Iterator[int]:
    return (int(name) for name in os.listdir("/proc") if name.isdecimal())  # noqa: PTH208 - see above
