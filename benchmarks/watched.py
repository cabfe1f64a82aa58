"""pmond with a watch on its event loop: `python benchmarks/watched.py`, with pmond's own arguments.

Every callback of the loop that takes a millisecond or more becomes a line in the file that
`PMON3_BENCH_TURNS` names: when it ended (CLOCK_MONOTONIC), for how long the loop was busy with it,
how much of that was processor time of its thread (the rest it waited: for the interpreter, the disk,
other programs), and what it was.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

VARIABLE = "PMON3_BENCH_TURNS"
_SHORT = 0.001


def watch(file: Path) -> None:
    """Time each callback of every event loop of this program from now on."""
    lines = file.open("a", buffering=1)
    run: Callable[[asyncio.Handle], None] = asyncio.Handle._run

    def timed(handle: asyncio.Handle) -> None:
        began, used = time.monotonic(), time.thread_time()
        run(handle)
        ended = time.monotonic()
        if ended - began >= _SHORT:
            took = {"ended": ended, "seconds": ended - began, "cpu": time.thread_time() - used}
            lines.write(json.dumps({**took, "callback": _name(handle)}) + "\n")

    asyncio.Handle._run = timed  # type: ignore[method-assign, assignment]


def _name(handle: asyncio.Handle) -> str:
    """What was called, without its values: those of a large manifest take a second to write."""
    callback: Any = handle._callback  # type: ignore[attr-defined]
    task = getattr(callback, "__self__", None)
    called = task.get_coro() if isinstance(task, asyncio.Task) else callback
    return str(getattr(called, "__qualname__", type(called).__name__))


if __name__ == "__main__":
    from pmond.main import main

    watch(Path(os.environ[VARIABLE]))
    sys.exit(main())
