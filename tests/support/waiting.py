"""Bounded waits that say what they wait for: the only place in the tests that sleeps."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

Answer = TypeVar("Answer")
_PAUSE = 0.002


def until(condition: Callable[[], Answer], why: str, timeout: float = 5.0) -> Answer:
    """Wait until `condition` is true and answer what it said; AssertionError after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while not (answer := condition()):
        assert time.monotonic() < deadline, f"waited {timeout:g} s in vain: {why}"
        time.sleep(_PAUSE)
    return answer


async def eventually(condition: Callable[[], Answer], why: str, timeout: float = 5.0) -> Answer:
    """The same inside an event loop, which goes on meanwhile."""
    deadline = time.monotonic() + timeout
    while not (answer := condition()):
        assert time.monotonic() < deadline, f"waited {timeout:g} s in vain: {why}"
        await asyncio.sleep(_PAUSE)
    return answer
