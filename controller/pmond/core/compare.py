"""What a manifest asks for, compared with what is declared: the steps that would make them equal.

Every path that brings a manifest in (`diff`, `plan`, `apply`, `init`, hot reload) calls this one
function; a dry run differs in what is done with the answer, not in how it is found. Nothing but
the owner's own processes is ever pruned, and only when the caller asks for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pmon3_schema.effect import Effect
from pmon3_schema.process import ProcessSpec
from pmon3_schema.revision import Change, changes, strongest

CREATE, UPDATE, RESTART, ADOPT, PRUNE = "create", "update", "restart", "adopt", "prune"

_CLI = "cli"
_PRUNE_AT_LEAST = 3
_PRUNE_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class Existing:
    """A declared process as comparison sees it."""

    spec: ProcessSpec
    owner: str
    running: bool
    place: str = ""
    """file:line of its declaration, for messages."""


@dataclass(frozen=True, slots=True)
class Step:
    """One difference and what removing it costs."""

    action: str
    name: str
    effect: str
    changes: tuple[Change, ...] = ()
    causes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Conflict:
    """A name that somebody else owns."""

    name: str
    owner: str
    place: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """The steps in the order in which they are taken, and what stands in their way."""

    steps: tuple[Step, ...]
    conflicts: tuple[Conflict, ...]
    unchanged: int


def compare(
    specs: Iterable[ProcessSpec],
    existing: Mapping[str, Existing],
    owner: str,
    *,
    prune: bool,
    take_over: bool = False,
    restart: bool = True,
) -> Comparison:
    """Compare the specs of one owner with what is declared.

    `take_over`: processes submitted by command become the owner's. `restart`: a change that needs
    a restart gets one; otherwise it waits for the next start.
    """
    declared = {spec.name: spec for spec in specs}
    steps: list[Step] = []
    conflicts: list[Conflict] = []
    unchanged = 0
    if prune:
        gone = [name for name, one in existing.items() if one.owner == owner and name not in declared]
        steps += [Step(PRUNE, name, "stop", causes=("it is no longer declared",)) for name in gone]
    for name, spec in declared.items():
        present = existing.get(name)
        if present is None:
            steps.append(Step(CREATE, name, "start" if spec.autostart else "none", causes=("it is new",)))
            continue
        step = _changed(present, spec, owner, restart)
        if present.owner != owner and not _may_take(present, take_over, step):
            conflicts.append(Conflict(name, present.owner, present.place))
        elif step is None:
            unchanged += 1
        else:
            steps.append(step)
    return Comparison(tuple(steps), tuple(conflicts), unchanged)


def too_many_pruned(comparison: Comparison, owned: int) -> bool:
    """Whether pruning would take away so much that a mistake is more likely than an intention."""
    pruned = sum(step.action == PRUNE for step in comparison.steps)
    return pruned > max(_PRUNE_AT_LEAST, owned * _PRUNE_SHARE)


def _may_take(present: Existing, take_over: bool, step: Step | None) -> bool:
    """Processes of the command line go to a manifest that says the same, or that was told to."""
    return present.owner == _CLI and (take_over or step is None or step.action == ADOPT)


def _changed(present: Existing, spec: ProcessSpec, owner: str, restart: bool) -> Step | None:
    found = changes(present.spec, spec)
    moved = (f"taken over from {present.owner}",) if present.owner != owner else ()
    if not found:
        return Step(ADOPT, spec.name, Effect.NONE.value, causes=moved) if moved else None
    effect = strongest(found)
    causes = (*moved, *(f"{change.path} changed" for change in found))
    if effect is Effect.RESTART and present.running:
        action = RESTART if restart else UPDATE
        causes = causes if restart else (*causes, "waits for the next start")
    else:
        action = UPDATE
    return Step(action, spec.name, effect.value, tuple(found), causes)
