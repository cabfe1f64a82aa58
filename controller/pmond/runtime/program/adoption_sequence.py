"""In which order a pmond that comes up takes over what runs.

Theory of operation: what is recorded and declared is adopted before anybody can ask, from the state alone.
What the state does not know waits until the manifests are read, which is when `recover` finds out what is
wanted of it. Only then does the loop act: nothing is started beside what already runs.
"""

from __future__ import annotations

from pmond.runtime.base.clock import Clock
from pmond.runtime.base.failpoints import FailPoint, reached
from pmond.runtime.base.journal import Journal
from pmond.runtime.intent.recovery import Recovery
from pmond.runtime.program.configuration import Configuration
from pmond.runtime.program.handover import Handover
from pmond.runtime.program.parts import Parts
from pmond.runtime.program.state_folder import StateFolder
from pmond.runtime.supervise.adopted_hooks import AdoptedHooks
from pmond.runtime.supervise.adoption import Adoption
from pmond.runtime.supervise.takeover import Takeover


class AdoptionSequence:
    """Used once, at start."""

    def __init__(
        self,
        configuration: Configuration,
        folder: StateFolder,
        parts: Parts,
        handed: Handover,
        clock: Clock,
        journal: Journal,
    ) -> None:
        self._configuration = configuration
        self._folder = folder
        self._parts = parts
        self._handed = handed
        self._clock = clock
        self._journal = journal

    def adopt(self) -> None:
        """Take over what earlier pmonds left, as far as it is declared."""
        folder, parts, holder = self._folder, self._parts, self._folder.exit_status_holder
        groups = parts.cgroups.all(folder.store.uuid) if folder.store.lost else {}
        reached(FailPoint.ADOPTION_BEGUN)
        holder.take_over()
        uuid, clock = folder.store.uuid, self._clock
        takeover = Takeover(parts.loop, parts.instances, parts.performer, clock, uuid, holder.ended)
        self._adoption = adoption = Adoption(
            parts.loop,
            takeover,
            AdoptedHooks(parts.loop, parts.performer),
            clock,
            self._journal,
            folder.seal,
            uuid,
            holder.ended,
            holder.kept(),
        )
        adoption.histories(folder.snapshot.histories)
        starts, stops = folder.starts.left(), folder.starts.stops_left()
        adoption.instances(folder.snapshot.instances, starts, stops, groups)
        reached(FailPoint.UPGRADE_ADOPTED if self._handed.lock is not None else FailPoint.ADOPTION_DONE)
        holder.release()
        parts.notify_socket.start(self._handed.notify or holder.taken_socket())
        holder.keep_too(parts.notify_socket.fileno())
        holder.start()

    def recover(self) -> None:
        """Find out what is wanted of the rest, now that the manifests are read."""
        parts, store = self._parts, self._folder.store
        recovery = Recovery(
            parts.registry,
            self._adoption,
            self._configuration.authority(),
            self._configuration.context,
            parts.recorder.announce,
            self._clock,
            self._journal,
        )
        if recovery.recover(store.uuid, store.lost) and store.lost:
            store.made_up_for()
        parts.recorder.drop(self._adoption.stale)
        parts.performer.find_left()
