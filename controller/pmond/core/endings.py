"""The two ways to end an instance, with its grace and how far they reach."""

from __future__ import annotations

from math import inf

from pmond.core.actions import Kill, Stop
from pmond.core.case import Case
from pmond.core.model import Ending, Instance


def stop(case: Case, instance: Instance, ending: Ending, reason: str) -> Stop:
    how = case.spec.stop
    tree = _whole_tree(case, instance)
    grace = min(how.timeout, max(0.0, ceiling(case) - case.now))
    return Stop(case.name, instance.number, ending, how.signal, grace, tree, reason)


def ceiling(case: Case) -> float:
    """Until when its grace lasts at most: so nobody holds up the end of a pmond that is not his."""
    limit = case.desired.untrusted_until
    return inf if limit is None or case.wanted is None or case.wanted.trusted else limit


def kill(case: Case, instance: Instance, ending: Ending, reason: str) -> Kill:
    return Kill(case.name, instance.number, ending, _whole_tree(case, instance), reason)


def _whole_tree(case: Case, instance: Instance) -> bool:
    """When the main program has ended, what is left of the instance is its tree."""
    return case.spec.stop.kill_group or instance.ended_at is not None


def down_ending(case: Case) -> Ending:
    shutdown = case.desired.ending and case.wanted is not None and case.wanted.up
    return Ending.SHUTDOWN if shutdown else Ending.UNWANTED
