"""Whether a process waits in vain: for one that failed for good, or that nobody starts, perhaps far away.

Theory of operation: a process knows the dependencies that it waits for itself. Those may wait too, so who is
in the way is found by following them, nearest first. Rows and waits ask for it; decisions do not need it, as
whoever stands in between is looked at again when the one before it changes.
"""

from __future__ import annotations

from collections import deque

from msgspec import Struct

from pmond.core.case import Decision, Rule
from pmond.core.decide import decide
from pmond.core.model import Desired, Observed, Policy

_FURTHEST = 100
"""Dependencies that are followed at most: an answer about thousands asks for each of them."""


class Blocked(Struct, frozen=True):
    """What a process waits for, and who is in the way of that for good."""

    by: str = ""
    """The dependency that will not be there without somebody acting; empty: none is known."""
    reason: str = ""
    """``waits for api, which waits for db, which failed: …``."""
    seen: frozenset[str] = frozenset()
    """All that this depends on: dependencies that are waited for, near and far."""


def blocked(name: str, desired: Desired, observed: Observed, now: float, policy: Policy) -> Blocked:
    """Who keeps `name` from being started, as far as it waits for dependencies at all."""
    seen, waiting = {name}, deque([(name, "")])
    while waiting and len(seen) <= _FURTHEST:
        one, way = waiting.popleft()
        found: Decision = decide(one, desired, observed, now, policy)
        if found.rule is not Rule.AWAIT_DEPENDENCIES:
            continue
        if found.blocker or found.idle:
            by = found.blocker or found.idle
            return Blocked(by, way + found.reason, frozenset(seen | {by}) - {name})
        for need in found.waits_for:
            if need not in seen:
                seen.add(need)
                waiting.append((need, f"{way}waits for {need}, which "))
    return Blocked(seen=frozenset(seen) - {name})
