"""What a person lays over what is declared: holds, releases, approvals, suspensions.

A hold says that a process stays down (or up) whatever its manifest says, with who, when, why and
until when. A release hands a process from its set to the command line; it keeps running. An
approval lets a process go whose manifest no longer declares it and that asks first. A suspended
set takes no new content; what it declared is kept running all the same.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from pmon3_schema.errors import ErrorCode, PmonError
from pmon3_schema.protocol import Selection
from pmon3_schema.status import Target
from pmond.core.compare import CLI
from pmond.runtime.clock import Clock
from pmond.runtime.http import auth
from pmond.runtime.http.auth import Peer
from pmond.runtime.intent.acting import Acting, target
from pmond.runtime.intent.registry import Declared, Registry
from pmond.runtime.intent.sets import Sets
from pmond.runtime.state.records import Hold, SourceRecord


class Owning:
    """Carries these verbs out."""

    def __init__(
        self,
        registry: Registry,
        acting: Acting,
        sets: Sets,
        clock: Clock,
        daemon_uid: int,
        control_group: int | None,
    ) -> None:
        self.held: Callable[[], None] = lambda: None
        """Called when a hold was laid or lifted."""
        self._registry = registry
        self._acting = acting
        self._sets = sets
        self._clock = clock
        self._daemon_uid = daemon_uid
        self._control_group = control_group

    def hold(
        self, selection: Selection, peer: Peer, up: bool, reason: str, seconds: float | None
    ) -> list[Target]:
        """Lay a hold: down, or up; an earlier one is replaced."""
        chosen = self._chosen("hold", selection, peer)
        hold = Hold(up=up, by=peer.user, at=self._clock.wall(), reason=reason, until=_after(seconds))
        with self._registry.edit("the hold of processes") as edit:
            held = [
                edit.put(replace(o.record, hold=hold, generation=o.record.generation + 1), o.spec)
                for o in chosen
            ]
        self.held()
        return [target(one) for one in held]

    def unhold(self, selection: Selection, peer: Peer) -> list[Target]:
        """Lift holds: what the manifest says counts again. Those that are then up are the targets."""
        chosen = [one for one in self._chosen("unhold", selection, peer) if one.record.hold is not None]
        with self._registry.edit("the end of holds") as edit:
            free = [
                edit.put(
                    replace(o.record, hold=None, forced=False, generation=o.record.generation + 1), o.spec
                )
                for o in chosen
            ]
        self.held()
        return [target(one) for one in free if one.wanted.up]

    def release(self, selection: Selection, peer: Peer) -> list[str]:
        """Hand processes over to the command line; they keep running."""
        chosen = [one for one in self._chosen("release", selection, peer) if one.record.owner != CLI]
        with self._registry.edit("the release of processes") as edit:
            for one in chosen:
                record = replace(one.record, owner=CLI, undeclared=False, file="", line=0, column=0)
                edit.put(record, one.spec)
        return [one.name for one in chosen]

    def approve(self, selection: Selection, peer: Peer) -> list[Target]:
        """Delete processes that asked to be confirmed. Raises PmonError `refused` for others."""
        chosen = self._chosen("approve", selection, peer)
        for one in chosen:
            if not one.record.undeclared or one.spec.prune != "confirm":
                why = "nobody asks to delete it" if not one.record.undeclared else "it is protected"
                raise PmonError(
                    ErrorCode.REFUSED,
                    f"cannot approve the deletion of {one.name}: {why}",
                    f"pmon3 del {one.name} deletes it anyway",
                )
        with self._registry.edit("the deletion of processes") as edit:
            gone = [
                edit.put(replace(o.record, deleting=True, generation=o.record.generation + 1), o.spec)
                for o in chosen
            ]
        return [target(one) for one in gone]

    def suspend(self, name: str, peer: Peer, reason: str, seconds: float | None) -> SourceRecord:
        """Take no new content from the source of a set."""
        record = self.controlled("suspend", name, peer)
        until = _after(seconds)
        suspension = {"by": peer.user, "at": self._clock.wall(), "reason": reason, "until": until}
        with self._registry.edit(f"the suspension of {record.set_name}") as edit:
            self._sets.suspend(edit, record.set_name, suspension)
        return self._sets.one(record.set_name)

    def resume(self, name: str, peer: Peer) -> SourceRecord:
        """Take new content again."""
        record = self.controlled("resume", name, peer)
        if record.suspended is not None:
            with self._registry.edit(f"the resumption of {record.set_name}") as edit:
                self._sets.suspend(edit, record.set_name, None)
        return self._sets.one(record.set_name)

    def controlled(self, verb: str, name: str, peer: Peer) -> SourceRecord:
        """The set, if the caller may change it. Raises PmonError `not_found` or `forbidden`."""
        record = self._sets.one(name)
        check_set(verb, record, peer, self._daemon_uid, self._control_group)
        return record

    def _chosen(self, verb: str, selection: Selection, peer: Peer) -> list[Declared]:
        chosen = self._registry.select(selection, deleting=False)
        for one in chosen:
            self._acting.check_control(verb, peer, one)
        return chosen


def may_control_set(record: SourceRecord, peer: Peer, daemon_uid: int, control_group: int | None) -> bool:
    """Whether the caller made the set or administers pmond."""
    return auth.is_administrator(peer, daemon_uid, control_group) or record.uid == peer.uid


def check_set(
    verb: str, record: SourceRecord, peer: Peer, daemon_uid: int, control_group: int | None
) -> None:
    """Raises PmonError `forbidden` unless the caller made the set or administers pmond."""
    if may_control_set(record, peer, daemon_uid, control_group):
        return
    raise PmonError(
        ErrorCode.FORBIDDEN,
        f"cannot {verb} {record.set_name}: it belongs to somebody else",
        "choose another --set, or ask as root",
    )


def _after(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    at = datetime.now(UTC) + timedelta(seconds=seconds)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
