"""Sets as callers see them: sync, health, conditions, inventory, history."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from pmon3_schema.answers import Member, Revision, Set
from pmon3_schema.profiles import chosen_words
from pmon3_schema.status import Status
from pmond.core.case import waits_for_restart
from pmond.core.health import health_of, sync_of, worst
from pmond.core.model import CLI, NOTHING_SEEN, Intent
from pmond.core.report import report
from pmond.runtime.access.principal import Principal
from pmond.runtime.base.clock import Clock
from pmond.runtime.base.long_work import cooperative_map
from pmond.runtime.intent.redaction import redacted
from pmond.runtime.intent.registry import Registry
from pmond.runtime.intent.rollouts import Rollouts
from pmond.runtime.intent.set_conditions import SetStatus, conditions, set_status
from pmond.runtime.intent.sets import Sets
from pmond.runtime.state.records import RevisionRecord, SourceRecord
from pmond.runtime.supervise.loop import Loop


class SetView:
    """Answers what is known about sets."""

    def __init__(
        self,
        registry: Registry,
        loop: Loop,
        sets: Sets,
        rollouts: Rollouts,
        clock: Clock,
        may_read: Callable[[SourceRecord, Principal], bool],
    ) -> None:
        self._registry = registry
        self._loop = loop
        self._sets = sets
        self._rollouts = rollouts
        self._clock = clock
        self._may_read = may_read
        """Whether a caller may know what stands in the source of a set."""

    async def all(self, peer: Principal) -> list[Set]:
        """Every set by name, the processes of the command line last."""
        members: dict[str, list[Intent]] = {}
        for one in self._registry.processes.values():
            members.setdefault(one.owner, []).append(one)
        records = {record.set_name for record in self._sets.all()}
        names = sorted(records | (members.keys() - {CLI})) + ([CLI] if CLI in members else [])
        return [
            await self._json(name, of_set, peer)
            for name in names
            if (of_set := members.get(name, [])) or self._set_status(name, peer, (), ()).matters
        ]

    def set_status(self, name: str, peer: Principal) -> SetStatus:
        """A set as far as this caller may know it."""
        members = [one for one in self._registry.processes.values() if one.owner == name]
        members.sort(key=lambda one: one.id)
        return self._set_status(name, peer, members, [one.name for one in members if self._is_outdated(one)])

    def _set_status(
        self, name: str, peer: Principal, members: Sequence[Intent], outdated: Sequence[str]
    ) -> SetStatus:
        record = self._sets.get(name) or self._sets.fresh(name)
        return set_status(
            record if self._may_read(record, peer) else redacted(record),
            self._sets.followed(),
            [one.name for one in members],
            outdated,
            self._rollouts.active(name),
        )

    async def _json(self, name: str, members: list[Intent], peer: Principal) -> Set:
        held = any(one.hold is not None and not one.hold.up for one in members)
        members = sorted(members, key=lambda one: one.id)
        marked = await cooperative_map(members, self._is_outdated)
        outdated = [one.name for one, behind in zip(members, marked, strict=True) if behind]
        known, stands = self._sets.get(name) is not None, self._set_status(name, peer, members, outdated)
        record = stands.record
        suspended, choice = record.suspended is not None, self._sets.choice(name)
        seen = await cooperative_map(members, lambda one: health_of(self._status(one)))
        return {
            "name": name,
            "sync": sync_of(
                accepted=stands.accepted, suspended=suspended, held=held, outdated=bool(stands.outdated)
            ),
            "health": worst([*seen, "Progressing"] if stands.progressing else seen),
            "accepted": stands.accepted is not False,
            "followed": stands.is_followed,
            "reason": record.reason,
            "message": record.message,
            "diagnostics": list(record.diagnostics),
            "suspended": record.suspended,
            "chosen": chosen_words(choice) if choice is not None else None,
            "version": record.version,
            "revision": record.revision,
            "checked_at": record.checked_at if known else None,
            "processes": len(members),
            "inventory": await cooperative_map(members, _member),
            "conditions": conditions(stands) if known else [],
        }

    def history(self, name: str, limit: int) -> list[Revision]:
        """The revisions of a set, newest first."""
        record = self._sets.one(name)
        return [_revision(one) for one in self._sets.revisions(record.set_name, limit)]

    def _status(self, one: Intent) -> Status:
        loop = self._loop
        if one.name in loop.quarantined:
            return Status.FAILED
        return report(one.name, loop.desired, loop.observed, self._clock.now(), loop.policy).status

    def _is_outdated(self, one: Intent) -> bool:
        return waits_for_restart(one, self._loop.observed.get(one.name, NOTHING_SEEN))


def _member(one: Intent) -> Member:
    return {
        "name": one.name,
        "prune": one.spec.prune,
        "declared": not one.undeclared,
        "file": one.place.file,
        "line": one.place.line,
    }


def _revision(record: RevisionRecord) -> Revision:
    summary: Mapping[str, int] = record.summary
    return {
        "revision": record.number,
        "set": record.set_name,
        "time": record.at,
        "by": record.by,
        "message": record.message,
        "digest": record.digest,
        "commit": record.commit,
        "outcome": record.outcome,
        "summary": dict(summary),
    }
