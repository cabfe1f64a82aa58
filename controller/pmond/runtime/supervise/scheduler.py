"""Schedules: the next time of each, worked out from the calendar when the core asks, and told as a fact.

Theory of operation: the core waits in the loop's time, by its one timer, so a process that is scheduled costs
nothing between its runs. What a schedule means by the time of day is found here, from the last time that was
dealt with. What lies before the present was missed: nobody was there, or the clock was set forward over it.

The two clocks come apart when the time of day is set: every sweep looks. Then all times of the calendar
are worked out anew. A clock that was set back by some hours repeats no run; one that was set back by more was
wrong before, and times count from where it stands now.
"""

from __future__ import annotations

import math
from zlib import crc32

from msgspec.structs import replace

from pmon3_schema.schedule import ScheduleSpec
from pmond.core.actions import Action, DropTiming, PlanRun
from pmond.core.facts import ClockJumped, RunPlanned, TimingDropped
from pmond.core.model import NOTHING_SEEN
from pmond.core.timing import Timing
from pmond.runtime.base.clock import Clock, wall_seconds
from pmond.runtime.base.journal import Journal
from pmond.runtime.supervise.loop import Loop

_LATE = 1.0
"""Seconds after which a time that nobody has dealt with counts as missed."""
_JUMP = 1.0
"""Seconds by which the clocks may come apart without anybody having set one."""
_SET_BACK = 3 * 3600.0
"""Seconds: up to here, what ran already does not run again when the clock is set back."""


class Scheduler:
    """Carries out what the core asks about schedules."""

    def __init__(self, loop: Loop, clock: Clock, journal: Journal) -> None:
        self._loop = loop
        self._clock = clock
        self._journal = journal
        self._offset = wall_seconds() - clock.now()

    def perform(self, action: Action) -> bool:
        """Whether it was about a schedule."""
        match action:
            case PlanRun():
                self._plan(action)
            case DropTiming():
                self._loop.tell(TimingDropped(action.name))
            case _:
                return False
        return True

    def look_again(self) -> None:
        """See whether somebody has set the time of day."""
        offset = wall_seconds() - self._clock.now()
        apart = offset - self._offset
        self._offset = offset
        if abs(apart) < _JUMP:
            return
        self._journal.event("clock.set", seconds=round(apart, 3))
        for name, state in list(self._loop.observed.items()):
            if state.history.timing is not None:
                self._loop.tell(ClockJumped(name))

    def _plan(self, action: PlanRun) -> None:
        name = action.name
        schedule = self._loop.desired.wanted[name].spec.schedule
        known = self._loop.observed.get(name, NOTHING_SEEN).history.timing
        if known is None or known.key != schedule.key:
            known = Timing(key=schedule.key)
        wall, now = wall_seconds(), self._clock.now()
        self._loop.tell(work_out(name, schedule, known, wall, now, overlapped=action.overlapped))


def work_out(
    name: str, schedule: ScheduleSpec, known: Timing, wall: float, now: float, *, overlapped: bool = False
) -> RunPlanned:
    """The next time after what is known, at a moment by both clocks. Pure."""
    if overlapped:
        known = replace(known, last=known.due, last_at=known.due_at)
    plan = _interval if schedule.every else _calendar
    return plan(name, schedule, known, wall, now, overlapped=overlapped)


def _calendar(
    name: str, schedule: ScheduleSpec, known: Timing, wall: float, now: float, *, overlapped: bool
) -> RunPlanned:
    """The next time of a cron expression."""
    from pmon3_schema.cron import next_after  # only where there is a schedule

    last = known.last
    if last is None or last > wall + _SET_BACK:
        last = wall
    due, missed = next_after(schedule.cron, schedule.timezone, last), False
    if due is not None and due + spread(name, schedule, due) < wall - _LATE:
        missed, last = True, wall
        due = next_after(schedule.cron, schedule.timezone, wall)
    if due is None:
        return RunPlanned(name, schedule.key, last, None, None, None, None, missed, overlapped)
    at = now + (due - wall)
    start_at = at + spread(name, schedule, due)
    return RunPlanned(name, schedule.key, last, None, due, at, start_at, missed, overlapped)


def _interval(
    name: str, schedule: ScheduleSpec, known: Timing, wall: float, now: float, *, overlapped: bool
) -> RunPlanned:
    """The next time at an interval from the last: in the loop's time, which nobody sets."""
    every, last_at = schedule.every, known.last_at
    if known.last is None:
        last_at = now
    elif last_at is None:  # in an earlier boot: the time of day is all there is to go by
        last_at = now - max(0.0, wall - known.last)
    at, missed = last_at + every, False
    if at + spread(name, schedule, wall + (at - now)) < now - _LATE:
        missed = True
        last_at += math.floor((now - last_at) / every) * every
        at = last_at + every
    due = wall + (at - now)
    start_at = at + spread(name, schedule, round(due))
    last = wall + (last_at - now)
    return RunPlanned(name, schedule.key, last, last_at, due, at, start_at, missed, overlapped)


def spread(name: str, schedule: ScheduleSpec, due: float) -> float:
    """Seconds by which jitter puts a run off; of one time always the same."""
    if not schedule.jitter:
        return 0.0
    return schedule.jitter * crc32(f"{name} {due:.0f}".encode("utf-8", "replace")) / 2**32
