"""Measures the trees of processes that are to be replaced above some memory, and tells the loop.

Theory of operation: the kernel tells nobody that a tree has grown, so it is looked at, and only while a
process runs that asks for it: one pass over the process table for all of them. What is above a limit is told,
as often as it is seen; whether that means anything is decided by the core.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from pmond.core.events import ProcessEvent
from pmond.core.facts import MemoryHeld
from pmond.core.model import State
from pmond.runtime.base.clock import Clock
from pmond.runtime.base.long_work import in_thread_or_here
from pmond.runtime.intent.registry import Registry
from pmond.runtime.processes.identity import Identity
from pmond.runtime.processes.instances import Instances
from pmond.runtime.processes.usage import UsageSampler
from pmond.runtime.supervise.loop import Loop

BETWEEN = 2.0
"""Seconds between two looks."""


class MemoryLimits:
    """Looks while there is something to look at."""

    def __init__(self, registry: Registry, loop: Loop, instances: Instances, clock: Clock) -> None:
        self._registry = registry
        self._loop = loop
        self._instances = instances
        self._clock = clock
        self._sampler = UsageSampler()
        self._asking: set[str] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._looks: set[asyncio.Task[None]] = set()

    def turn_ended(self, before: Mapping[str, State], happened: Sequence[ProcessEvent]) -> None:
        """What the turn has changed may ask for it now, or may have been started."""
        for name in before:
            one = self._registry.processes.get(name)
            asks = one is not None and one.spec.restart.above_memory and self._instances.get(name) is not None
            (self._asking.add if asks else self._asking.discard)(name)
        self._set_timer()

    def close(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()
        for look in self._looks:
            look.cancel()

    def _set_timer(self) -> None:
        if self._asking and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(BETWEEN, self._begin)

    def _begin(self) -> None:
        look = asyncio.get_running_loop().create_task(self._look())
        self._looks.add(look)
        look.add_done_callback(self._looks.discard)

    async def _look(self) -> None:
        try:
            roots = self._roots()
            identities = {name: identity for name, (_, identity) in roots.items()}
            found = await in_thread_or_here(self._sampler.sample, identities, self._clock.now())
            for name, usage in found.items():
                one = self._registry.processes.get(name)
                if one is not None and usage.memory_bytes > one.spec.restart.above_memory > 0:
                    self._loop.tell(MemoryHeld(name, roots[name][0], usage.memory_bytes))
        finally:
            self._timer = None
            self._set_timer()

    def _roots(self) -> dict[str, tuple[int, Identity]]:
        found = {}
        for name in self._asking:
            running = self._instances.get(name)
            if running is not None and not running.ended:
                found[name] = running.number, running.identity
        return found
