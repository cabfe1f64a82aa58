"""Sets as callers see them: sync, health, conditions, inventory, history."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pmon3_schema.profiles import chosen_words
from pmon3_schema.status import Condition, Status
from pmond.core.compare import CLI
from pmond.core.health import health_of, sync_of, worst
from pmond.core.model import NOTHING_SEEN
from pmond.core.report import report
from pmond.runtime.clock import Clock
from pmond.runtime.intent.registry import Declared, Registry
from pmond.runtime.intent.rollouts import Rollouts
from pmond.runtime.intent.sets import Sets, suspension_words
from pmond.runtime.long_work import in_turns
from pmond.runtime.loop import Loop
from pmond.runtime.state.records import RevisionRecord, SourceRecord


class SetView:
    """Answers what is known about sets."""

    def __init__(self, registry: Registry, loop: Loop, sets: Sets, rollouts: Rollouts, clock: Clock) -> None:
        self._registry = registry
        self._loop = loop
        self._sets = sets
        self._rollouts = rollouts
        self._clock = clock

    async def all(self) -> list[dict[str, Any]]:
        """Every set by name, the processes of the command line last."""
        members: dict[str, list[Declared]] = {}
        for one in self._registry.processes.values():
            members.setdefault(one.record.owner, []).append(one)
        records = {record.set_name: record for record in self._sets.all()}
        names = sorted(records.keys() | (members.keys() - {CLI})) + ([CLI] if CLI in members else [])
        return [await self._json(name, records.get(name), members.get(name, [])) for name in names]

    async def _json(self, name: str, record: SourceRecord | None, members: list[Declared]) -> dict[str, Any]:
        held = any(one.record.hold is not None and not one.record.hold.up for one in members)
        members = sorted(members, key=lambda one: one.id)
        marked = await in_turns(members, self._is_outdated)
        outdated = [one.name for one, behind in zip(members, marked, strict=True) if behind]
        accepted = record is None or record.accepted
        suspended = record is not None and record.suspended is not None
        progressing = self._rollouts.active(name)
        seen = await in_turns(members, lambda one: health_of(self._status(one)))
        return {
            "name": name,
            "sync": sync_of(accepted=accepted, suspended=suspended, held=held, outdated=bool(outdated)),
            "health": worst([*seen, "Progressing"] if progressing else seen),
            "accepted": accepted,
            "reason": record.reason if record is not None else "",
            "message": record.message if record is not None else "",
            "diagnostics": list(record.diagnostics) if record is not None else [],
            "suspended": record.suspended if record is not None else None,
            "chosen": chosen_words(self._sets.choice(name)),
            "version": record.version if record is not None else 0,
            "revision": record.revision if record is not None else 0,
            "checked_at": record.checked_at if record is not None else None,
            "processes": len(members),
            "inventory": await in_turns(members, _member),
            "conditions": list(_conditions(record, outdated, progressing)) if record is not None else [],
        }

    def history(self, name: str, limit: int) -> list[dict[str, Any]]:
        """The revisions of a set, newest first."""
        record = self._sets.one(name)
        return [_revision(one) for one in self._sets.revisions(record.set_name, limit)]

    def _status(self, one: Declared) -> Status:
        loop = self._loop
        if one.name in loop.set_aside:
            return Status.FAILED
        return report(one.name, loop.desired, loop.observed, self._clock.now(), loop.policy).status

    def _is_outdated(self, one: Declared) -> bool:
        instance = self._loop.observed.get(one.name, NOTHING_SEEN).instance
        return instance is not None and one.record.deferred and instance.revision != one.wanted.revision


def _member(one: Declared) -> dict[str, Any]:
    record = one.record
    return {
        "name": one.name,
        "prune": one.spec.prune,
        "declared": not record.undeclared,
        "file": record.file,
        "line": record.line,
    }


def _conditions(record: SourceRecord, outdated: list[str], progressing: bool) -> list[Condition]:
    held_back = "waits for a restart: " + ", ".join(outdated) if outdated else ""
    synced = record.accepted and not outdated
    why = "InSync" if synced else "RestartRequired" if outdated else "NotAccepted"
    rejected = "" if record.accepted else record.message
    blocked = record.reason == "PruneBlocked" and not record.accepted
    suspended = record.suspended
    words = suspension_words(suspended) if suspended is not None else ""
    since = {"Suspended": suspended["at"]} if suspended is not None else {}
    found = [
        ("Accepted", record.accepted, record.reason or "Valid", rejected),
        ("Synced", synced, why, held_back),
        ("Progressing", progressing, "RollingOut" if progressing else "Settled", ""),
        ("Suspended", suspended is not None, "Suspended" if suspended is not None else "NotSuspended", words),
        ("PruneBlocked", blocked, "TooManyPruned" if blocked else "NotBlocked", rejected if blocked else ""),
    ]  # fmt: skip
    return [
        {
            "type": type,
            "status": "True" if value else "False",
            "reason": reason,
            "message": message,
            "last_transition_time": since.get(type, record.checked_at),
            "observed_generation": record.version,
        }
        for type, value, reason, message in found
    ]


def _revision(record: RevisionRecord) -> dict[str, Any]:
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
