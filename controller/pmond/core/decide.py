"""What to do about one process: an ordered table of named rules, first match wins.

Each rule looks at a `Case` and answers with a `Decision` or passes. There are two tables, for
processes with and without an instance. The planner performs the action; the report turns the
same decision into the published status, so what is shown and what is done cannot differ.
"""

from __future__ import annotations

from pmond.core import rules_with_instance, rules_without_instance
from pmond.core.case import Case, Decision
from pmond.core.model import NOTHING_SEEN, Desired, Instance, Observed, Policy


def decide(name: str, desired: Desired, observed: Observed, now: float, policy: Policy) -> Decision:
    """The decision on `name`; the last rule of each table always matches."""
    state = observed.get(name, NOTHING_SEEN)
    case = Case(name, desired.wanted.get(name), state, desired, observed, now, policy)
    decision = _without_instance(case) if state.instance is None else _with_instance(case, state.instance)
    assert decision is not None
    return decision


def _with_instance(case: Case, instance: Instance) -> Decision | None:
    for rule in rules_with_instance.RULES:
        if (decision := rule(case, instance)) is not None:
            return decision
    return None


def _without_instance(case: Case) -> Decision | None:
    for rule in rules_without_instance.RULES:
        if (decision := rule(case)) is not None:
            return decision
    return None
