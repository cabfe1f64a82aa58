"""Specs that an earlier pmond kept without a user, completed before anything is made of them.

A spec could once be stored without a user, which meant pmond's own at each start; so whoever
could have an empty one stored had a program run as root. Now every stored spec names its user. What
an older file holds gets the one that it must have meant: pmond's own where somebody with the rights
of pmond wrote it, else the user who made its set. Where nobody knows who wrote it, it is nobody's,
and held with the reason. What runs and what ran keeps its revision, so nothing is restarted for it.
"""

from __future__ import annotations

from msgspec.structs import replace

from pmond.core.model import CLI, Hold, Intent
from pmond.runtime.access import users
from pmond.runtime.state.records import HistoryRecord, InstanceRecord, Snapshot

_NOBODY = "nobody"
_WHY = "it was stored without a user, by nobody knows whom; give it one (pmon3 restart NAME --user USER)"


def with_users(snapshot: Snapshot, daemon_uid: int, now: str) -> Snapshot:
    """The snapshot with a user in every spec."""
    makers = {source.set_name: source.uid for source in snapshot.sources}
    completed = {
        one.name: _completed(one, daemon_uid, makers.get(one.owner), now)
        for one in snapshot.processes
        if not one.spec.user
    }
    if not completed:
        return snapshot
    revisions = {
        one.name: (one.revision, completed[one.name].revision)
        for one in snapshot.processes
        if one.name in completed
    }
    return replace(
        snapshot,
        processes=tuple(completed.get(one.name, one) for one in snapshot.processes),
        instances=tuple(_instance(record, revisions) for record in snapshot.instances),
        histories=tuple(_history(record, revisions) for record in snapshot.histories),
    )


def _completed(one: Intent, daemon_uid: int, maker: int | None, now: str) -> Intent:
    if one.trusted or daemon_uid != 0:
        return one.with_spec(replace(one.spec, user=users.name_of(daemon_uid)))
    if one.owner != CLI and maker is not None:
        return one.with_spec(replace(one.spec, user=users.name_of(maker)))
    held = Hold(up=False, by="pmond", at=now, reason=_WHY.replace("NAME", one.name))
    return replace(one.with_spec(replace(one.spec, user=_NOBODY)), hold=held)


def _instance(record: InstanceRecord, revisions: dict[str, tuple[str, str]]) -> InstanceRecord:
    old, new = revisions.get(record.name, ("", ""))
    return replace(record, revision=new) if old and record.revision == old else record


def _history(record: HistoryRecord, revisions: dict[str, tuple[str, str]]) -> HistoryRecord:
    old, new = revisions.get(record.name, ("", ""))
    if not old or record.data.get("revision") != old:
        return record
    return replace(record, data={**record.data, "revision": new})
