"""How a manifest changes what is wanted.

Theory of operation: an `Intent` is everything that a person or a manifest may say about a process,
and nothing that is seen of it. `bring_in` turns a comparison (`compare`) into the intents as they
are afterwards: the one place where applying a manifest is arithmetic on values. The shell saves
them in one transaction; a test can drive it without a daemon.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import NamedTuple

from msgspec import Struct, field
from msgspec.structs import replace

from pmon3_schema.process import ProcessSpec
from pmond.core.compare import Comparison
from pmond.core.model import NOWHERE, Hold, Intent, SourceLocation
from pmond.core.step import ADOPT, MOVE, PRUNE, RESTART, START, CompareOptions, Existing, Step


class BroughtIn(Struct, frozen=True):
    """What a manifest changes: the new intents by name, and which of them had another name."""

    intents: Mapping[str, Intent]
    moved: Mapping[str, str] = field(default_factory=dict)
    """From the old name to the new one."""


class Runs(NamedTuple):
    """What is running of a process."""

    revision: str
    outdated: bool
    """It is not what is declared, because a restart was put off."""
    behind: bool = False
    """A file that it watches says something else than when it read it."""
    earlier: ProcessSpec | None = None
    """What it runs with where it is outdated, as far as that is known."""


_NOTHING = Runs("", False)


def existing(
    intents: Mapping[str, Intent], running: Mapping[str, Runs], awaited: Container[str] = ()
) -> dict[str, Existing]:
    """Declared processes as `compare` sees them. `running` has those with an instance.

    `awaited`: those whose turn will come, in the rollout that is under way.
    """
    return {
        name: Existing(
            one.spec,
            one.owner,
            one.place,
            *running.get(name, _NOTHING),
            one.staged and name not in awaited,
            _is_held(one),
            one.replica.entry.name if one.replica is not None else "",
        )
        for name, one in intents.items()
        if not one.deleting
    }


def _is_held(intent: Intent) -> bool:
    return intent.hold is not None and not intent.hold.up


def bring_in(
    comparison: Comparison,
    intents: Mapping[str, Intent],
    places: Mapping[str, SourceLocation],
    options: CompareOptions,
    *,
    trusted: bool = True,
    staged: bool = False,
) -> BroughtIn:
    """The intents that differ after the manifest was brought in.

    `places` has every process that the manifest declares. `staged`: what is to start or restart
    waits for its turn in a rollout.
    """
    result: dict[str, Intent] = {}
    moved: dict[str, str] = {}
    for step in comparison.steps:
        if step.action == MOVE:
            moved[step.moved_from] = step.name
        # What gets another name may have a step of its own after that.
        before = result.get(step.name) or intents.get(step.moved_from or step.name)
        after = _after(step, before, places.get(step.name, NOWHERE), options, trusted, staged)
        if step.action != PRUNE:
            after = replace(after, replica=comparison.replicas.get(step.name))
        result[step.name] = after
    for name, place in places.items():
        if name in result:
            continue
        before, replica = intents[name], comparison.replicas.get(name)
        if before.place != place or before.undeclared or before.replica != replica:
            result[name] = replace(before, place=place, undeclared=False, replica=replica)
    for name in comparison.kept:
        if name not in result and not intents[name].undeclared:
            result[name] = replace(intents[name], undeclared=True)
    return BroughtIn(result, moved)


def _after(
    step: Step,
    before: Intent | None,
    place: SourceLocation,
    options: CompareOptions,
    trusted: bool,
    staged: bool,
) -> Intent:
    if step.action == PRUNE:
        assert before is not None
        return replace(before, deleting=True, generation=before.generation + 1)
    assert step.spec is not None
    if before is None:
        starts_later = staged and step.spec.autostart
        return Intent(step.spec, owner=options.owner, place=place, trusted=trusted, staged=starts_later)
    changed = step.action != ADOPT and step.spec != before.spec
    after = replace(
        before.with_spec(step.spec),
        owner=options.owner,
        place=place,
        generation=before.generation + changed,
        deferred=_deferred(step, before, options, staged),
        deleting=False,
        forced=False,
        trusted=trusted,
        undeclared=False,
    )
    if before.deleting:  # declared again while it was being deleted: as if it were new
        return replace(after, generation=before.generation + 1, token=before.token + 1, hold=None)
    if step.action == START:
        return replace(after, staged=staged)
    if step.action == RESTART and not staged:
        return replace(after, token=before.token + 1)
    return after


def _deferred(step: Step, before: Intent, options: CompareOptions, staged: bool) -> bool:
    if step.action == RESTART:
        return staged
    stays = step.spec is not None and step.spec.on_change == "none"
    waits = step.effect == "restart" and (stays or not options.restart)
    return waits or before.deferred


def held(intent: Intent, hold: Hold) -> Intent:
    """With a person's word laid over it; it no longer waits for its turn in a rollout, whatever was said."""
    return replace(intent, hold=hold, staged=False, generation=intent.generation + 1)


def released(intent: Intent) -> Intent:
    """Its turn in the rollout has come: start it, or restart it with what is declared now."""
    token = intent.token + (not intent.staged)
    return replace(intent, staged=False, deferred=False, token=token)
