"""What a process needs of others: whether its dependencies are what it waits for.

A dependency has a condition: `started` (alive for the settle time), `ready` (its probe passes),
`completed` (it ran to its end, with success). One that is not said is `ready` where there is a
probe, `completed` of a one-shot, else `started`, which one that ran to its end with success has been.
"""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from pmon3_schema.process import ProcessSpec
from pmon3_schema.process_parts import Dependency
from pmond.core.case import Case, is_outdated, is_ready
from pmond.core.model import NOTHING_SEEN, Ending, Instance, Intent, Phase, State
from pmond.core.rules_final import failed_for_good, is_completed

Runs = tuple[tuple[str, int], ...]
"""Names of dependencies, and which run of each there was."""


class Waiting(Struct, frozen=True):
    """A dependency that is not met."""

    name: str
    text: str
    wake_at: float | None = None
    """When time alone may meet it."""
    hopeless: bool = False
    """It failed for good: it will not be met by itself any more."""
    idle: bool = False
    """Nobody wants it to run."""


def unmet(case: Case, need: Dependency) -> Waiting | None:
    """Why a dependency is not met; None if it is, by all replicas that it means."""
    names = case.desired.replicas.get(need.name)
    if names is None:
        return _unmet(case, need)
    found = (_unmet(case, replace(need, name=name)) for name in names)
    return next((waiting for waiting in found if waiting is not None), None)


def _unmet(case: Case, need: Dependency) -> Waiting | None:
    intent = case.desired.wanted.get(need.name)
    if intent is None or (not need.required and not case.desired.up(need.name)):
        return None
    if intent.spec.schedule.wanted and need.condition != "completed" and case.desired.up(need.name):
        return None  # between its runs it is as it should be
    state = case.observed.get(need.name, NOTHING_SEEN)
    if state.instance is None:
        return _without_instance(case, need, intent, state)
    other = replace(case, name=need.name, wanted=intent, state=state)
    up = case.desired.up(need.name) and not is_outdated(intent, state)
    if not up or state.instance.ending is not Ending.ITSELF or replaced(other, state.instance):
        return Waiting(need.name, need.name)  # it is being stopped, or about to be
    return _with_instance(case, need, intent, state.instance)


def _without_instance(case: Case, need: Dependency, intent: Intent, state: State) -> Waiting | None:
    name = need.name
    fresh = (state.history.revision, state.history.token) != (intent.revision, intent.token)
    if is_completed(intent.spec, state) and not fresh:
        return None
    if intent.is_none:
        return Waiting(name, f"{name}, which has 0 replicas (pmon3 scale {name}=1)", idle=True)
    if not case.desired.up(name):
        idle = not intent.up_in_turn and not intent.deleting
        return Waiting(name, f"{name}, which is stopped (pmon3 start {name})", idle=idle)
    failed = failed_for_good(replace(case, name=name, wanted=intent, state=state))
    if failed is None:
        return Waiting(name, name)
    if not need.required:
        return None
    return Waiting(name, f"{name}, which failed: {failed.reason}", hopeless=True)


def _with_instance(case: Case, need: Dependency, intent: Intent, instance: Instance) -> Waiting | None:
    name = need.name
    match condition_of(need, intent.spec):
        case "completed":
            return Waiting(name, f"{name} to complete")
        case "ready":
            return None if is_ready(intent, instance) else Waiting(name, f"{name} to be ready")
    if instance.phase is Phase.STOPPING or (instance.phase is Phase.STARTING and not intent.spec.ready.kind):
        return Waiting(name, name)
    settled_at = instance.started_at + case.policy.settle
    return Waiting(name, name, settled_at) if case.now < settled_at else None


def condition_of(need: Dependency, spec: ProcessSpec) -> str:
    """The condition in force: the one that is said, or what follows from how the other one is declared."""
    if need.condition:
        return need.condition
    if spec.ready.kind:
        return "ready"
    return "completed" if spec.is_oneshot else "started"


def runs_of(case: Case) -> Runs:
    """Which runs there are of the dependencies whose replacement replaces this process too."""
    if not case.spec.dependencies:
        return ()
    return tuple(
        (name, instance.number)
        for need in case.spec.dependencies
        if need.restart
        for name in case.desired.named(need.name)
        if (instance := case.observed.get(name, NOTHING_SEEN).instance) is not None
    )


def replaced(case: Case, instance: Instance) -> str:
    """The first of those dependencies of which there is another run now, and back; empty: none."""
    if not instance.needs:
        return ""
    known = dict(instance.needs)
    return next((name for name in known if _is_back(case, name, known[name])), "")


def _is_back(case: Case, name: str, number: int) -> bool:
    """Whether another run than that one serves."""
    intent, other = case.desired.wanted.get(name), case.observed.get(name, NOTHING_SEEN).instance
    followed = any(need.restart and name in case.desired.named(need.name) for need in case.spec.dependencies)
    if not followed or intent is None or other is None or other.number == number:
        return False
    return is_ready(intent, other)
