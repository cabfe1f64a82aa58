"""Takes over what outlived an earlier pmond, so that nothing is lost and nothing runs twice.

Theory of operation: a recorded instance is alive if its identity (boot, start time, pidfd inode)
still is; then it is adopted with its pid, number and counters. One that was started in the last
instants of the earlier pmond may have no record, but it has our marker in its environment: one
look at all processes finds it. A recorded instance that is gone ended in a way that nobody saw:
unknown, which counts as a failure, unless it was being stopped, of which there is a note. A stop that
had begun is finished. Of another boot nothing can be alive; what ran then was taken down with the
machine and comes back, as after a shutdown of pmond. Whatever bears our marker and belongs to none of
these is what an ended instance left behind, and is ended too.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

from msgspec import Struct
from msgspec.structs import replace

from pmon3_schema.process import ProcessSpec
from pmond.core.evolve import evolve
from pmond.core.facts import Adopted, Exited, HookBegun
from pmond.core.model import Ending, ExitStatus, Intent, State
from pmond.runtime.access import users
from pmond.runtime.base.clock import Clock
from pmond.runtime.base.failpoints import FailPoint, reached
from pmond.runtime.base.journal import Journal
from pmond.runtime.processes import environment, tree
from pmond.runtime.processes.adopted_exits import zombie_status
from pmond.runtime.processes.identity import (
    Identity,
    boot_id,
    is_alive,
    pidfd_inode,
    read_stat,
    real_uid,
    runs,
    send_signal,
)
from pmond.runtime.processes.instances import Instances, Running, tuning_of
from pmond.runtime.processes.reaper import peek
from pmond.runtime.state import row_conversion
from pmond.runtime.state.records import HistoryRecord, InstanceRecord
from pmond.runtime.supervise.hooks import HookId, parse_noted
from pmond.runtime.supervise.loop import Loop
from pmond.runtime.supervise.perform import Performer

_KILLED_LIMIT = 2.0
"""Seconds that a killed process may take to be gone."""
_BETWEEN_LOOKS = 0.01


class Survivor(Struct, frozen=True):
    """A live process with our marker."""

    identity: Identity
    """By its start time; the inode of its pidfd is looked up only where it is recorded."""
    name: str
    number: int
    leads: bool
    """It leads its session, as every main program does."""
    own: bool
    """It is our child still: this pmond took the place of earlier code in the same process."""


def survivors(state_uuid: str) -> list[Survivor]:
    """All live processes that bear the marker of this state, oldest first."""
    found = []
    for pid in (int(name) for name in os.listdir("/proc") if name.isdecimal()):  # noqa: PTH208
        survivor = _survivor(pid, f"{state_uuid}:")
        if survivor is not None:
            found.append(survivor)
    return sorted(found, key=lambda survivor: survivor.identity.start_ticks)


def _survivor(pid: int, prefix: str) -> Survivor | None:
    text = tree.marker_of(pid)
    if not text.startswith(prefix):
        return None
    parsed, stat = environment.parse_marker(text), read_stat(pid)
    if parsed is None or stat is None or not runs(pid, stat):
        return None
    identity = Identity(pid, stat.start_ticks, boot_id())
    return Survivor(identity, parsed[1], parsed[2], stat.session == pid, stat.parent == os.getpid())


class Adoption:
    """Used once, at start, before the loop acts."""

    def __init__(
        self,
        loop: Loop,
        instances: Instances,
        performer: Performer,
        clock: Clock,
        journal: Journal,
        uuid: str,
        ended: Callable[[int], ExitStatus],
    ) -> None:
        """`ended`: how a process ended, by the inode of its pidfd."""
        self._loop = loop
        self._instances = instances
        self._performer = performer
        self._clock = clock
        self._journal = journal
        self._uuid = uuid
        self._kept_status = ended
        self._stops: Mapping[tuple[str, int], Ending] = {}
        self.stale: list[InstanceRecord] = []
        """Records that mean nothing any more."""

    def histories(self, records: Iterable[HistoryRecord]) -> None:
        """What earlier runs mean; must come before `instances`."""
        for record in records:
            try:
                self._loop.observed[record.name] = State(None, row_conversion.history(record, boot_id()))
            except (KeyError, TypeError, ValueError) as error:
                self._journal.warn("history.damaged", name=record.name, error=str(error))

    def instances(
        self,
        records: Iterable[InstanceRecord],
        starts: Iterable[tuple[str, int]] = (),
        stops: Mapping[tuple[str, int], Ending] = MappingProxyType({}),
    ) -> list[Survivor]:
        """Adopt what lives; answers what is left over and must be ended.

        `starts`: names and numbers of instances that were perhaps started, but never recorded;
        `stops`: those that were perhaps asked to end, and why.
        """
        self._stops = stops
        left: list[Survivor] = []
        starts = list(starts)
        by_marker = self._survivors()
        if any(start not in by_marker for start in starts):
            # It lets go of the lock a moment before its environment can be read.
            time.sleep(_BETWEEN_LOOKS)
            by_marker = self._survivors()
        for record in sorted(records, key=lambda record: -record.number):
            left += self._recorded(record, by_marker.pop((record.born_as or record.name, record.number), []))
        for (name, number), members in sorted(by_marker.items(), key=lambda item: -item[0][1]):
            left += self._unrecorded(name, number, members)
        hooks = [hook for start in starts if (hook := parse_noted(*start)) is not None]
        for name, number in starts:
            self._started_unseen(name, number)
        for hook in hooks:
            self._hook_noted(hook)
        adopted = self._hooks_under_way(left)
        return [survivor for survivor in left if survivor not in adopted]

    def _survivors(self) -> dict[tuple[str, int], list[Survivor]]:
        found: dict[tuple[str, int], list[Survivor]] = defaultdict(list)
        for survivor in survivors(self._uuid):
            found[survivor.name, survivor.number].append(survivor)
        return found

    def _recorded(self, record: InstanceRecord, members: list[Survivor]) -> list[Survivor]:
        """Adopt it, or say how it ended; answers the members of an instance that is superseded."""
        identity = Identity(record.pid, record.start_ticks, record.boot_id, record.pidfd_inode)
        state = self._loop.observed.get(record.name, State())
        if record.boot_id != boot_id():
            self._lost_with_machine(record)
            self.stale.append(record)
            return members
        age = max(0.0, self._clock.now() - record.started_monotonic)
        files = tuple((path, digest) for path, digest in record.files)
        adopted = Adopted(
            record.name, record.number, record.pid, record.revision, record.token, age,
            self._ending(record), files, record.ready, tuple((str(n), int(i)) for n, i in record.needs),
        )  # fmt: skip
        main = _find(members, identity)
        if state.instance is None and (main is not None or is_alive(identity)):
            own = main.own if main is not None else _is_own(identity)
            self._adopt(self._running_of(record, identity, own), adopted)
            self._remember_start(record)
            return []
        if state.instance is not None or record.number < state.history.number:
            self.stale.append(record)  # a later run is known
            return members
        running = self._running_of(record, identity, _is_own(identity))
        if members and self._spared(record.name):
            members = []
        mine = [one for one in members if real_uid(one.identity.pid) in running.root.uids]
        running.recorded = True
        if left := bool(mine):
            running.group = self._performer.group_of(mine[0].identity.pid, running.marker)
            self._performer.keep(running)
        status = _ended_status(identity)
        if not status.known:
            status = self._kept_status(record.pidfd_inode)
        if not status.known and record.exit is not None:  # told to an earlier pmond; only its tree was left
            status = row_conversion.exit_status(record.exit)
        self._ended(adopted, status, left)
        return [one for one in members if one not in mine]

    def _ending(self, record: InstanceRecord) -> Ending:
        """Why it was asked to end, if it was: by the note of it, or by the record where that was saved."""
        noted = self._stops.get((record.name, record.number))
        try:
            return noted or Ending(record.ending)
        except ValueError:
            return Ending.ITSELF  # the word of another version

    def _ended(self, ran: Adopted, status: ExitStatus, tree_left: bool) -> None:
        """It ran, and ended while no pmond was there: the core decides what follows from that."""
        loop, name = self._loop, ran.name
        # Not told as a fact: it was not found running, and the record of it is to go.
        state = loop.observed.get(name, State())
        loop.observed[name] = evolve(
            state, loop.desired.wanted.get(name), ran, self._clock.now(), loop.policy
        )
        loop.tell(Exited(name, ran.number, status, tree_left))

    def _unrecorded(self, name: str, number: int, members: list[Survivor]) -> list[Survivor]:
        """Adopt a main program that was never recorded; answers the members if there is none to adopt."""
        wanted = self._loop.desired.wanted.get(name)
        state = self._loop.observed.get(name, State())
        # Anybody can put our marker into an environment: a main program also runs as whom it should.
        mains = [member for member in members if member.leads and _runs_as(member, wanted)]
        if wanted is None or not mains or state.instance is not None or number < state.history.number:
            return [] if self._spared(name) else members
        pid = mains[0].identity.pid
        identity = replace(mains[0].identity, pidfd_inode=pidfd_inode(pid))
        self._journal.event("instance.found", name=name, number=number, pid=pid)
        ending = self._stops.get((name, number), Ending.ITSELF)
        fact = Adopted(name, number, pid, wanted.revision, wanted.token, age=0.0, ending=ending)
        running = self._running(identity, name, number, mains[0].own)
        running.note_uid(real_uid(pid))
        self._adopt(running, fact)
        return []

    def _started_unseen(self, name: str, number: int) -> None:
        """It was to be started, was never recorded and is not alive: it may have run."""
        wanted = self._loop.desired.wanted.get(name)
        state = self._loop.observed.get(name, State())
        if wanted is None or state.instance is not None or number <= state.history.number:
            return
        ending = self._stops.get((name, number), Ending.ITSELF)
        ran = Adopted(name, number, 0, wanted.revision, wanted.token, age=0.0, ending=ending)
        self._ended(ran, ExitStatus(), False)

    def _hook_noted(self, hook: HookId) -> None:
        """It was perhaps started, in a turn of which nothing was saved: it never is again."""
        wanted = self._loop.desired.wanted.get(hook.name)
        if wanted is not None:
            self._loop.tell(
                HookBegun(hook.name, hook.number, hook.moment, hook.index, wanted.revision, wanted.token)
            )

    def _hooks_under_way(self, left: list[Survivor]) -> list[Survivor]:
        """Go on with those that still run, and say of the others that nobody saw their end."""
        found: list[Survivor] = []
        for name, state in list(self._loop.observed.items()):
            hooking = state.history.hooking
            if state.instance is not None or hooking is None or not hooking.under_way:
                continue
            hook = HookId(name, hooking.number, hooking.moment, hooking.begun - 1)
            wanted = self._loop.desired.wanted.get(name)
            mine = (one for one in left if (one.name, one.number) == (hook.noted_as, hook.number))
            main = next((one for one in mine if one.leads and _runs_as(one, wanted)), None)
            identity = replace(main.identity, pidfd_inode=pidfd_inode(main.identity.pid)) if main else None
            self._performer.adopt_hook(hook, identity, main is not None and main.own)
            found += [main] if main is not None else []
        return found

    def _spared(self, name: str) -> bool:
        """Whether what the process leaves running may go on."""
        wanted = self._loop.desired.wanted.get(name)
        if wanted is None or wanted.spec.stop.kill_group:
            return False
        self._performer.exempt(name)
        return True

    def _adopt(self, running: Running, fact: Adopted) -> None:
        self._instances.add(running)
        self._loop.tell(fact)
        reached(FailPoint.INSTANCE_ADOPTED)
        if running.own:
            return  # the reaper notices its exit
        if not self._performer.watch(running.identity):
            self._performer.process_exited(running.pid, self._kept_status(running.identity.pidfd_inode))

    def _remember_start(self, record: InstanceRecord) -> None:
        """What the program was started with: its nice value and limits are still those."""
        running = self._instances.named(record.name, record.number)
        if running is None:
            return  # it has just ended
        running.recorded = True
        try:
            spec = ProcessSpec.from_record(record.spec)
        except ValueError:
            return  # of another version; what cannot be compared is left as it is
        wanted = self._loop.desired.wanted.get(record.name)
        running.spec = wanted.spec if wanted is not None and wanted.spec == spec else spec  # kept once
        running.tuning = tuning_of(running.spec)

    def _running_of(self, record: InstanceRecord, identity: Identity, own: bool) -> Running:
        running = self._running(identity, record.name, record.number, own, record.born_as)
        running.note_uid(_uid_of(str(record.spec.get("user", ""))))
        if 0 in running.uids and is_alive(identity):
            running.note_uid(real_uid(identity.pid))  # as when it ends: see `TreeReaper.note_last_user`
        return running

    def _running(self, identity: Identity, name: str, number: int, own: bool, born_as: str = "") -> Running:
        marker = environment.marker(self._uuid, born_as or name, number)
        group = self._performer.group_of(identity.pid, marker)
        return Running(name, number, identity, marker, own=own, group=group)

    def _lost_with_machine(self, record: InstanceRecord) -> None:
        state = self._loop.observed.get(record.name, State())
        history = replace(
            state.history,
            number=record.number,
            revision=record.revision,
            token=record.token,
            attempts=max(1, state.history.attempts),
            ending=Ending.SHUTDOWN,
            exit=ExitStatus(),
            ended_at=None,
        )
        self._loop.observed[record.name] = State(None, history)


def _find(members: list[Survivor], identity: Identity) -> Survivor | None:
    """The one among the members of an instance that is its recorded main program."""
    known = identity.pid, identity.start_ticks
    return next((one for one in members if (one.identity.pid, one.identity.start_ticks) == known), None)


def _runs_as(member: Survivor, wanted: Intent | None) -> bool:
    """Whether it runs as the user of the spec, or as pmond's own, which its launcher still does."""
    expected = _uid_of(wanted.spec.user) if wanted is not None else None
    return real_uid(member.identity.pid) in {expected, os.geteuid()} - {None}


