"""Takes over what outlived an earlier pmond, so that nothing is lost and nothing runs twice.

Theory of operation: a recorded instance is alive if its identity (boot, start time, pidfd inode)
still is; then it is adopted with its pid, number and counters. One that was started in the last
instants of the earlier pmond may have no record, but it has our marker in its environment: one
look at all processes finds it. A recorded instance that is gone ended in a way that nobody saw:
unknown, which counts as a failure, unless it was being stopped, of which there is a note. What it has
left behind is cleared before it counts as ended. A stop that had begun is finished. Of another boot
nothing can be alive; what ran then was taken down with the machine and comes back, as after a
shutdown of pmond. What lives of a process that nobody has declared is `unclaimed`, for whoever knows
what is wanted of it once the manifests are read (`recovery`).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from types import MappingProxyType

from msgspec.structs import replace

from pmon3_schema.process import ProcessSpec
from pmond.core.evolve import evolve
from pmond.core.facts import Adopted, Exited
from pmond.core.model import Ending, ExitStatus, Intent, State
from pmond.runtime.access import users
from pmond.runtime.base.clock import Clock
from pmond.runtime.base.failpoints import FailPoint, reached
from pmond.runtime.base.journal import Journal
from pmond.runtime.processes import environment
from pmond.runtime.processes.adopted_exits import zombie_status
from pmond.runtime.processes.identity import (
    Identity,
    age_of,
    boot_id,
    is_alive,
    pidfd_inode,
    read_stat,
    real_uid,
)
from pmond.runtime.processes.instances import Instances, Running, tuning_of
from pmond.runtime.processes.live_program import environment_of
from pmond.runtime.processes.reaper import peek
from pmond.runtime.state import row_conversion
from pmond.runtime.state.records import HistoryRecord, InstanceRecord
from pmond.runtime.supervise.loop import Loop
from pmond.runtime.supervise.perform import Performer
from pmond.runtime.supervise.survivors import (
    Run,
    Survivor,
    Unclaimed,
    by_run,
    main_of,
    survivors,
    with_groups,
)

_BETWEEN_LOOKS = 0.01
NO_STOPS: Mapping[Run, Ending] = MappingProxyType({})


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
        kept: frozenset[int] | None,
    ) -> None:
        """`ended`: how a process ended, by the inode of its pidfd. `kept`: those inodes of all main programs
        but the latest, where that is known.
        """
        self._loop = loop
        self._instances = instances
        self._performer = performer
        self._clock = clock
        self._journal = journal
        self._uuid = uuid
        self._kept_status = ended
        self._kept = kept
        self._starts: frozenset[Run] = frozenset()
        self._stops = NO_STOPS
        self.stale: list[InstanceRecord] = []
        """Records that mean nothing any more."""
        self.unclaimed: list[Unclaimed] = []
        """What lives of processes that nobody has declared."""

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
        starts: Iterable[Run] = (),
        stops: Mapping[Run, Ending] = NO_STOPS,
        groups: Mapping[str, Sequence[Identity]] = MappingProxyType({}),
    ) -> None:
        """Adopt what lives of what is declared.

        `starts`: names and numbers of instances that were perhaps started, but never recorded;
        `stops`: those that were perhaps asked to end, and why. `groups`: who lives in control groups, by
        marker, where no records tell.
        """
        self._stops = stops
        starts = list(starts)
        self._starts = frozenset(starts)
        members = by_run(survivors(self._uuid))
        if any(start not in members for start in starts):
            # It lets go of the lock a moment before its environment can be read.
            time.sleep(_BETWEEN_LOOKS)
            members = by_run(survivors(self._uuid))
        if groups:
            members = with_groups(members, groups)
        for record in sorted(records, key=lambda record: -record.number):
            self._recorded(record, members.pop((record.born_as or record.name, record.number), []))
        for (name, number), found in sorted(members.items(), key=lambda item: -item[0][1]):
            self._unrecorded(Unclaimed(name, number, found))
        for name, number in starts:
            self._started_unseen(name, number)

    def claim(self, one: Unclaimed, revision: str | None = None) -> None:
        """Adopt what somebody has declared by now. `revision`: what it is known to run with."""
        if one.record is not None:
            self._recorded(one.record, one.members)
        else:
            self._unrecorded(one, revision)

    def leave(self, one: Unclaimed) -> None:
        """It belongs to nothing: what an ended instance has left behind, which is to end too."""
        if one.record is not None:
            self.stale.append(one.record)
        self._end(one.name, one.number, one.members)

    def main_of(self, one: Unclaimed, uids: Collection[int]) -> Survivor | None:
        """Its main program, if that lives and may run as one of `uids`."""
        return main_of(one.members, uids, self._is_child)

    def _is_child(self, one: Survivor) -> bool:
        """A program may have a child that leads a session as it does itself."""
        if self._kept is None or (one.name, one.number) in self._starts:
            return False
        return pidfd_inode(one.pid) not in self._kept

    def revision_of(self, one: Unclaimed) -> str:
        """With which values of its spec it was started, as it says itself; empty: that is not to be seen."""
        main = self.main_of(one, _uids_of(self._loop.desired.wanted.get(one.name)))
        return environment_of(main.pid).get(environment.REVISION, "") if main is not None else ""

    def _recorded(self, record: InstanceRecord, members: Sequence[Survivor]) -> None:
        """Adopt it, or say how it ended."""
        identity = Identity(record.pid, record.start_ticks, record.boot_id, record.pidfd_inode)
        state = self._loop.observed.get(record.name, State())
        if record.boot_id != boot_id():
            self._lost_with_machine(record)
            self.stale.append(record)
            return
        main = _find(members, identity)
        lives = main is not None or is_alive(identity)
        if record.name not in self._loop.desired.wanted and (lives or members):
            self.unclaimed.append(Unclaimed(record.name, record.number, members, record))
        elif state.instance is not None or record.number < state.history.number:
            self.stale.append(record)  # a later run is known
            self._end(record.name, record.number, members)
        elif lives:
            own = main.own if main is not None else _is_own(identity)
            self._adopt(self._running_of(record, identity, own), self._ran(record))
            self._remember_start(record)
        else:
            self._recorded_end(record, identity, members)

    def _recorded_end(self, record: InstanceRecord, identity: Identity, members: Sequence[Survivor]) -> None:
        running = self._running_of(record, identity, _is_own(identity))
        running.recorded = True
        spared = self._spared(record.name)
        left = not spared and self._is_left(running, members)
        if left:
            self._performer.keep(running)
        status = _ended_status(identity)
        if not status.known:
            status = self._kept_status(record.pidfd_inode)
        if not status.known and record.exit is not None:  # told to an earlier pmond; only its tree was left
            status = row_conversion.exit_status(record.exit)
        self._ended(self._ran(record), status, left)
        if not spared:
            self._end(record.name, record.number, [one for one in members if not _is_of(one, running)])

    def _ran(self, record: InstanceRecord) -> Adopted:
        age = max(0.0, self._clock.now() - record.started_monotonic)
        files = tuple((path, digest) for path, digest in record.files)
        return Adopted(
            record.name, record.number, record.pid, record.revision, record.token, age,
            self._ending(record), files, record.ready, tuple((str(n), int(i)) for n, i in record.needs),
        )  # fmt: skip

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

    def _unrecorded(self, one: Unclaimed, revision: str | None = None) -> None:
        """Adopt a main program that was never recorded, or clear what an ended one has left."""
        name, number = one.name, one.number
        wanted = self._loop.desired.wanted.get(name)
        state = self._loop.observed.get(name, State())
        if wanted is None:
            self.unclaimed.append(one)
            return
        if state.instance is not None or number < state.history.number:
            self._end(name, number, one.members)
            return
        main = self.main_of(one, _uids_of(wanted))
        known = main if main is not None else one.members[0]
        identity = replace(known.identity, pidfd_inode=pidfd_inode(known.pid))
        ending = self._stops.get((name, number), Ending.ITSELF)
        shown = wanted.revision if revision is None else revision
        ran = Adopted(name, number, known.pid, shown, wanted.token, age_of(identity), ending)
        running = self._running(identity, name, number, known.own)
        running.note_uid(real_uid(known.pid))
        self._journal.event("instance.found", name=name, number=number, pid=known.pid, main=main is not None)
        if main is not None:
            self._adopt(running, ran)
        elif number > state.history.number and not self._spared(name):
            running.own = False  # its orphans went elsewhere
            self._performer.keep(running)
            self._ended(ran, ExitStatus(), True)
        else:
            self._end(name, number, one.members)

    def _started_unseen(self, name: str, number: int) -> None:
        """It was to be started, was never recorded and is not alive: it may have run."""
        wanted = self._loop.desired.wanted.get(name)
        state = self._loop.observed.get(name, State())
        if wanted is None or state.instance is not None or number <= state.history.number:
            return
        ending = self._stops.get((name, number), Ending.ITSELF)
        ran = Adopted(name, number, 0, wanted.revision, wanted.token, age=0.0, ending=ending)
        self._ended(ran, ExitStatus(), False)

    def _is_left(self, running: Running, members: Sequence[Survivor]) -> bool:
        """Whether anything of an instance lives whose main program is gone, by all that knows it."""
        mine = [one for one in members if _is_of(one, running)]
        running.group = self._performer.group_named(running.marker)
        if mine:
            running.group = self._performer.group_of(mine[0].pid, running.marker) or running.group
        return bool(mine) or self._performer.may_live(running)

    def _end(self, name: str, number: int, members: Sequence[Survivor]) -> None:
        if members and not self._spared(name):
            marker = environment.marker(self._uuid, name, number)
            self._performer.end_orphans(marker, [one.identity for one in members])

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
        if not running.group and is_alive(identity):
            running.note_uid(real_uid(identity.pid))  # as when it ends: see `Performer.exited`
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


def _find(members: Sequence[Survivor], identity: Identity) -> Survivor | None:
    """The one among the members of an instance that is its recorded main program."""
    known = identity.pid, identity.start_ticks
    return next((one for one in members if (one.pid, one.identity.start_ticks) == known), None)


def _is_of(member: Survivor, running: Running) -> bool:
    """Whether it runs as the instance does: anybody can put our marker into an environment."""
    return member.proven or real_uid(member.pid) in running.root.uids


def _uids_of(wanted: Intent | None) -> frozenset[int]:
    """Whom a main program may run as: the user of the spec, or pmond's own, which its launcher still does."""
    expected = _uid_of(wanted.spec.user) if wanted is not None else None
    return frozenset({os.geteuid()} if expected is None else {os.geteuid(), expected})


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
