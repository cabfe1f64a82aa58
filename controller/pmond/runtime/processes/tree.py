"""Whole trees: what belongs to an instance, and how all of it is ended.

Theory of operation: the main program leads a session and a process group of its own, which
catches most of a tree at once. A program that forks twice and makes its own session escapes
that, and its parents end. Two things then still lead to it: the daemon is a child subreaper, so
such an orphan becomes our child; and it has the instance's marker in its environment.

So the tree of our own child is its descendants, plus those of our other children that bear its
marker or are in its session or group, plus their descendants (`descendants`: costs what the tree
costs). After the daemon itself died, orphans went elsewhere, and all of /proc has to be looked
through (`process_table`). Both miss a process that moves while they look, therefore killing goes
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
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from msgspec import Struct

from pmond.runtime.processes.identity import Identity, send_signal

_BETWEEN_LOOKS = 0.01
"""Seconds; two empty looks this far apart ended every tree that was tried."""


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
