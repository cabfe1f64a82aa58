"""Makes what an earlier pmond left into instances of this one, or has it cleared.

Theory of operation: `adoption` and `recovery` say what a thing is, this does it: a main program that lives
becomes an instance whose end is noticed; of one that has ended the core is told that it ran and how it
ended, and what it has left behind is cleared before that counts as its end.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence

from pmon3_schema.process import ProcessSpec
from pmond.core.evolve import evolve
from pmond.core.facts import Adopted, Exited
from pmond.core.model import ExitStatus, Intent, State
from pmond.runtime.access import users
from pmond.runtime.base.clock import Clock
from pmond.runtime.base.failpoints import FailPoint, reached
from pmond.runtime.processes import environment
from pmond.runtime.processes.identity import Identity, is_alive, real_uid
from pmond.runtime.processes.instances import Instances, Running, tuning_of
from pmond.runtime.state.records import InstanceRecord
from pmond.runtime.supervise.loop import Loop
from pmond.runtime.supervise.perform import Performer
from pmond.runtime.supervise.survivors import Survivor, Unclaimed


class Takeover:
    """Used at start, before the loop acts."""

    def __init__(
        self,
        loop: Loop,
        instances: Instances,
        performer: Performer,
        clock: Clock,
        uuid: str,
        ended: Callable[[int], ExitStatus],
    ) -> None:
        """`ended`: how a process ended, by the inode of its pidfd."""
        self._loop = loop
        self._instances = instances
        self._performer = performer
        self._clock = clock
        self._uuid = uuid
        self._kept_status = ended

    def marker_of(self, one: Unclaimed) -> str:
        """What its processes bear."""
        name = one.record.born_as if one.record is not None else ""
        return environment.marker(self._uuid, name or one.name, one.number)

    def adopt(self, running: Running, ran: Adopted) -> None:
        """Its main program lives."""
        self._instances.add(running)
        self._loop.tell(ran)
        reached(FailPoint.INSTANCE_ADOPTED)
        if running.own:
            return  # the reaper notices its exit
        if not self._performer.watch(running.identity):
            self._performer.process_exited(running.pid, self._kept_status(running.identity.pidfd_inode))

    def ended(self, ran: Adopted, status: ExitStatus, tree_left: bool) -> None:
        """It ran, and ended while no pmond was there: the core decides what follows from that."""
        loop, name = self._loop, ran.name
        # Not told as a fact: it was not found running, and the record of it is to go.
        state = loop.observed.get(name, State())
        loop.observed[name] = evolve(
            state, loop.desired.wanted.get(name), ran, self._clock.now(), loop.policy
        )
        loop.tell(Exited(name, ran.number, status, tree_left))

    def keep(self, running: Running) -> None:
        """Its main program has ended, but not all of its tree: that is cleared before it counts as ended."""
        self._performer.keep(running)

    def is_left(self, running: Running, members: Sequence[Survivor]) -> bool:
        """Whether anything of an instance lives whose main program is gone, by all that knows it."""
        mine = [one for one in members if is_of(one, running)]
        running.group = self._performer.group_named(running.marker)
        if mine:
            running.group = self._performer.group_of(mine[0].pid, running.marker) or running.group
        return bool(mine) or self._performer.may_live(running)

    def end(self, name: str, number: int, members: Iterable[Survivor]) -> None:
        """They belong to nothing, and are asked to end, unless they may go on."""
        identities = [one.identity for one in members]
        if identities and not self.is_spared(name):
            self._performer.end_orphans(environment.marker(self._uuid, name, number), identities)

    def is_spared(self, name: str) -> bool:
        """Whether what the process leaves running may go on."""
        wanted = self._loop.desired.wanted.get(name)
        if wanted is None or wanted.spec.stop.kill_group:
            return False
        self._performer.exempt(name)
        return True

    def spare(self, name: str) -> None:
        """What bears the markers of this name may go on."""
        self._performer.exempt(name)

    def running(self, identity: Identity, name: str, number: int, own: bool, born_as: str = "") -> Running:
        """The instance of this main program; `born_as`: the name that its marker has."""
        marker = environment.marker(self._uuid, born_as or name, number)
        group = self._performer.group_of(identity.pid, marker)
        return Running(name, number, identity, marker, own=own, group=group)

    def running_of(self, record: InstanceRecord, identity: Identity, own: bool) -> Running:
        """The recorded instance."""
        running = self.running(identity, record.name, record.number, own, record.born_as)
        running.note_uid(_uid_of(str(record.spec.get("user", ""))))
        if 0 in running.uids and is_alive(identity):
            running.note_uid(real_uid(identity.pid))  # as when it ends: see `TreeReaper.note_last_user`
        return running

    def remember_start(self, record: InstanceRecord) -> None:
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


def is_of(member: Survivor, running: Running) -> bool:
    """Whether it runs as the instance does: anybody can put our marker into an environment."""
    return member.proven or real_uid(member.pid) in running.root.uids


def uids_of(wanted: Intent) -> frozenset[int]:
    """Whom a main program may run as: the user of the spec, or pmond's own, which its launcher still does."""
    expected = _uid_of(wanted.spec.user)
    return frozenset({os.geteuid()} if expected is None else {os.geteuid(), expected})


def _uid_of(user: str) -> int | None:
    """The uid of the user of a spec; pmond's own where it names none."""
    return users.uid_of(user) if user else os.geteuid()
