"""From time to time a look at everything, in case something was not told.

The time between two looks grows with the number of processes, so that looking costs an idle daemon
next to nothing. It is also when the garbage of all generations is collected: that takes 100 ms at
10,000 processes, and must not come in the middle of a turn.
"""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import Callable

_SECONDS = 30.0
_SECONDS_PER_PROCESS = 0.03
_COLLECT_AFTER = 5_000
"""New objects between two collections of the youngest; Python's 700 is made for short programs."""
_NEVER = 1_000_000
_SWITCH_SECONDS = 0.0005


def tune_interpreter() -> None:
    """Have neither the collector nor a thread that reads a manifest hold up the loop."""
    gc.freeze()  # what a start leaves is hardly ever garbage
    gc.set_threshold(_COLLECT_AFTER, 10, _NEVER)
    gc.enable()
    # The loop gets the interpreter back from a busy thread in half a millisecond.
    sys.setswitchinterval(_SWITCH_SECONDS)


class Resync:
    """Calls `look` until it is told to stop; `size` says how many processes there are."""

    def __init__(self, look: Callable[[], None], size: Callable[[], int]) -> None:
        self._look = look
        self._size = size
        self._next: asyncio.TimerHandle | None = None

    def start(self) -> None:
        seconds = max(_SECONDS, self._size() * _SECONDS_PER_PROCESS)
        self._next = asyncio.get_running_loop().call_later(seconds, self._resync)

    def stop(self) -> None:
        if self._next is not None:
            self._next.cancel()

    def _resync(self) -> None:
        self.start()
        self._look()
        _collect()


def _collect() -> None:
    gc.collect()
    gc.freeze()  # what is here now stays: the collector need not look at it again
