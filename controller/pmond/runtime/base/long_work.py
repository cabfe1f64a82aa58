"""Work on thousands of values: in a thread, or a bit at a time, so that the loop goes on meanwhile.

A thread is for what depends on values alone. What looks at the state of the loop stays on the loop and
gives way in between; it sees each process as it is at its turn.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
from collections.abc import Callable, Iterable, Iterator, Sized
from typing import ParamSpec, TypeVar

from pmond.runtime.base import clock
from pmond.runtime.base.threads import ThreadShortage, shortage_told

_TURN_SECONDS = 0.002
"""After this the loop goes on with something else first. To answer a request takes some turns."""
MANY = 256
"""Items from which on to handle them takes milliseconds: they get turns of their own, or a thread."""
_FREED_AT_ONCE = 50

Item = TypeVar("Item")
Given = ParamSpec("Given")
Found = TypeVar("Found")


async def cooperative_map(items: Iterable[Item], work: Callable[[Item], Found]) -> list[Found]:
    """What `work` answers for each of the items."""
    found = []
    if isinstance(items, Sized) and len(items) >= MANY:
        await asyncio.sleep(0)  # to put so many together has taken its time
    until = clock.now() + _TURN_SECONDS
    for item in items:
        found.append(work(item))
        if clock.now() >= until:
            await asyncio.sleep(0)
            until = clock.now() + _TURN_SECONDS
    return found


def drained(values: list[Item]) -> Iterator[Item]:
    """One after the other, each let go at its turn: to free thousands at once takes a turn of its own."""
    values.reverse()
    while values:
        yield values.pop()


def release(*many: Iterable[object]) -> None:
    """Free these values a bit at a time, once whoever works with them has returned."""
    asyncio.get_running_loop().call_soon(_free, [value for values in many for value in values])


def _free(values: list[object]) -> None:
    until = clock.now() + _TURN_SECONDS
    while values and clock.now() < until:
        del values[-_FREED_AT_ONCE:]
    if values:
        asyncio.get_running_loop().call_soon(_free, values)
    else:
        _trim()


def _trim() -> None:
    """Give back what the C library keeps of freed memory: some tens of MB after a large manifest."""
    # Not every C library has it; in that of GNU it takes a millisecond or two.
    getattr(ctypes.CDLL(None), "malloc_trim", lambda kept: 0)(0)


async def in_thread(work: Callable[Given, Found], *args: Given.args, **kwargs: Given.kwargs) -> Found:
    """What `work` answers. It must touch nothing that the loop changes. Raises ThreadShortage."""
    loop = asyncio.get_running_loop()
    with shortage_told():
        begun = loop.run_in_executor(None, lambda: _spared(lambda: work(*args, **kwargs)))
    return await begun


async def in_thread_or_here(work: Callable[Given, Found], *args: Given.args, **kwargs: Given.kwargs) -> Found:
    """The same for a look at things, which is had in any case: without a thread the loop waits for it."""
    try:
        return await in_thread(work, *args, **kwargs)
    except ThreadShortage:
        return work(*args, **kwargs)


def _spared(work: Callable[[], Found]) -> Found:
    """Without the cyclic collector: it holds all threads while it visits the thousands of new values.

    What is left of them afterwards counts as old, or the first collection would visit all of it at once.
    """
    if not gc.isenabled():  # another thread is at work like this
        return work()
    gc.collect(0)  # garbage must not count as old
    gc.disable()
    try:
        return work()
    finally:
        if gc.get_count()[0] > gc.get_threshold()[0]:
            gc.freeze()
        gc.enable()
