"""Sets as callers see them: sync, health, conditions, inventory, history."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice

from msgspec import Struct
from msgspec.structs import replace

from pmon3_schema.answers import Member, Revision, Set
from pmon3_schema.profiles import chosen_words
from pmon3_schema.status import Status
from pmond.core.case import waits_for_restart
from pmond.core.health import PROGRESSING, health_of, sync_of, worst
from pmond.core.model import CLI, NOTHING_SEEN, Intent
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
from pmond.runtime.views.reporting import reported


class SetSummary(Struct, frozen=True):
    """A set in two words."""

    name: str
    sync: str
    health: str


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
        return [await self._json(name, members, peer) for name, members in self._present(peer)]

    async def summaries(self, peer: Principal, statuses: Mapping[str, Status]) -> list[SetSummary]:
        """Sync and health of the same; `statuses`: of all processes, as they were found a moment ago."""
        found = []
        for name, members in self._present(peer):
            stands = await self._standing(name, members, peer)
            seen = [health_of(statuses[one.name]) for one in members if one.name in statuses]
            found.append(SetSummary(name, _sync(stands, members), _health(stands, seen)))
        return found

    def _present(self, peer: Principal) -> list[tuple[str, list[Intent]]]:
        """The sets that there is anything to say about, with their members by id."""
        members: dict[str, list[Intent]] = {}
        for one in sorted(self._registry.processes.values(), key=lambda one: one.id):
            members.setdefault(one.owner, []).append(one)
        records = {record.set_name for record in self._sets.all()}
        names = sorted(records | (members.keys() - {CLI})) + ([CLI] if CLI in members else [])
        return [
            (name, of_set)
            for name in names
            if (of_set := members.get(name, [])) or self._set_status(name, peer, (), ()).matters
        ]

    async def _standing(self, name: str, members: list[Intent], peer: Principal) -> SetStatus:
        marked = await cooperative_map(members, self._is_outdated)
        outdated = [one.name for one, behind in zip(members, marked, strict=True) if behind]
        return self._set_status(name, peer, members, outdated)

    def set_status(self, name: str, peer: Principal) -> SetStatus:
        """A set as far as this caller may know it."""
        members = [one for one in self._registry.processes.values() if one.owner == name]
        members.sort(key=lambda one: one.id)
        outdated = [one.name for one in members if self._is_outdated(one)]

        def settling() -> list[str]:
            under_way = (one.name for one in members if health_of(self._status(one)) == PROGRESSING)
            return list(islice(under_way, 1))

        return self._set_status(name, peer, members, outdated, settling)

    def _set_status(
        self,
        name: str,
        peer: Principal,
        members: Sequence[Intent],
        outdated: Sequence[str],
        settling: Callable[[], Sequence[str]] = tuple,
    ) -> SetStatus:
        record = self._sets.get(name) or self._sets.fresh(name)
        return set_status(
            record if self._may_read(record, peer) else redacted(record),
            self._sets.followed(),
            [one.name for one in members if not one.deleting],
            outdated,
            self._rollouts.active(name),
            settling,
        )

    async def _json(self, name: str, members: list[Intent], peer: Principal) -> Set:
        known, stands = self._sets.get(name) is not None, await self._standing(name, members, peer)
        record, choice = stands.record, self._sets.choice(name)
        seen = await cooperative_map(members, lambda one: health_of(self._status(one)))
        settling = [one.name for one, health in zip(members, seen, strict=True) if health == PROGRESSING]
        stands = replace(stands, settling=lambda: settling)
        return {
            "name": name,
            "sync": _sync(stands, members),
            "health": _health(stands, seen),
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
        return reported(self._loop, one.name, self._clock.now()).status

    def _is_outdated(self, one: Intent) -> bool:
        return waits_for_restart(one, self._loop.observed.get(one.name, NOTHING_SEEN))


def _sync(stands: SetStatus, members: Iterable[Intent]) -> str:
    return sync_of(
        accepted=stands.accepted,
        suspended=stands.record.suspended is not None,
        held=any(one.hold is not None and not one.hold.up for one in members),
        outdated=bool(stands.outdated),
        taken_out=bool(stands.taken_out),
    )


def _health(stands: SetStatus, seen: Sequence[str]) -> str:
    found = [*seen, PROGRESSING] if stands.progressing else list(seen)
    return worst([*found, "Missing"] if stands.taken_out else found)


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
