"""How a log grows, and when to look at it again: what rotation decides, from sizes and times alone.

Theory of operation: a log that is written to is looked at when it will have reached its size at the rate
it grew with last, though not sooner than after `SOONEST` and, as rates change, not later than after
`LATEST`. One that has not grown since the last look rests: it is looked at when it is written to again. A
log that is smaller than before was rotated, or emptied by somebody, which says nothing of who writes to
it: the rate that was known stays.
"""

from __future__ import annotations

from msgspec import Struct

SOONEST = 0.5
"""Seconds between two looks at a log that grows fast."""
LATEST = 5.0
"""Seconds between two looks at a log that grows at all: a slow writer may become a fast one."""


class Growth(Struct, frozen=True):
    """What a look has seen."""

    size: int
    at: float
    rate: float
    """Bytes per second that it grew with, when it was last seen to grow; 0: it was never."""


class LogLook(Struct, frozen=True):
    """What follows from a look."""

    growth: Growth
    is_full: bool
    """It is to be rotated."""
    again_in: float | None
    """Seconds until the next look; None: when it is written to."""


def look(before: Growth | None, size: int, now: float, full: int) -> LogLook:
    """What a log of this size means. `full`: the size at which it is to be rotated; 0: none is too large."""
    rate = _rate(before, size, now)
    growth = Growth(size, now, rate)
    if 0 < full <= size:
        return LogLook(growth, True, SOONEST)
    if not full or (before is not None and (size == before.size or not rate)):
        return LogLook(growth, False, None)
    if not rate:
        return LogLook(growth, False, 2 * SOONEST)  # seen for the first time
    return LogLook(growth, False, min(max(SOONEST, (full - size) / rate), LATEST))


def woken(resting: Growth, now: float) -> Growth:
    """It is written to from now on; until then its size has stayed the same."""
    return Growth(resting.size, now, 0.0)


def _rate(before: Growth | None, size: int, now: float) -> float:
    if before is None:
        return 0.0
    if size < before.size or now <= before.at:
        return before.rate
    return (size - before.size) / (now - before.at)
