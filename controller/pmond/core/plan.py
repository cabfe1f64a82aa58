"""`plan(desired, observed, now)`: what to do about the processes that may have changed.

Every name is decided on its own (`decide`), from states alone. After a fact about one process
only it and its neighbours in the dependency graph can need something, so planning costs what
changed, not what exists; a plan over all names is made at start and from time to time after.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set

from pmond.core.actions import Action, TurnPlan
from pmond.core.decide import decide
from pmond.core.model import Desired, Observed, Policy


def plan(
    desired: Desired, observed: Observed, now: float, policy: Policy, names: Iterable[str] | None = None
) -> TurnPlan:
    """The next actions for `names` (all when None) and when to look at each of them again."""
    actions: list[Action] = []
    wake_at: dict[str, float | None] = {}
    if names is None:
        names = [*desired.wanted, *(name for name in observed if name not in desired.wanted)]
    for name in names:
        decision = decide(name, desired, observed, now, policy)
        if decision.action is not None:
            actions.append(decision.action)
        wake_at[name] = decision.wake_at
    return TurnPlan(tuple(actions), wake_at)


def neighbours(desired: Desired, name: str) -> set[str]:
    """`name` and all whose decision may depend on its state: its dependants and its dependencies."""
    wanted = desired.wanted.get(name)
    near = {name, *desired.dependants.get(name, ())}
    if wanted is not None:
        near.update(_needed(desired, wanted.spec.needs))
    return near


def near(desired: Desired, names: Set[str]) -> set[str]:
    """The neighbours of all of `names`; for thousands of them in one go."""
    found = set(names)
    for name in desired.dependants.keys() & names:
        found.update(desired.dependants[name])
    for name in names:
        wanted = desired.wanted.get(name)
        if wanted is not None and wanted.spec.needs:
            found.update(_needed(desired, wanted.spec.needs))
    return found


def _needed(desired: Desired, needs: tuple[str, ...]) -> Iterator[str]:
    return (name for need in needs for name in desired.named(need))


def dependants_of(desired_specs: Iterable[tuple[str, tuple[str, ...]]]) -> dict[str, tuple[str, ...]]:
    """For each name, who depends on it, from (name, dependencies) pairs."""
    index: dict[str, list[str]] = {}
    for name, dependencies in desired_specs:
        for dependency in dependencies:
            index.setdefault(dependency, []).append(name)
    return {name: tuple(names) for name, names in index.items()}
