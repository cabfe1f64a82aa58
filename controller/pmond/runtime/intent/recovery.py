"""Finds out again what is wanted of what runs, when the state that said it is lost.

Theory of operation: the manifests have been read by now. `core.recovery` decides what becomes of each; this
does it. What no manifest declares is declared again, from its record if one is left, else from what the
machine says of it (`live_program`). What cannot be started again as it was is kept, held with the reason,
and not started again when it ends. With which values what is declared was started it says itself
(`PMON3_REVISION`); where these are others the restart is put off (`RestartRequired`).
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
from pmon3_schema.replicas import parse_name
from pmond.core.model import Hold, Intent
from pmond.core.recovery import Claimable, Decided, Fate, RecoveryTerms, decide
from pmond.runtime.access import users
from pmond.runtime.access.authority import Authority
from pmond.runtime.base.clock import Clock
from pmond.runtime.base.failpoints import FailPoint, reached
from pmond.runtime.base.journal import Journal
from pmond.runtime.intent.quotas import size_of
from pmond.runtime.intent.registry import Registry
from pmond.runtime.processes import environment
from pmond.runtime.processes.identity import real_uid
from pmond.runtime.processes.launch import SpawnContext
from pmond.runtime.processes.live_program import CannotTell, program_file, sandbox_in_place, spec_of
from pmond.runtime.supervise.adoption import Adoption
from pmond.runtime.supervise.survivors import Survivor, Unclaimed
from pmond.runtime.supervise.takeover import uids_of

_PMOND = "pmond"

Announce = Callable[[str, str, str], None]
"""Writes an event: type, message, process name."""


class _Remainder(Struct, frozen=True):
    """What lives of one instance, and what becomes of it."""

    one: Unclaimed
    decision: Decided
    main: Survivor | None

    @property
    def kept(self) -> Survivor:
        """Its main program, or what that has left behind and stands for it."""
        return self.main or replace(self.one.members[0], leads=True, proven=True)


class _Recovered(Struct, frozen=True):
    """One that is declared again, and why that is not all."""

    case: _Remainder
    intent: Intent
    problem: str = ""


class Recovery:
    """Used once, at start, after the manifests and before the loop acts."""

    def __init__(
        self,
        registry: Registry,
        adoption: Adoption,
        authority: Authority,
        context: Callable[[], SpawnContext],
        announce: Announce,
        clock: Clock,
        journal: Journal,
    ) -> None:
        self._registry = registry
        self._adoption = adoption
        self._authority = authority
        self._context = context
        self._announce = announce
        self._clock = clock
        self._journal = journal

    def recover(self, uuid: str, lost: bool) -> bool:
        """Adopt it all; false when something could not be saved, and is looked for again at the next start.

        `lost`: the state was lost, and not just a row of it.
        """
        if lost:
            self._adoption.take_lost_hooks()
        cases = self._decide(lost)
        try:
            self._adopt([one for one in cases if one.decision.fate is Fate.ADOPT])
            self._declare([one for one in cases if one.decision.fate is Fate.DECLARE], uuid)
        except PmonError as error:
            # It goes on as it is: what is not declared would be stopped.
            self._journal.error("recovery.failed", error)
            return False
        for one in cases:
            if one.decision.fate is Fate.END:
                self._adoption.leave(one.one)
            elif one.decision.fate is Fate.SPARE:
                self._spare(one)
        return True

    def _decide(self, lost: bool) -> list[_Remainder]:
        unclaimed, self._adoption.unclaimed = self._adoption.unclaimed, []
        seen = [(*self._adoption.found(one), one) for one in unclaimed]
        declared = {
            name: Claimable(one.revision, uids_of(one), one.spec.renamed_from)
            for name, one in (self._registry.processes.items() if unclaimed else ())
        }
        terms = RecoveryTerms(lost, os.geteuid(), self._authority.rules.quota.processes)
        by_found = {id(found): (by_pid, one) for found, by_pid, one in seen}
        cases = []
        for decision in decide([found for found, _, _ in seen], declared, terms):
            by_pid, one = by_found[id(decision.found)]
            cases.append(_Remainder(one, decision, by_pid[decision.main.pid] if decision.main else None))
        return cases

    def _adopt(self, cases: Sequence[_Remainder]) -> None:
        put_off = [one.decision.name for one in cases if one.decision.deferred]
        if put_off:
            with self._registry.edit("what runs otherwise than it is declared") as edit:
                for name in put_off:
                    edit.put(replace(self._registry.processes[name], deferred=True))
        for one in cases:
            shown = one.decision.main.revision if one.decision.main is not None else ""
            self._adoption.claim(one.one, one.decision.name, one.main, shown)

    def _declare(self, cases: Sequence[_Remainder], uuid: str) -> None:
        known = list(self._within_quota(self._find_out(cases, uuid)))
        if not known:
            return
        with self._registry.edit("what was found running") as edit:
            for one in known:
                edit.put(one.intent)
        reached(FailPoint.FOUND_DECLARED)
        for one in known:
            case = one.case
            self._adoption.claim(case.one, one.intent.name, case.kept, one.intent.revision)
            self._announce("Recovered", _told(one), one.intent.name)

    def _find_out(self, cases: Iterable[_Remainder], uuid: str) -> Iterable[_Recovered]:
        for case in cases:
            uid = real_uid(case.kept.pid)
            if uid is None:
                continue  # it has just ended
            try:
                yield _Recovered(case, self._declared(case, uid, uuid))
            except (CannotTell, InvalidValue, ValueError) as error:
                problem = (
                    str(error) if isinstance(error, CannotTell) else "what it was started with is not valid"
                )
                held = self._held(case, uid, problem)
                if held is None:  # nobody could speak of it
                    self._spare(case)
                    continue
                alone = replace(case, one=replace(case.one, members=[case.kept], record=None))
                yield _Recovered(alone, held, problem)

    def _within_quota(self, found: Iterable[_Recovered]) -> Iterable[_Recovered]:
        """Whoever bears a marker of ours may have written it down himself: he gets no more room by it."""
        sizes: dict[str, int] = {}
        for one in found:
            user = one.intent.spec.user
            sizes[user] = sizes.get(user, 0) + size_of(one.intent)
            if one.intent.trusted or one.case.kept.proven or sizes[user] <= self._authority.rules.quota.bytes:
                yield one
            else:
                self._spare(one.case)

    def _declared(self, case: _Remainder, uid: int, uuid: str) -> Intent:
        """Raises CannotTell, InvalidValue, ValueError."""
        if case.main is None:
            raise CannotTell("its main program has ended, this is what it has left behind")
        one, trusted = case.one, uid == os.geteuid()
        if one.record is not None:
            spec = replace(ProcessSpec.from_record(one.record.spec), name=case.decision.name)
            intent = Intent(spec, trusted=trusted)
            return replace(intent, deferred=one.record.revision != intent.revision)
        marker = environment.marker(uuid, one.name, one.number)
        spec = spec_of(case.main.pid, case.decision.name, marker, self._context().log_dir)
        return Intent(_valid(spec), trusted=trusted)

    def _held(self, case: _Remainder, uid: int, problem: str) -> Intent | None:
        """It is shown and can be stopped; when it ends it is not started again."""
        spec = ProcessSpec(
            file=program_file(case.kept.pid) or "/",
            name=case.decision.name,
            user=users.name_of(uid),
            autostart=False,
            restart=RestartSpec(policy="never"),
            sandbox=sandbox_in_place(case.kept.pid),
        )
        try:
            spec = _valid(spec)
        except InvalidValue:
            return None
        why = f"the state was lost, and {problem}; it is not started again"
        hold = Hold(up=True, by=_PMOND, at=self._clock.wall(), reason=why)
        return Intent(spec, hold=hold, trusted=uid == os.geteuid())

    def _spare(self, case: _Remainder) -> None:
        found = case.decision.found
        self._journal.warn(
            "recovery.left_alone", name=found.name, number=found.number, reason=case.decision.reason
        )
        self._adoption.spare(case.one)


def _valid(spec: ProcessSpec) -> ProcessSpec:
    """What was found out, read like what is submitted; a replica keeps its number. Raises InvalidValue."""
    replica = parse_name(spec.name)
    read = read_value(ProcessSpec, {**spec.to_record(), "name": replica[0] if replica else spec.name})
    return replace(read, name=spec.name)


def _told(one: _Recovered) -> str:
    if one.problem:
        return f"goes on, held: {one.problem}"
    if one.case.one.record is not None:
        return "declared again as it was recorded"
    return "declared again from what the machine says; settings that no program shows are the defaults"
