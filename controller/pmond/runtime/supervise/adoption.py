"""Takes over what outlived an earlier pmond, so that nothing is lost and nothing runs twice.

Theory of operation: a recorded instance is alive if its identity (boot, start time, pidfd inode)
still is; then it is adopted with its pid, number and counters. One that was started in the last
instants of the earlier pmond may have no record, but it has our marker in its environment: one
look at all processes finds it. A recorded instance that is gone ended in a way that nobody saw:
unknown, which counts as a failure, unless it was being stopped, of which there is a note. What it has
left behind is cleared before it counts as ended. A stop that had begun is finished. Of another boot
nothing can be alive; what ran then was taken down with the machine and comes back, as after a
shutdown of pmond. What lives of a process that nobody has declared, or that others than its user claim
to be, is `unclaimed`, for whoever knows what is wanted of it once the manifests are read (`recovery`).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType

from msgspec.structs import replace

from pmond.core.facts import Adopted
from pmond.core.model import Ending, ExitStatus, History, State
from pmond.core.recovery import Found, main_of
from pmond.runtime.base.clock import Clock
from pmond.runtime.base.journal import Journal
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
from pmond.runtime.processes.reaper import peek
from pmond.runtime.processes.seal import Seal
from pmond.runtime.state import row_conversion
from pmond.runtime.state.records import HistoryRecord, InstanceRecord
from pmond.runtime.supervise.adopted_hooks import AdoptedHooks
from pmond.runtime.supervise.loop import Loop
from pmond.runtime.supervise.survivors import (
    Run,
    Survivor,
    Unclaimed,
    bearers,
    by_run,
    survivors,
    with_groups,
)
from pmond.runtime.supervise.takeover import Takeover, is_of, uids_of

_BETWEEN_LOOKS = 0.01
NO_STOPS: Mapping[Run, Ending] = MappingProxyType({})


class Adoption:
    """Used once, at start, before the loop acts."""

    def __init__(
        self,
        loop: Loop,
        takeover: Takeover,
        hooks: AdoptedHooks,
        clock: Clock,
        journal: Journal,
        seal: Seal,
        uuid: str,
        ended: Callable[[int], ExitStatus],
        kept: frozenset[int] | None,
    ) -> None:
        """`ended`: how a process ended, by the inode of its pidfd. `kept`: those inodes of all main programs
        but the latest, where that is known.
        """
        self._loop = loop
        self._takeover = takeover
        self._hooks = hooks
        self._clock = clock
        self._journal = journal
        self._seal = seal
        self._uuid = uuid
        self._kept_status = ended
        self._kept = kept
        self._starts: frozenset[Run] = frozenset()
        self._stops = NO_STOPS
        self.stale: list[InstanceRecord] = []
        """Records that mean nothing any more."""
        self.unclaimed: list[Unclaimed] = []

    def histories(self, records: Iterable[HistoryRecord]) -> None:
        """What earlier runs mean; must come before `instances`."""
        for record in records:
            try:
                self._loop.observed[record.name] = State(None, self._history(record))
            except (KeyError, TypeError, ValueError) as error:
                self._journal.warn("history.damaged", name=record.name, error=str(error))

    def _history(self, record: HistoryRecord) -> History:
        """What ran to its end in an earlier boot was taken down with that: a one-shot runs in each boot."""
        found, wanted = row_conversion.history(record, boot_id()), self._loop.desired.wanted.get(record.name)
        anew = record.data.get("boot") != boot_id() and found.ending is not None
        if wanted is None or not anew or not wanted.spec.is_oneshot or wanted.spec.schedule.wanted:
            return found
        return replace(found, ending=Ending.SHUTDOWN)

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
        self._hooks.noted(starts)
        self.unclaimed = self._hooks.take(self.unclaimed)

    def take_lost_hooks(self) -> None:
        """Commands of hooks that the lost state knew, of what is declared by now."""
        self.unclaimed = self._hooks.take_lost(self.unclaimed)

    def found(self, one: Unclaimed) -> tuple[Found, dict[int, Survivor]]:
        """What lives of an instance, as the core sees it, and who that is by pid."""
        by_pid, seen = bearers(one.members, self._takeover.marker_of(one), self._seal, self._is_child)
        recorded = one.record.revision if one.record is not None else None
        return Found(one.name, one.number, seen, recorded), by_pid

    def claim(self, one: Unclaimed, name: str, main: Survivor | None, revision: str) -> None:
        """It is of what is declared as `name`. `revision`: what it is known to run with."""
        if one.record is None:
            self._take(one, name, main, revision)
            return
        record = one.record
        if record.name != name:
            self.stale.append(record)
            record = replace(record, name=name, born_as=record.born_as or record.name)
        self._recorded(record, one.members)

    def leave(self, one: Unclaimed) -> None:
        """It belongs to nothing: what an ended instance has left behind, which is to end too."""
        if one.record is not None:
            self.stale.append(one.record)
        self._takeover.end(one.name, one.number, one.members)

    def spare(self, one: Unclaimed) -> None:
        """It goes on, and is nothing of ours."""
        if one.record is not None:
            self.stale.append(one.record)
        self._takeover.spare(one.name)

    def _is_child(self, one: Survivor) -> bool:
        """A program may have a child that leads a session as it does itself."""
        if self._kept is None or (one.name, one.number) in self._starts:
            return False
        return pidfd_inode(one.pid) not in self._kept

    def _recorded(self, record: InstanceRecord, members: Sequence[Survivor]) -> None:
        """Adopt it, or say how it ended."""
        identity = Identity(record.pid, record.start_ticks, record.boot_id, record.pidfd_inode)
        state = self._loop.observed.get(record.name, State())
        if record.boot_id != boot_id():
            self._loop.observed[record.name] = _lost_with_machine(state, record)
            self.stale.append(record)
            return
        main = _find(members, identity)
        lives = main is not None or is_alive(identity)
        own = main.own if main is not None else _is_own(identity)
        if record.name not in self._loop.desired.wanted and (lives or members):
            known = [Survivor(identity, record.name, record.number, True, own, proven=True)] if lives else []
            others = [one for one in members if one is not main]
            self.unclaimed.append(Unclaimed(record.name, record.number, [*known, *others], record))
        elif state.instance is not None or record.number < state.history.number:
            self.stale.append(record)  # a later run is known
            self._takeover.end(record.name, record.number, members)
        elif lives:
            self._takeover.adopt(self._takeover.running_of(record, identity, own), self._ran(record))
            self._takeover.remember_start(record)
        else:
            self._recorded_end(record, identity, members)

    def _recorded_end(self, record: InstanceRecord, identity: Identity, members: Sequence[Survivor]) -> None:
        takeover = self._takeover
        running = takeover.running_of(record, identity, _is_own(identity))
        running.recorded = True
        spared = takeover.is_spared(record.name)
        left = not spared and takeover.is_left(running, members)
        if left:
            takeover.keep(running)
        status = _ended_status(identity)
        if not status.known:
            status = self._kept_status(record.pidfd_inode)
        if not status.known and record.exit is not None:  # told to an earlier pmond; only its tree was left
            status = row_conversion.exit_status(record.exit)
        takeover.ended(self._ran(record), status, left)
        takeover.end(record.name, record.number, [one for one in members if not is_of(one, running)])

    def _ran(self, record: InstanceRecord) -> Adopted:
        age = max(0.0, self._clock.now() - record.started_monotonic)
        files = tuple((path, digest) for path, digest in record.files)
        return Adopted(
            record.name, record.number, record.pid, record.revision, record.token, age,
            self._ending(record), files, record.ready, tuple((str(n), int(i)) for n, i in record.needs),
            record.by,
        )  # fmt: skip

    def _ending(self, record: InstanceRecord) -> Ending:
        """Why it was asked to end, if it was: by the note of it, or by the record where that was saved."""
        noted = self._stops.get((record.name, record.number))
        try:
            return noted or Ending(record.ending)
        except ValueError:
            return Ending.ITSELF  # the word of another version

    def _unrecorded(self, one: Unclaimed) -> None:
        """An instance that was never recorded, or what one that was forgotten has left."""
        wanted = self._loop.desired.wanted.get(one.name)
        if wanted is None:
            self.unclaimed.append(one)
            return
        found, by_pid = self.found(one)
        mine = [bearer for bearer in found.bearers if bearer.proven or bearer.uid in uids_of(wanted)]
        if not mine:  # it says what it is not, or was this before its user had to leave the name
            self.unclaimed.append(one)
            return
        main = main_of(mine)
        members = [by_pid[bearer.pid] for bearer in mine]
        others = [other for other in one.members if other not in members]
        known = by_pid[main.pid] if main is not None else None
        self._take(replace(one, members=members), one.name, known, wanted.revision)
        if main is None:
            self._takeover.end(one.name, one.number, others)

    def _take(self, one: Unclaimed, name: str, main: Survivor | None, revision: str) -> None:
        """Adopt a main program that was never recorded, or clear what an ended one has left."""
        state, number = self._loop.observed.get(name, State()), one.number
        if state.instance is not None or number < state.history.number:
            self._takeover.end(one.name, number, one.members)
            return
        known = main if main is not None else one.members[0]
        identity = replace(known.identity, pidfd_inode=pidfd_inode(known.pid))
        ending = self._stops.get((one.name, number), Ending.ITSELF)
        token = self._loop.desired.wanted[name].token
        pid = main.pid if main is not None else 0  # what it has left is not it
        ran = Adopted(name, number, pid, revision, token, age_of(identity), ending)
        running = self._takeover.running(identity, name, number, known.own, one.name)
        running.note_uid(real_uid(known.pid))
        self._journal.event("instance.found", name=name, number=number, pid=known.pid, main=main is not None)
        if main is not None:
            self._takeover.adopt(running, ran)
        elif number > state.history.number and not self._takeover.is_spared(name):
            running.own = False  # its orphans went elsewhere
            self._takeover.keep(running)
            self._takeover.ended(ran, ExitStatus(), True)
        else:
            self._takeover.end(one.name, number, one.members)

    def _started_unseen(self, name: str, number: int) -> None:
        """It was to be started, was never recorded and is not alive: it may have run."""
        wanted = self._loop.desired.wanted.get(name)
        state = self._loop.observed.get(name, State())
        if wanted is None or state.instance is not None or number <= state.history.number:
            return
        ending = self._stops.get((name, number), Ending.ITSELF)
        ran = Adopted(name, number, 0, wanted.revision, wanted.token, age=0.0, ending=ending)
        self._takeover.ended(ran, ExitStatus(), False)


def _lost_with_machine(state: State, record: InstanceRecord) -> State:
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
    return State(None, history)


def _find(members: Sequence[Survivor], identity: Identity) -> Survivor | None:
    """The one among the members of an instance that is its recorded main program."""
    known = identity.pid, identity.start_ticks
    return next((one for one in members if (one.pid, one.identity.start_ticks) == known), None)


def _is_own(identity: Identity) -> bool:
    """Whether it is our child still: this pmond took the place of earlier code in the same process."""
    stat = read_stat(identity.pid)
    return stat is not None and stat.start_ticks == identity.start_ticks and stat.parent == os.getpid()


def _ended_status(identity: Identity) -> ExitStatus:
    """How an instance ended that nobody has reaped yet; unknown when it is gone."""
    return peek(identity.pid) if _is_own(identity) else zombie_status(identity)
