"""What outlived an earlier pmond: who bears our marker, or is in a control group of ours.

A marker is in the environment, which a program may write over, and anybody can put it there; a group is
neither, but is there only where pmond could make one.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from pmond.core.recovery import Bearer
from pmond.runtime.access import users
from pmond.runtime.processes import tree_claims
from pmond.runtime.processes.environment import REVISION, parse_marker
from pmond.runtime.processes.identity import Identity, boot_id, read_stat, real_uid, runs
from pmond.runtime.processes.live_program import environment_of
from pmond.runtime.processes.seal import Seal
from pmond.runtime.state.records import InstanceRecord

Run = tuple[str, int]
"""The name and the number of an instance."""


class Survivor(Struct, frozen=True):
    """A live process of ours."""

    identity: Identity
    """By its start time; the inode of its pidfd is looked up only where it is recorded."""
    name: str
    number: int
    leads: bool
    """It leads its session, as every main program does."""
    own: bool
    """It is our child still: this pmond took the place of earlier code in the same process."""
    proven: bool = False
    """It is in the control group of its instance."""

    @property
    def pid(self) -> int:
        return self.identity.pid


class Unclaimed(Struct, frozen=True):
    """What lives of an instance of which nobody knows what is wanted of it."""

    name: str
    number: int
    members: Sequence[Survivor]
    record: InstanceRecord | None = None


def survivors(state_uuid: str) -> list[Survivor]:
    """All live processes that bear the marker of this state, oldest first."""
    found = []
    for pid in (int(name) for name in os.listdir("/proc") if name.isdecimal()):  # noqa: PTH208
        text = tree_claims.marker_of(pid)
        survivor = _survivor(pid, text) if text.startswith(f"{state_uuid}:") else None
        if survivor is not None:
            found.append(survivor)
    return _oldest_first(found)


def by_run(found: Collection[Survivor]) -> dict[Run, list[Survivor]]:
    """The members of each instance, oldest first."""
    members: dict[Run, list[Survivor]] = defaultdict(list)
    for survivor in found:
        members[survivor.name, survivor.number].append(survivor)
    return members


def with_groups(
    members: Mapping[Run, Sequence[Survivor]], groups: Mapping[str, Sequence[Identity]]
) -> dict[Run, list[Survivor]]:
    """The same with who is in their groups, which is known by marker."""
    known = {one.identity: one for found in members.values() for one in found}
    for marker, identities in groups.items():
        for identity in identities:
            survivor = _survivor(identity.pid, marker)
            if survivor is not None and survivor.identity == identity:
                known[identity] = replace(survivor, proven=True)
    return by_run(_oldest_first(known.values()))


def bearers(
    members: Sequence[Survivor], marker: str, seal: Seal, is_child: Callable[[Survivor], bool]
) -> tuple[dict[int, Survivor], tuple[Bearer, ...]]:
    """The same as the core sees them, and who they are by pid.

    `is_child`: whether it is known that one was not started by pmond, though it leads its session.
    A main program that has written over its environment is known by those whose session it leads.
    """
    leaders = [leader for one in members if not one.leads and (leader := _leader(one)) is not None]
    by_pid = {one.pid: one for one in (*members, *leaders)}
    found = (_bearer(one, marker, seal, is_child) for one in by_pid.values())
    return by_pid, tuple(bearer for bearer in found if bearer is not None)


def _bearer(one: Survivor, marker: str, seal: Seal, is_child: Callable[[Survivor], bool]) -> Bearer | None:
    uid = real_uid(one.pid)
    if uid is None:
        return None
    leads = one.leads and not is_child(one)
    opened = seal.open(marker, environment_of(one.pid).get(REVISION, ""))
    return Bearer(
        one.pid, uid, users.name_of(uid), leads, one.proven or opened.proven, opened.revision if leads else ""
    )


def _leader(member: Survivor) -> Survivor | None:
    """Who leads the session of a member."""
    own = read_stat(member.pid)
    session = own.session if own is not None else 0
    stat = read_stat(session) if session > 1 else None
    if stat is None or stat.session != session or not runs(session, stat):
        return None
    identity = Identity(session, stat.start_ticks, boot_id())
    return replace(member, identity=identity, leads=True, own=stat.parent == os.getpid())


def _survivor(pid: int, marker: str) -> Survivor | None:
    parsed, stat = parse_marker(marker), read_stat(pid)
    if parsed is None or stat is None or not runs(pid, stat):
        return None
    identity = Identity(pid, stat.start_ticks, boot_id())
    return Survivor(identity, parsed[1], parsed[2], stat.session == pid, stat.parent == os.getpid())


def _oldest_first(found: Collection[Survivor]) -> list[Survivor]:
    return sorted(found, key=lambda survivor: survivor.identity.start_ticks)
