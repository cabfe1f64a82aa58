"""What a person lays over what is declared: holds, releases, approvals, suspensions.

A hold says that a process stays down (or up) whatever its manifest says, with who, when, why and
until when. A release hands a process from its set to the command line; it keeps running. An
approval lets a process go whose manifest no longer declares it and that asks first. A suspended
set takes no new content; what it declared is kept running all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from msgspec.structs import replace

from pmon3_schema.answers import Suspension
from pmon3_schema.errors import ErrorCode, PmonError
from pmon3_schema.protocol import Selection
from pmon3_schema.status import Target
from pmond.core.intent import held
from pmond.core.model import CLI, NOWHERE, Hold, Intent
from pmond.runtime.access.authority import Authority, Right
from pmond.runtime.access.principal import Principal
from pmond.runtime.base.clock import Clock, wall_after
from pmond.runtime.intent.bulk_change import change_all
from pmond.runtime.intent.commands import target
from pmond.runtime.intent.edit import Edit
from pmond.runtime.intent.process_rights import check_processes
from pmond.runtime.intent.registry import Registry
from pmond.runtime.intent.replication import Replication
from pmond.runtime.intent.set_rights import check_set, check_set_name
from pmond.runtime.intent.sets import Sets
from pmond.runtime.state.records import SourceRecord
from pmond.runtime.supervise.bus import HOLDS, Bus


class Ownership:
    """Carries these verbs out."""

    def __init__(
        self,
        registry: Registry,
        replication: Replication,
        sets: Sets,
        bus: Bus,
        clock: Clock,
        authority: Callable[[], Authority],
    ) -> None:
        self._registry = registry
        self._replication = replication
        self._sets = sets
        self._bus = bus
        self._clock = clock
        self._authority = authority

    async def hold(
        self, selection: Selection, peer: Principal, up: bool, reason: str, seconds: float | None
    ) -> list[Target]:
        """Lay a hold: down, or up; an earlier one is replaced."""
        hold = Hold(up=up, by=peer.user, at=self._clock.wall(), reason=reason, until=_after(seconds))

        def write(edit: Edit, chosen: Sequence[Intent]) -> list[Intent]:
            return [edit.put(held(one, hold)) for one in chosen]

        choose = partial(self._chosen, "hold", selection, peer)
        changed = await change_all(self._registry, "the hold of processes", choose, write)
        self._bus.changed({HOLDS})
        return list(map(target, changed))

    async def unhold(self, selection: Selection, peer: Principal) -> list[Target]:
        """Lift holds: what the manifest says counts again, its replicas too.

        Those that are then up are the targets.
        """
        scaled = self._replication.restore(self._chosen("unhold", selection, peer), peer)

        def choose() -> list[Intent]:
            return [o for o in self._chosen("unhold", selection, peer) if o.hold is not None]

        def write(edit: Edit, chosen: Sequence[Intent]) -> list[Intent]:
            return [edit.put(_counted(one, hold=None, forced=False)) for one in chosen]

        free = await change_all(self._registry, "the end of holds", choose, write)
        self._bus.changed({HOLDS})
        targets = {one["name"]: one for one in scaled.targets}
        return list((targets | {one.name: target(one) for one in free if one.up}).values())

    async def release(self, selection: Selection, peer: Principal) -> list[str]:
        """Hand processes over to the command line; they keep running."""

        def choose() -> list[Intent]:
            return self._taken_out("release", selection, peer)

        def write(edit: Edit, chosen: Sequence[Intent]) -> list[Intent]:
            return [edit.put(replace(one, owner=CLI, undeclared=False, place=NOWHERE)) for one in chosen]

        released = await change_all(self._registry, "the release of processes", choose, write)
        return [one.name for one in released]

    async def approve(self, selection: Selection, peer: Principal) -> list[Target]:
        """Delete processes that asked to be confirmed. Raises PmonError `refused` for others."""

        def write(edit: Edit, chosen: Sequence[Intent]) -> list[Intent]:
            return [edit.put(_counted(one, deleting=True)) for one in chosen]

        choose = partial(self._to_approve, selection, peer)
        return list(map(target, await change_all(self._registry, "the deletion of processes", choose, write)))

    def _to_approve(self, selection: Selection, peer: Principal) -> list[Intent]:
        chosen = self._chosen("approve", selection, peer, Right.DELETE)
        for one in chosen:
            if not one.undeclared or one.spec.prune != "confirm":
                why = "nobody asks to delete it" if not one.undeclared else "it is protected"
                raise PmonError(
                    ErrorCode.REFUSED,
                    f"cannot approve the deletion of {one.name}: {why}",
                    f"pmon3 del {one.name} deletes it anyway",
                )
        return chosen

    def suspend(self, name: str, peer: Principal, reason: str, seconds: float | None) -> SourceRecord:
        """Take no new content from the source of a set."""
        record = self.controlled("suspend", name, peer)
        until = _after(seconds)
        suspension: Suspension = {
            "by": peer.user, "at": self._clock.wall(), "reason": reason, "until": until,
        }  # fmt: skip
        with self._registry.edit(f"the suspension of {record.set_name}") as edit:
            self._sets.suspend(edit, record.set_name, suspension)
        return self._sets.one(record.set_name)

    def resume(self, name: str, peer: Principal) -> SourceRecord:
        """Take new content again."""
        record = self.controlled("resume", name, peer)
        if record.suspended is not None:
            with self._registry.edit(f"the resumption of {record.set_name}") as edit:
                self._sets.suspend(edit, record.set_name, None)
        return self._sets.one(record.set_name)

    def controlled(self, verb: str, name: str, peer: Principal) -> SourceRecord:
        """The set, if the caller may change it. Raises PmonError `not_found` or `forbidden`."""
        record = self._sets.one(name)
        check_set(verb, name, record.uid, peer, self._authority())
        return record

    def check_content(self, verb: str, name: str, peer: Principal) -> None:
        """Raises PmonError when the caller may not say what a set declares, or make it."""
        record, authority = self._sets.get(name), self._authority()
        if record is None:
            check_set_name(name, peer, authority)
        else:
            check_set(verb, name, record.uid, peer, authority, Right.CHANGE)

    def _chosen(
        self, verb: str, selection: Selection, peer: Principal, right: Right = Right.OPERATE
    ) -> list[Intent]:
        chosen = self._registry.select(selection, deleting=False)
        check_processes(verb, right, chosen, peer, self._authority())
        return chosen

    def _taken_out(self, verb: str, selection: Selection, peer: Principal) -> list[Intent]:
        """Those that leave their set: that is a matter of the set, whoever they run as."""
        chosen = [one for one in self._chosen(verb, selection, peer, Right.DELETE) if one.owner != CLI]
        for owner in {one.owner for one in chosen}:
            record = self._sets.get(owner)
            if record is not None:
                check_set(verb, owner, record.uid, peer, self._authority())
        return chosen


def _counted(one: Intent, **changes: Any) -> Intent:
    return replace(one, generation=one.generation + 1, **changes)


def _after(seconds: float | None) -> str | None:
    return None if seconds is None else wall_after(seconds)
