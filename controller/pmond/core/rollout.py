"""A rollout: bringing changes to what runs in waves, each only when the one before it is well.

Theory of operation: what is to be restarted or started is held back (`Intent.deferred`, `staged`)
when the manifest is brought in. `advance` looks at where each of them is and says which to let go
next. It remembers nothing: it is asked again whenever something changed, and after a crash of
pmond it goes on from what is held back still. There is no time limit for the whole, however many
take part: what counts is that each process gets further (`pace`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from enum import StrEnum

from msgspec import Struct

from pmon3_schema import graph
from pmon3_schema.rollout import MAX_PARALLEL, PATIENCE
from pmond.core.compare import Comparison
from pmond.core.step import CREATE, PRUNE, RESTART, START

STOP, CONTINUE, ROLLBACK = "stop", "continue", "rollback"


class Progress(StrEnum):
    """Where one process of a rollout is."""

    HELD = "held"
    """Its turn has not come."""
    MOVING = "moving"
    READY = "ready"
    FAILED = "failed"


class Rollout(Struct, frozen=True):
    """What is to be rolled out, in which order, and how carefully."""

    gone: tuple[str, ...]
    """What must have ended before anything starts: a port can be held only once."""
    waves: tuple[tuple[str, ...], ...]
    needs: Mapping[str, tuple[str, ...]]
    """Dependencies among the names of the waves, through others that take no part too."""
    restarts: frozenset[str]
    parallel: int = MAX_PARALLEL
    """How many restarts may be under way at once; starts are not limited."""
    on_failure: str = STOP
    patience: float = PATIENCE
    """Seconds that a process may take to get further."""
    entries: Mapping[str, str] = {}
    """The entry of each replica among the restarts."""
    at_once: Mapping[str, int] = {}
    """How many replicas of an entry may be replaced at a time."""


class Advance(Struct, frozen=True):
    """What to do now. `outcome` is empty while it goes on, else done, failed or rollback."""

    release: tuple[str, ...] = ()
    outcome: str = ""
    failed: tuple[str, ...] = ()
    """What did not become ready, once there is an outcome."""
    skipped: tuple[str, ...] = ()
    """What was never let go, once there is an outcome."""


class RolloutOptions(Struct, frozen=True):
    """How carefully a rollout goes."""

    parallel: int = MAX_PARALLEL
    on_failure: str = STOP
    patience: float = PATIENCE


def rollout_of(
    comparison: Comparison, needs: Mapping[str, Sequence[str]], options: RolloutOptions
) -> Rollout | None:
    """The rollout of a comparison; None when nothing has to wait for anything.

    `needs`: what each process that is declared then depends on.
    """
    gone = tuple(
        step.name for step in comparison.steps if step.action == PRUNE and step.name not in comparison.surplus
    )
    restarts = frozenset(step.name for step in comparison.steps if step.action == RESTART)
    starts = [
        step.name
        for step in comparison.steps
        if step.action in (CREATE, START) and step.spec is not None and step.spec.autostart
    ]
    if not restarts and not (starts and (gone or options.on_failure != STOP)):
        return None
    names = {*restarts, *starts}
    order = names_in_order(comparison, names)
    # Also what takes no part: it may need something that does.
    edges = {name: tuple(needs[name]) for name in graph.reachable(order, needs) if needs.get(name)}
    layers = graph.layers((*order, *(name for name in edges if name not in names)), edges)
    waves = (tuple(name for name in layer if name in names) for layer in layers)
    of = {name: comparison.replicas[name].entry for name in order if name in comparison.replicas}
    return Rollout(
        gone,
        tuple(wave for wave in waves if wave),
        edges,
        restarts,
        max(1, options.parallel),
        _on_failure(comparison, names, options),
        options.patience,
        {name: entry.name for name, entry in of.items() if name in restarts},
        {entry.name: entry.rollout.max_parallel for entry in of.values()},
    )


def _on_failure(comparison: Comparison, names: set[str], options: RolloutOptions) -> str:
    """What the caller says; where that is nothing else than stopping, what the processes say."""
    said = {
        step.spec.rollout.on_failure
        for step in comparison.steps
        if step.name in names and step.spec is not None
    }
    if options.on_failure != STOP or STOP in said or not said - {""}:
        return options.on_failure
    return ROLLBACK if ROLLBACK in said else CONTINUE


def merged(earlier: Rollout, later: Rollout) -> Rollout:
    """One rollout in the place of two: what the earlier one has not done yet comes first."""
    newer = {name for wave in later.waves for name in wave}
    kept = tuple(tuple(name for name in wave if name not in newer) for wave in earlier.waves)
    return Rollout(
        tuple(dict.fromkeys((*earlier.gone, *later.gone))),
        (*(wave for wave in kept if wave), *later.waves),
        {**earlier.needs, **later.needs},
        earlier.restarts | later.restarts,
        later.parallel,
        later.on_failure,
        later.patience,
        {**earlier.entries, **later.entries},
        {**earlier.at_once, **later.at_once},
    )


def names_in_order(comparison: Comparison, names: set[str]) -> list[str]:
    """`names` in the order of the steps."""
    return list(dict.fromkeys(step.name for step in comparison.steps if step.name in names))


def advance(rollout: Rollout, progress: Mapping[str, Progress], gone: bool) -> Advance:
    """The next move, given where each process is and whether what must be gone is.

    A name that `progress` does not have was deleted meanwhile and stands in nobody's way.
    """
    if not gone:
        return Advance()
    failed = {name for name, where in progress.items() if where is Progress.FAILED}
    moving = {name for name, where in progress.items() if where is Progress.MOVING}
    if failed and rollout.on_failure != CONTINUE:
        return Advance() if moving else _ended(rollout, progress)
    blocked = _depending_on(failed, rollout)
    release = _next(rollout, progress, moving, blocked)
    if release or moving:
        return Advance(release)
    return _ended(rollout, progress)


def _next(
    rollout: Rollout, progress: Mapping[str, Progress], moving: set[str], blocked: set[str]
) -> tuple[str, ...]:
    free = rollout.parallel - len(moving & rollout.restarts)
    replaced = Counter(rollout.entries[name] for name in moving if name in rollout.entries)
    release = []
    for wave in rollout.waves:
        for name in wave:
            if progress.get(name) is not Progress.HELD or name in blocked:
                continue
            if name in rollout.restarts:
                entry = rollout.entries.get(name, "")
                if free <= 0 or (entry and replaced[entry] >= rollout.at_once[entry]):
                    continue
                free -= 1
                replaced[entry] += 1
            release.append(name)
        settled = all(
            progress.get(name, Progress.READY) in {Progress.READY, Progress.FAILED} or name in blocked
            for name in wave
        )
        if not settled:
            break
    return tuple(release)


def _ended(rollout: Rollout, progress: Mapping[str, Progress]) -> Advance:
    names = [name for wave in rollout.waves for name in wave]
    failed = tuple(name for name in names if progress.get(name) is Progress.FAILED)
    skipped = tuple(name for name in names if progress.get(name) is Progress.HELD)
    if not failed:
        return Advance(outcome="done")
    return Advance((), "rollback" if rollout.on_failure == ROLLBACK else "failed", failed, skipped)


def _depending_on(failed: set[str], rollout: Rollout) -> set[str]:
    if not failed:
        return set()
    users = graph.dependents(rollout.needs)
    return set(graph.reachable(failed, users)) - failed


def to_json(rollout: Rollout) -> dict[str, object]:
    """As the state file keeps it, so that a rollout outlives pmond."""
    return {
        "gone": list(rollout.gone),
        "waves": [list(wave) for wave in rollout.waves],
        "needs": {name: list(needs) for name, needs in rollout.needs.items() if needs},
        "restarts": sorted(rollout.restarts),
        "parallel": rollout.parallel,
        "on_failure": rollout.on_failure,
        "patience": rollout.patience,
        "entries": dict(rollout.entries),
        "at_once": dict(rollout.at_once),
    }


def from_json(data: Mapping[str, object]) -> Rollout:
    """The inverse of `to_json`. Raises KeyError, TypeError or ValueError for anything else."""
    waves: list[list[str]] = data["waves"]  # type: ignore[assignment]
    needs: dict[str, list[str]] = data["needs"]  # type: ignore[assignment]
    gone: list[str] = data["gone"]  # type: ignore[assignment]
    restarts: list[str] = data["restarts"]  # type: ignore[assignment]
    entries: dict[str, str] = data.get("entries", {})  # type: ignore[assignment]
    at_once: dict[str, int] = data.get("at_once", {})  # type: ignore[assignment]
    return Rollout(
        tuple(gone),
        tuple(tuple(wave) for wave in waves),
        {name: tuple(needed) for name, needed in needs.items()},
        frozenset(restarts),
        int(str(data["parallel"])),
        str(data["on_failure"]),
        float(str(data.get("patience", PATIENCE))),
        {name: str(entry) for name, entry in entries.items()},
        {entry: int(number) for entry, number in at_once.items()},
    )
