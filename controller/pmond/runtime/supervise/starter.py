"""Starts: from an action to a program that runs, or to the reason why it does not.

Theory of operation: a start is noted just before it is done, so that a pmond that is killed in between
leaves nothing unheard of. Most programs are reached at once; where one has to be set up first
(another user, limits), a launcher does so and reports through a pipe when it cannot.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

from msgspec.structs import replace

from pmond.core.actions import Start
from pmond.core.facts import Spawned, SpawnFailed
from pmond.core.model import Intent
from pmond.runtime.base.clock import Clock
from pmond.runtime.base.failpoints import FailPoint, reached
from pmond.runtime.base.time_share import TimeShare
from pmond.runtime.files.log_files import LogFile
from pmond.runtime.processes import environment
from pmond.runtime.processes.cgroups import Cgroups
from pmond.runtime.processes.failures import SpawnError
from pmond.runtime.processes.identity import Identity, boot_id
from pmond.runtime.processes.instances import Instances, Running, tuning_of
from pmond.runtime.processes.seal import Seal
from pmond.runtime.processes.spawn import Launch, SpawnContext, prepare, read_report, spawn
from pmond.runtime.state.starts import Starts
from pmond.runtime.supervise.loop import Loop
from pmond.runtime.supervise.probes.log_listener import LogListener
from pmond.runtime.supervise.probes.prober import Prober

_SHARE_OF_ROOTS, _SHARE_OF_OTHERS = 0.5, 0.1
"""Of the loop's time, for lines that say that something is ready: what root has declared, and the rest."""
_STORM = 0.005
"""Seconds; starts that follow each other sooner are many at once."""
_BETWEEN_LOOKS = 0.005


class Starter:
    """Starts instances and knows which of them are still being set up."""

    def __init__(
        self,
        loop: Loop,
        instances: Instances,
        context: Callable[[], SpawnContext],
        starts: Starts,
        cgroups: Cgroups,
        prober: Prober,
        clock: Clock,
        state_uuid: str,
        seal: Seal,
        renamed: bool,
    ) -> None:
        self.renamed = renamed
        """Whether a process may bear the marker of another name."""
        self._context = context
        self._loop = loop
        self._clock = clock
        self._instances = instances
        self._starts = starts
        self._cgroups = cgroups
        self._state_uuid = state_uuid
        self._seal = seal
        self._prober = prober
        self._started_at = 0.0
        self._shares = {True: TimeShare(_SHARE_OF_ROOTS), False: TimeShare(_SHARE_OF_OTHERS)}

    def start(self, action: Start) -> None:
        """Start an instance; what came of it is told to the loop."""
        wanted = self._loop.desired.wanted[action.name]
        marker = environment.marker(self._state_uuid, action.name, action.number)
        bearer = self._instances.bearer(marker) if self.renamed else None
        if bearer is not None:
            self._loop.tell(_borne(action, wanted, bearer.name))
            return
        listener, group, unbounded = None, "", ""
        try:
            launch = prepare(
                wanted.spec,
                context=self._context(),
                marker=marker,
                sealed=self._seal.close(marker, wanted.revision),
                trusted=wanted.trusted,
                replica=wanted.replica,
            )
            listener = _listener(wanted, launch, self._shares[wanted.trusted])
            if wanted.spec.resources.wanted:
                group, unbounded = self._cgroups.prepare(marker, wanted.spec.resources)
                launch = replace(launch, group=group)
            self._starts.note(action.name, action.number)
            reached(FailPoint.START_NOTED)
            child = spawn(launch, hand_over=self._is_single_start())
            reached(FailPoint.START_SPAWNED)
        except SpawnError as error:
            if listener is not None:
                listener.close()
            self._cgroups.left(group, marker)
            self._loop.tell(_failed(action.name, action.number, wanted, error))
            return
        identity = Identity(child.pid, child.start_ticks, boot_id())
        running = Running(action.name, action.number, identity, marker, own=True)
        running.note_uid(launch.user.uid if launch.user is not None else os.geteuid())
        running.spec, running.tuning = wanted.spec, tuning_of(wanted.spec)
        self._instances.add(running)
        running.resources, running.unbounded = wanted.spec.resources, unbounded
        running.group = group or self._cgroups.join(child.pid, marker)
        if child.report_fd is not None:
            running.child = child
            asyncio.get_running_loop().add_reader(child.report_fd, self.report, running)
        run = (action.name, action.number, child.pid)
        self._loop.tell(Spawned(*run, wanted.revision, wanted.token, action.needs, wanted.asked_by))
        if listener is not None:
            self._prober.expect(action.name, action.number, listener)

    def _is_single_start(self) -> bool:
        """Not one of many: after a crash the new program's first instruction comes before our bookkeeping.

        When hundreds start, waiting for each would leave the other processors idle.
        """
        now = self._clock.now()
        single = now - self._started_at > _STORM
        self._started_at = now
        return single

    async def launched(self, seconds: float) -> None:
        """Wait until all programs that are being set up have been reached, but not for longer than that."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        while loop.time() < deadline and any(one.child and one.child.report_fd for one in self._instances):
            await asyncio.sleep(_BETWEEN_LOOKS)

    def report(self, running: Running) -> None:
        """The launcher of a child says whether it became the program."""
        child = running.child
        if child is None or child.report_fd is None:
            return
        descriptor = child.report_fd
        try:
            running.failure = read_report(child)
        except BlockingIOError:
            return
        asyncio.get_running_loop().remove_reader(descriptor)
        running.child = None

    def failed(self, running: Running, failure: SpawnError) -> None:
        """Its launcher has ended, and never became the program."""
        wanted = self._loop.desired.wanted.get(running.name)
        if wanted is not None:
            self._loop.tell(_failed(running.name, running.number, wanted, failure))


def _listener(wanted: Intent, launch: Launch, share: TimeShare) -> LogListener | None:
    """Made before the program writes its first line, where a line says that it is ready."""
    if not wanted.spec.ready.log:
        return None
    paths = dict.fromkeys((launch.stdout, launch.stderr))
    logs = [LogFile(Path(path), launch.access_to(path)) for path in paths]
    return LogListener(logs, wanted.spec.ready.log, share)


def _failed(name: str, number: int, wanted: Intent, error: SpawnError) -> SpawnFailed:
    return SpawnFailed(
        name, number, wanted.revision, wanted.token, error.reason, error.message, error.transient
    )


def _borne(action: Start, wanted: Intent, bearer: str) -> SpawnFailed:
    """Two trees under one marker could not be told apart, and one be killed for the other."""
    return SpawnFailed(
        action.name,
        action.number,
        wanted.revision,
        wanted.token,
        "NameInUse",
        f"cannot start {action.name}: {bearer} was started under that name (pmon3 restart {bearer})",
        transient=True,
    )
