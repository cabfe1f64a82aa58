"""The two clocks of the daemon, and what each is for.

`now` decides: every deadline, delay and age is arithmetic on it, so that setting the system
clock neither fires a timer early nor holds one back. It counts from boot, stands still while
the machine is suspended, and is the same for all processes of one boot: a stored value means
something only together with the boot id it was read under.

`wall` tells: it is what people read in tables, events and logs, and nothing is computed from it.

This module is itself a `Clock`; tests pass another.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Something that tells both times."""

    def now(self) -> float: ...

    def wall(self) -> str: ...


def now() -> float:
    """Seconds since boot, suspension left out (CLOCK_MONOTONIC)."""
    return time.monotonic()


def wall() -> str:
    """The time of day in UTC, ISO 8601 with milliseconds: ``2026-01-31T23:59:59.999Z``."""
    return _text(datetime.now(UTC))


def wall_seconds() -> float:
    """The time of day in seconds of the epoch: for what is meant by the calendar, and for nothing else."""
    return time.time()


def wall_of(seconds: float) -> str:
    """A moment of the epoch, as `wall` writes it; beyond the calendar its bounds."""
    return wall_after(seconds - time.time())


def wall_after(seconds: float) -> str:
    """The time of day so many seconds from now, as `wall` writes it; beyond the calendar its bounds."""
    try:
        return _text(datetime.now(UTC) + timedelta(seconds=seconds))
    except (OverflowError, ValueError):  # ValueError: no number
        return _text((datetime.min if seconds < 0 else datetime.max).replace(tzinfo=UTC))


def wall_at(seconds: float) -> str:
    """The time of day so many seconds after the beginning of 1970, as `wall` writes it."""
    try:
        return _text(datetime.fromtimestamp(seconds, UTC))
    except (OverflowError, ValueError, OSError):
        return _text(datetime.min.replace(tzinfo=UTC))


def _text(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
