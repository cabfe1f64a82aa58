"""Who claims to belong to a tree, and of whom that is believed; the children of a process.

Theory of operation: /proc says it of every process, unless that has just ended or is just becoming
another program. Both are told apart from "nothing", so that whoever looks can look again.
"""

from __future__ import annotations

import os
from typing import NamedTuple

from pmond.runtime.processes.environment import MARKER
from pmond.runtime.processes.identity import (
    Identity,
    Stat,
    boot_id,
    pids_in,
    read_whole,
    real_uid,
    runs,
    start_ticks,
)
from pmond.runtime.processes.tree import Root

_MARKING = f"\0{MARKER}=".encode()
_GONE = (FileNotFoundError, ProcessLookupError)
_CLOSED = (*_GONE, PermissionError)
"""What /proc answers of processes that have ended, or are not ours to look into."""


class Claim(NamedTuple):
    """What a process says that it belongs to, and whose it is."""

    marker: str
    """Empty when there is none, or it may not be read."""
    uid: int | None
    """None without a marker."""


NO_CLAIM = Claim("", None)


def marker_of(pid: int) -> str:
    """The instance marker in the environment of a process; empty when there is none to be seen."""
    return _marker(pid, None) or ""


def claim_of(pid: int, stat: Stat) -> Claim | None:
    """None for one that has just ended, or is just becoming another program."""
    marker = _marker(pid, stat)
    if not marker:
        return None if marker is None else NO_CLAIM
    uid = real_uid(pid)
    return Claim(marker, uid) if uid is not None else None


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


def is_member(stat: Stat, claim: Claim, root: Root, by_session: bool = True) -> bool:
    if stat.start_ticks < root.start_ticks:
        return False
    if by_session and root.pid in (stat.session, stat.group):
        return True
    return claim.marker == root.marker and _runs_as_well(claim, root)


def _runs_as_well(claim: Claim, root: Root) -> bool:
    """Whether a process runs as the instance does, or did: many programs give the rights of root up."""
    if claim.uid in root.uids:
        return True
    return start_ticks(root.pid) == root.start_ticks and real_uid(root.pid) == claim.uid


def alive(found: dict[int, Stat]) -> frozenset[Identity]:
    boot = boot_id()
    return frozenset(Identity(pid, stat.start_ticks, boot) for pid, stat in found.items() if runs(pid, stat))


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