def _uid_of(user: str) -> int | None:
    """The uid of the user of a spec; pmond's own where it names none."""
    return users.uid_of(user) if user else os.geteuid()


def _is_own(identity: Identity) -> bool:
    """Whether it is our child still: this pmond took the place of earlier code in the same process."""
    stat = read_stat(identity.pid)
    return stat is not None and stat.start_ticks == identity.start_ticks and stat.parent == os.getpid()


def _ended_status(identity: Identity) -> ExitStatus:
    """How an instance ended that nobody has reaped yet; unknown when it is gone."""
    return peek(identity.pid) if _is_own(identity) else zombie_status(identity)


async def end_survivors(left: list[Survivor], journal: Journal) -> None:
    """SIGKILL what bears our marker and belongs to no instance, and wait until main programs are gone."""
    for survivor in left:
        journal.warn("orphan.killed", name=survivor.name, number=survivor.number, pid=survivor.identity.pid)
        try:
            send_signal(survivor.identity, signal.SIGKILL)
            reached(FailPoint.STRAY_KILLED)
        except OSError as error:
            journal.warn("orphan.out_of_reach", pid=survivor.identity.pid, error=str(error))
    deadline = time.monotonic() + _KILLED_LIMIT
    while mains := [one for one in left if one.leads and is_alive(one.identity)]:
        if time.monotonic() >= deadline:
            journal.error("orphan.lives_on", pids=[main.identity.pid for main in mains])
            return
        await asyncio.sleep(_BETWEEN_LOOKS)
