"""Ceilings of those without rights: how much they may have declared, and kept.

Theory of operation: what somebody has is what runs as him and was not declared by an owner, and the sets of
his words. A change is refused that leaves him with more than his quota and with more than before; so whoever
has too much, since the quota is smaller now, can still give things up. Everything is counted from what is
there, nothing is kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pmon3_schema.errors import ErrorCode, PmonError
from pmon3_schema.process import ProcessSpec
from pmond.core.model import Intent
from pmond.runtime.access.authority import Authority, Right
from pmond.runtime.access.principal import Principal
from pmond.runtime.processes.ceilings import probes_in_a_second
from pmond.runtime.state.records import SourceRecord, encode

MOST_GROUPS = 1_000
"""Of all users together; administrators make as many as they like."""
_HINT = "delete some, or ask root for a larger access.quota"


def check_quota(
    before: Mapping[str, Intent], after: Mapping[str, Intent], principal: Principal, authority: Authority
) -> None:
    """Raises PmonError `refused` when the caller would have too many processes, or too much text in them."""
    if authority.is_administrator(principal):
        return
    quota, is_his = authority.rules.quota, authority.over_users(principal, Right.CHANGE)
    had = [one for one in before.values() if not one.trusted and is_his(one.spec.user)]
    has = [one for one in after.values() if not one.trusted and is_his(one.spec.user)]
    if len(has) > max(quota.processes, len(had)):
        raise _refused(principal, f"{len(has)} processes", f"{quota.processes}")
    size = _size(has)
    if size > quota.bytes and size > _size(had):
        raise _refused(principal, f"specs of {size} bytes", f"{quota.bytes}")
    probes = _probes(has)
    if probes > quota.probes and probes > _probes(had):
        raise _refused(principal, f"{probes:.0f} tries of probes a second", f"{quota.probes}")


def check_replicas(
    entries: Iterable[ProcessSpec], before: Mapping[str, Intent], principal: Principal, authority: Authority
) -> None:
    """The same of the replicas that entries stand for, before any is made: a few words are a thousand."""
    several = [entry for entry in entries if entry.replicas]
    if not several or authority.is_administrator(principal):
        return
    quota, is_his = authority.rules.quota, authority.over_users(principal, Right.CHANGE)
    had = [one for one in before.values() if not one.trusted and is_his(one.spec.user)]
    count = sum(entry.replicas or 0 for entry in several)
    if count > max(quota.processes, len(had)):
        raise _refused(principal, f"{count} replicas", f"{quota.processes} processes")
    size = sum(((entry.replicas or 0) + 1) * size_of(Intent(entry)) for entry in several)
    if size > max(quota.bytes, _size(had)):
        raise _refused(principal, f"replicas with specs of {size} bytes", f"{quota.bytes}")


def check_groups(
    named: Iterable[ProcessSpec], groups: Mapping[int, str], principal: Principal, authority: Authority
) -> None:
    """The same of groups that specs of the caller bring into being, and that outlive its processes."""
    present = set(groups.values())
    new = {name for spec in named for name in spec.groups} - present
    if new and len(present) + len(new) > MOST_GROUPS and not authority.is_administrator(principal):
        why = f"cannot make the group {min(new)}: there are {len(present)}, and the rest is for root to make"
        raise PmonError(ErrorCode.REFUSED, why, "name one that is there, or ask root")


def check_set_quota(
    inhabited: Iterable[SourceRecord], size: int, principal: Principal, authority: Authority
) -> None:
    """The same of the sets of his words: those with processes, and one whose documents take `size` bytes."""
    if authority.is_administrator(principal):
        return
    quota = authority.rules.quota
    his = [one for one in inhabited if one.uid == principal.uid]
    if len(his) >= quota.processes:
        raise _refused(principal, f"{len(his) + 1} sets", f"{quota.processes}")
    size += sum(len(one.content) for one in his)
    if size > quota.bytes:
        raise _refused(principal, f"documents of {size} bytes", f"{quota.bytes}")


def _probes(intents: Iterable[Intent]) -> float:
    return sum(probes_in_a_second(one.spec) for one in intents)


def _size(intents: Iterable[Intent]) -> int:
    """All that is kept of them: each spec, and what several have in common, as it was written, once."""
    entries: dict[str, ProcessSpec] = {}
    size = 0
    for one in intents:
        size += size_of(one)
        if one.replica is not None:
            entries[one.entry_name] = one.replica.entry
    return size + sum(len(encode(entry.to_record())) for entry in entries.values())


def size_of(intent: Intent) -> int:
    """Bytes of its spec, as they count."""
    return len(encode(intent.spec.to_record()))


def _refused(principal: Principal, what: str, most: str) -> PmonError:
    why = f"cannot do that: {principal.user} would have {what}, and may have {most} (access.quota)"
    return PmonError(ErrorCode.REFUSED, why, _HINT)
