"""Hooks: the commands before and after the runs of a process, each at most once for one run.

Theory of operation: the history of a process says which hook was begun last (`Hooking`): of which run, at
which moment, and the how many-th of its commands. What is due follows from that and from the spec. Before a
start its `pre_start` commands run, under the number that the run will have: a number whose hooks were begun
is never begun again, whatever becomes of it. After an end, when nothing of the tree is left, `post_stop`
runs, then `on_failure` where the run had failed; nothing starts before they are over.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from pmon3_schema.process_parts import HooksSpec


class Moment(StrEnum):
    """When a hook runs, in order."""

    PRE_START = "pre_start"
    POST_STOP = "post_stop"
    ON_FAILURE = "on_failure"


class Hooking(Struct, frozen=True):
    """The last hook of a process that was begun, or that is due."""

    moment: Moment
    number: int
    """The run that it belongs to."""
    begun: int = 0
    """How many commands of that moment were begun."""
    under_way: bool = False
    """The last of them has not ended."""
    since: float | None = None
    """When that was begun, in the loop's time."""
    failed: bool = False
    """The run had failed, so `on_failure` is due after `post_stop`."""
    over: bool = False
    """Nothing more of it is due, whatever the spec says later."""
    error: str = ""
    """Why the last command that ended has failed; empty when it has not."""
    revision: str = ""
    token: int = 0
    """Of the start that they come before."""


def commands(hooks: HooksSpec, moment: Moment) -> tuple[tuple[str, ...], ...]:
    """The commands of a moment."""
    match moment:
        case Moment.PRE_START:
            return hooks.pre_start
        case Moment.POST_STOP:
            return hooks.post_stop
        case _:
            return hooks.on_failure


def after_end(hooks: HooksSpec, number: int, failed: bool) -> Hooking | None:
    """What is due when nothing of a run is left; None: nothing."""
    if hooks.post_stop:
        return Hooking(Moment.POST_STOP, number, failed=failed)
    if failed and hooks.on_failure:
        return Hooking(Moment.ON_FAILURE, number, failed=True)
    return None


def due(hooks: HooksSpec, hooking: Hooking) -> tuple[Moment, int] | None:
    """The next command after an end: its moment and its place. None: nothing is due, or not yet."""
    if hooking.under_way or hooking.over or hooking.moment is Moment.PRE_START:
        return None
    if hooking.begun < len(commands(hooks, hooking.moment)):
        return hooking.moment, hooking.begun
    if hooking.moment is Moment.POST_STOP and hooking.failed and hooks.on_failure:
        return Moment.ON_FAILURE, 0
    return None


def is_active(hooking: Hooking, hooks: HooksSpec) -> bool:
    """Whether a command runs, or is due after an end."""
    return hooking.under_way or due(hooks, hooking) is not None


def begun_before(hooking: Hooking | None, number: int) -> int:
    """How many commands before the start of that run were begun."""
    if hooking is None or hooking.moment is not Moment.PRE_START or hooking.number != number:
        return 0
    return hooking.begun


def ended(hooks: HooksSpec, hooking: Hooking, error: str, *, given_up: bool = False) -> Hooking:
    """The command that was under way has ended."""
    after = replace(hooking, under_way=False, since=None, error=error)
    over = given_up or (after.moment is not Moment.PRE_START and due(hooks, after) is None)
    return replace(after, over=over)
