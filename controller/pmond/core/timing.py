"""Schedules as arithmetic: which run is due, which was dealt with, and why one is wanted now.

Theory of operation: the time of day is no matter of the core. What a schedule means by the calendar is worked
out by the shell, when asked (`actions.PlanRun`), and comes as a fact: the next time, as wall-clock time, by
which it is known for good, and in the loop's time, by which it is waited for. A time that was dealt with, by
a run or by leaving it out, is `last`; what is asked for is always the first one after it. So none is dealt
with twice, whatever clocks do; and what lies before the present when it is worked out was missed.

A run is wanted when its time has come, when one was put aside (`queued`), or when somebody asks for one,
which is seen by the token.
"""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from pmon3_schema.schedule import ScheduleSpec

CATCH_UP, AT_START, QUEUED = "catch_up", "at_start", "queue"
"""Why a run is wanted apart from its time; what `runs` shows as who asked for it."""
SCHEDULE, ASKED = "schedule", "asked"


class Timing(Struct, frozen=True):
    """What is known of the schedule of one process."""

    key: str = ""
    """Of the schedule that the times belong to."""
    token: int = 0
    """The last one that was served; another one is a run that somebody asks for."""
    last: float | None = None
    """The latest time that was dealt with, or the moment from which on times count; wall clock."""
    last_at: float | None = None
    """The same in the loop's time; None: it was in another boot."""
    due: float | None = None
    """The next time, wall clock; None: there is none, or it is not known."""
    due_at: float | None = None
    """The same in the loop's time."""
    start_at: float | None = None
    """When it is to be started: `due_at`, and what the jitter adds."""
    queued: str = ""
    """Why a run is wanted as soon as one can be made; empty: none is."""
    booted: bool = False
    """Its first run of this boot was asked for, if it is to have one."""
    stale: bool = True
    """The next time is to be worked out."""


def is_known(timing: Timing | None, schedule: ScheduleSpec) -> bool:
    """Whether the next time is known, for the schedule as it is now."""
    return timing is not None and not timing.stale and timing.key == schedule.key


def why_now(timing: Timing, token: int, now: float) -> str:
    """Why a run is wanted now: who or what asks for it; empty: it is not."""
    if token != timing.token:
        return ASKED
    if timing.queued:
        return timing.queued
    return SCHEDULE if is_due(timing, now) else ""


def is_due(timing: Timing, now: float) -> bool:
    """Whether its next time has come."""
    return timing.start_at is not None and now >= timing.start_at


def planned(timing: Timing, schedule: ScheduleSpec, *, missed: bool, overlapped: bool) -> Timing:
    """With the next time known: one that was missed may be made up for, one that was overtaken may follow."""
    queued = timing.queued
    if missed and schedule.catch_up == "one":
        queued = queued or CATCH_UP
    if overlapped and schedule.overlap == "queue":
        queued = queued or QUEUED
    if schedule.at_start and not timing.booted:
        queued = queued or AT_START
    return replace(timing, queued=queued, booted=True, stale=False)


def served(timing: Timing | None, token: int, now: float) -> Timing | None:
    """A run was begun: what asked for it is dealt with."""
    if timing is None:
        return None
    by_hand, due = token != timing.token, is_due(timing, now)
    after = replace(timing, token=token, queued=timing.queued if by_hand else "")
    return passed(after) if due else after


def passed(timing: Timing) -> Timing:
    """The present time was dealt with."""
    return replace(
        timing, last=timing.due, last_at=timing.due_at, due=None, due_at=None, start_at=None, stale=True
    )


def dropped(timing: Timing) -> Timing:
    """It is not wanted any more: whatever comes meanwhile is not missed. What was served, was."""
    return Timing(token=timing.token, booted=timing.booted)
