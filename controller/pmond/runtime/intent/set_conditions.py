"""The named truths about a set, from values alone: what `status` shows and what can be waited for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from msgspec import Struct
from msgspec.structs import replace

from pmon3_schema.status import DELETED, Condition
from pmond.core.condition import ConditionValue
from pmond.runtime.intent.sets import SOURCE_MISSING, suspension_words
from pmond.runtime.state.records import SourceRecord

_NAMED = 10
"""Processes named in one message."""


class SetStatus(Struct, frozen=True):
    """A set at one moment."""

    record: SourceRecord
    followed: str
    """The set of the process config file, perhaps this one."""
    members: Sequence[str]
    outdated: Sequence[str]
    """Those that run with an earlier spec, because a restart was put off."""
    progressing: bool
    """It is being rolled out."""
    taken_out: Sequence[str] = ()
    """What its source declares and somebody has deleted."""
    settling: Callable[[], Sequence[str]] = tuple
    """Some of those that come up or end, or wait; asked only where it matters, as it takes long of many."""

    @property
    def is_followed(self) -> bool:
        return self.record.set_name == self.followed

    @property
    def is_left(self) -> bool:
        """The configuration followed it once, and what it declared is still there."""
        return self.record.followed and not self.is_followed and bool(self.members)

    @property
    def accepted(self) -> bool | None:
        """Whether its source is in force; None where there is none."""
        missing = self.record.accepted and self.record.reason == SOURCE_MISSING
        return None if missing else self.record.accepted

    @property
    def matters(self) -> bool:
        """Whether there is anything to say about it; else only its history is left."""
        record = self.record
        return bool(self.members) or self.is_followed or record.suspended is not None


def set_status(
    record: SourceRecord,
    followed: str,
    members: Sequence[str],
    outdated: Sequence[str],
    progressing: bool,
    settling: Callable[[], Sequence[str]] = tuple,
) -> SetStatus:
    """What was said of a source that nobody reads any more is no verdict on the set."""
    if record.set_name != followed and record.reason:
        record = replace(record, accepted=True, reason="", message="", diagnostics=[])
    present = set(members)
    taken_out = [name for name in record.taken_out if name not in present] if record.accepted else []
    return SetStatus(record, followed, members, outdated, progressing, taken_out, settling)


def condition_values(one: SetStatus) -> Iterator[ConditionValue]:
    """All conditions of a set, each worked out when its turn comes."""
    record, accepted = one.record, one.accepted
    rejected = record.message if accepted is False else ""
    blocked = accepted is False and record.reason == "PruneBlocked"
    suspended = record.suspended
    yield ConditionValue(
        "Accepted", accepted, record.reason or "Valid", record.message if record.reason else ""
    )
    yield _synced(one)
    yield _progressing(one)
    yield (
        ConditionValue("Suspended", True, "Suspended", suspension_words(suspended))
        if suspended is not None
        else ConditionValue("Suspended", False, "NotSuspended")
    )
    yield ConditionValue(
        "PruneBlocked", blocked, "TooManyPruned" if blocked else "NotBlocked", rejected if blocked else ""
    )
    yield _followed(one)


def conditions(one: SetStatus) -> list[Condition]:
    """The same as callers see them."""
    suspended = one.record.suspended
    since = {"Suspended": suspended["at"]} if suspended is not None else {}
    return [
        truth.published(since.get(truth.type, one.record.checked_at), one.record.version)
        for truth in condition_values(one)
    ]


def _progressing(one: SetStatus) -> ConditionValue:
    if one.progressing:
        return ConditionValue("Progressing", True, "RollingOut")
    if settling := one.settling():
        return ConditionValue("Progressing", True, "Settling", f"under way: {_some(settling)}")
    return ConditionValue("Progressing", False, "Settled")


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def _synced(one: SetStatus) -> ConditionValue:
    if one.outdated:
        return ConditionValue(
            "Synced", False, "RestartRequired", f"waits for a restart: {', '.join(one.outdated)}"
        )
    if one.accepted is None:
        return ConditionValue("Synced", None, SOURCE_MISSING)
    if one.accepted and one.taken_out:
        back = "when it is read again" if one.is_followed else "with the next apply"
        why = f"deleted, and declared: {_some(one.taken_out)} (comes back {back})"
        return ConditionValue("Synced", False, DELETED, why)
    return (
        ConditionValue("Synced", True, "InSync")
        if one.accepted
        else ConditionValue("Synced", False, "NotAccepted")
    )


def _followed(one: SetStatus) -> ConditionValue:
    if one.is_followed:
        return ConditionValue("Followed", True, "Followed")
    if not one.is_left:
        return ConditionValue("Followed", False, "NotFollowed")
    message = (
        f"no longer followed, as {one.followed.removeprefix('file:')} is; "
        f"its processes go on: {_some(one.members)} "
        "(pmon3 del NAME deletes one, pmon3 release NAME keeps it without the set)"
    )
    return ConditionValue("Followed", False, "NoLongerFollowed", message)
