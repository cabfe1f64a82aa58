"""What lives of processes that nobody declares, when the state that declared them is lost.

Theory of operation: the manifests have been read by now. What they declare and what runs is adopted;
with which values it was started it says itself (`PMON3_REVISION`), and where that is not what is
declared, or not to be seen, the restart is put off (`RestartRequired`) for a person to choose the
moment. What no manifest declares was submitted by command: it is declared again, from its record if one
is left, else from what the machine says of it (`live_program`). What cannot be started again as it was
is kept, held with the reason, and not started again when it ends. Nothing is asked to end for a lost
state. Where the state is whole, what it does not know was left behind by what was deleted.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from pmon3_schema.errors import PmonError
from pmon3_schema.fields import InvalidValue
from pmon3_schema.process import ProcessSpec
from pmon3_schema.process_parts import RestartSpec
from pmon3_schema.reading import read_value
from pmond.core.model import Hold, Intent
from pmond.runtime.access import users
from pmond.runtime.base.clock import Clock
from pmond.runtime.base.failpoints import FailPoint, reached
from pmond.runtime.base.journal import Journal
from pmond.runtime.intent.registry import Registry
from pmond.runtime.processes import environment
from pmond.runtime.processes.identity import real_uid
from pmond.runtime.processes.launch import SpawnContext
from pmond.runtime.processes.live_program import CannotTell, program_file, spec_of
from pmond.runtime.supervise.adoption import Adoption
from pmond.runtime.supervise.survivors import Survivor, Unclaimed

_MOST_PER_USER = 200
"""As many as a user may declare: whoever bears a marker of ours may have written it down himself."""
_PMOND = "pmond"

Announce = Callable[[str, str, str], None]
"""Writes an event: type, message, process name."""


class _Recovered(Struct, frozen=True):
    """What could be found out of one: its intent, and why that is not all."""

    one: Unclaimed
    intent: Intent
    problem: str = ""


class Recovery:
    """Used once, at start, after the manifests and before the loop acts."""

    def __init__(
        self,
        registry: Registry,
        adoption: Adoption,
        context: Callable[[], SpawnContext],
        announce: Announce,
        clock: Clock,
        journal: Journal,
    ) -> None:
        self._registry = registry
        self._adoption = adoption
        self._context = context
        self._announce = announce
        self._clock = clock
        self._journal = journal

    def recover(self, uuid: str, lost: bool) -> bool:
        """Adopt it all; false when something could not be saved, and is looked for again at the next start.

        `lost`: the state was lost, and not just a row of it.
        """
        found = sorted(self._adoption.unclaimed, key=lambda one: -one.number)
        self._adoption.unclaimed = []
        try:
            self._take_declared([one for one in found if one.name in self._registry.processes])
            others = [one for one in found if one.name not in self._registry.processes]
            for one in others:
                if not lost and one.record is None:
                    self._adoption.leave(one)
            self._take_others([one for one in others if lost or one.record is not None], uuid)
        except PmonError as error:
            # It goes on as it is: what is not declared would be stopped.
            self._journal.error("recovery.failed", error)
            return False
        return True

    def _take_declared(self, found: Sequence[Unclaimed]) -> None:
        shown = {(one.name, one.number): self._revision(one) for one in found}
        unlike = {
            one.name: self._registry.processes[one.name]
            for one in found
            if shown[one.name, one.number] != self._registry.processes[one.name].revision
        }
        if unlike:
            with self._registry.edit("what runs otherwise than it is declared") as edit:
                for intent in unlike.values():
                    edit.put(replace(intent, deferred=True))
        for one in found:
            self._adoption.claim(one, shown[one.name, one.number])

    def _revision(self, one: Unclaimed) -> str:
        return one.record.revision if one.record is not None else self._adoption.revision_of(one)

    def _take_others(self, found: Sequence[Unclaimed], uuid: str) -> None:
        newest = {one.name: one for one in reversed(found)}
        known = [known for known in self._known(newest.values(), uuid) if known is not None]
        if not known:
            return
        with self._registry.edit("what was found running") as edit:
            for one in known:
                edit.put(one.intent)
        reached(FailPoint.FOUND_DECLARED)
        for one in known:
            self._adoption.claim(one.one, one.intent.revision)
            self._say(one)

    def _known(self, found: Iterable[Unclaimed], uuid: str) -> Iterable[_Recovered | None]:
        count: dict[int, int] = {}
        for one in found:
            uids = {uid for member in one.members if (uid := real_uid(member.pid)) is not None}
            main = self._adoption.main_of(one, uids)
            uid = real_uid((main or one.members[0]).pid) if one.members else None
            count[uid or 0] = count.get(uid or 0, 0) + 1
            if uid is None or (os.geteuid() not in (0, uid)) or count[uid] > _MOST_PER_USER:
                self._journal.warn("recovery.left_alone", name=one.name, number=one.number, uid=uid)
                yield None
            else:
                yield self._find_out(one, main, uid, uuid)

    def _find_out(self, one: Unclaimed, main: Survivor | None, uid: int, uuid: str) -> _Recovered | None:
        trusted = uid == os.geteuid()
        problem = ""
        try:
            if main is None:
                raise CannotTell("its main program has ended, this is what it has left behind")
            intent = Intent(self._spec(one, main, uuid), trusted=trusted)
            if one.record is not None:
                intent = replace(intent, deferred=one.record.revision != intent.revision)
        except (CannotTell, InvalidValue, ValueError) as error:
            problem = str(error) if isinstance(error, CannotTell) else "what it was started with is not valid"
            kept = main or replace(one.members[0], leads=True, proven=True)
            held = self._held(one, kept, uid, problem)
            if held is None:
                return None
            intent, one = replace(held, trusted=trusted), replace(one, members=[kept], record=None)
        return _Recovered(one, intent, problem)

    def _spec(self, one: Unclaimed, main: Survivor, uuid: str) -> ProcessSpec:
        if one.record is not None:
            return ProcessSpec.from_record(one.record.spec)
        marker = environment.marker(uuid, one.name, one.number)
        spec = spec_of(main.pid, one.name, marker, self._context().log_dir)
        return read_value(ProcessSpec, spec.to_record())

    def _held(self, one: Unclaimed, kept: Survivor, uid: int, problem: str) -> Intent | None:
        """It is shown and can be stopped; when it ends it is not started again."""
        spec = ProcessSpec(
            file=program_file(kept.pid) or "/",
            name=one.name,
            user=users.name_of(uid),
            autostart=False,
            restart=RestartSpec(policy="never"),
        )
        try:
            spec = read_value(ProcessSpec, spec.to_record())
        except InvalidValue:  # nobody could speak of it
            self._journal.warn("recovery.left_alone", name=one.name, number=one.number, uid=uid)
            return None
        why = f"the state was lost, and {problem}; it is not started again"
        return Intent(spec, hold=Hold(up=True, by=_PMOND, at=self._clock.wall(), reason=why))

    def _say(self, known: _Recovered) -> None:
        if known.problem:
            self._announce("Recovered", f"goes on, held: {known.problem}", known.one.name)
        elif known.one.record is not None:
            self._announce("Recovered", "declared again as it was recorded", known.one.name)
        else:
            text = (
                "declared again from what the machine says; settings that no program shows are the defaults"
            )
            self._announce("Recovered", text, known.one.name)
