"""The two clocks."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime

from pmond.runtime.base import clock


def test_now_is_the_monotonic_clock_of_this_boot() -> None:
    assert clock.now() <= time.clock_gettime(time.CLOCK_MONOTONIC) <= clock.now()


def test_wall_is_utc_with_milliseconds() -> None:
    text = clock.wall()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", text)
    assert abs((datetime.now(UTC) - datetime.fromisoformat(text)).total_seconds()) < 60
