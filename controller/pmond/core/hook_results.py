"""What facts about hooks make of a state: `evolve`, as far as hooks go.

A fact counts once: a command that was begun is never begun again, one whose end is known does not end again,
and what is said of another run than the last, or the next, is out of date.
"""

from __future__ import annotations

from msgspec.structs import replace

from pmon3_schema.process import ProcessSpec
from pmond.core import hooking
from pmond.core.facts import HookBegun, HookEnded, SpawnFailed
from pmond.core.hooking import Hooking, Moment
from pmond.core.model import State


def begun(state: State, fact: HookBegun, now: float) -> State:
    """A command runs."""
    known, last = state.history.hooking, state.history.number
    is_current = fact.number > last if fact.moment is Moment.PRE_START else fact.number == last
    if state.instance is not None or not is_current:
        return state
    mine = known is not None and known.number == fact.number
    if known is not None and mine and known.moment is fact.moment and fact.index < known.begun:
        return state
    after = Hooking(
        fact.moment, fact.number, fact.index + 1, True, now,
        failed=known is not None and mine and known.failed, revision=fact.revision, token=fact.token,
    )  # fmt: skip
    return _with(state, after)


def ended(state: State, fact: HookEnded, spec: ProcessSpec) -> State | SpawnFailed:
    """A command has ended; one before a start that failed is a start that failed."""
    known = state.history.hooking
    if known is None or known.over or (known.number, known.moment) != (fact.number, fact.moment):
        return state
    if known.begun > fact.index + 1 or not (known.under_way or fact.given_up):
        return state
    is_fine = not (fact.error or fact.given_up)
    if fact.moment is not Moment.PRE_START or is_fine:
        return _with(state, hooking.ended(spec.hooks, known, fact.error, given_up=fact.given_up))
    if fact.number <= state.history.number:
        return _with(state, None)
    if fact.given_up:  # its number is used: hooks have run for it
        return replace(state, history=replace(state.history, number=fact.number, hooking=None))
    of = (fact.name, fact.number, known.revision, known.token)
    return SpawnFailed(*of, "HookFailed", fact.error, fact.transient)


def after_failed_start(fact: SpawnFailed, spec: ProcessSpec) -> Hooking | None:
    """What is due when a start has failed, and not for want of resources."""
    if fact.transient or not spec.hooks.on_failure:
        return None
    return Hooking(Moment.ON_FAILURE, fact.number, failed=True)


def _with(state: State, known: Hooking | None) -> State:
    return replace(state, history=replace(state.history, hooking=known))
