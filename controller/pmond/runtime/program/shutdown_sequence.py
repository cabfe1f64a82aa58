"""How pmond ends: with its processes, or leaving them to the next one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from msgspec.structs import replace

from pmon3_schema.process import ProcessSpec
from pmon3_schema.process_parts import HooksSpec
from pmond.core.hooking import is_active
from pmond.core.model import NOTHING_SEEN
from pmond.runtime.base.clock import Clock
from pmond.runtime.base.journal import Journal
from pmond.runtime.intent.registry import Registry
from pmond.runtime.program.notify import ServiceNotifier
from pmond.runtime.supervise.bus import Bus
from pmond.runtime.supervise.loop import Loop

_MARGIN = 10.0
"""Seconds beyond the longest grace until pmond ends although something does not die."""

_UNTRUSTED_GRACE = 30.0
"""Seconds that processes of others than pmond's owner get at its end, all together."""


class ShutdownSequence:
    """Ends pmond once; `over` says when it has nothing more to do."""

    def __init__(
        self,
        loop: Loop,
        registry: Registry,
        bus: Bus,
        clock: Clock,
        journal: Journal,
        notifier: ServiceNotifier,
        clear_orphans: Callable[[], Awaitable[None]],
    ) -> None:
        self._loop = loop
        self._registry = registry
        self._bus = bus
        self._clock = clock
        self._journal = journal
        self._notifier = notifier
        self._clear_orphans = clear_orphans
        self.over = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def begun(self) -> bool:
        return self._task is not None

    def begin(self, stop_processes: bool) -> None:
        """Begin to end; asked again, do not wait for anything."""
        if self.begun:
            self.over.set()
            return
        self._loop.resume()
        self._journal.event("daemon.ending", stop_processes=stop_processes)
        self._notifier.stopping("stopping processes" if stop_processes else "leaving processes running")
        self._task = asyncio.get_running_loop().create_task(self._end(stop_processes))

    async def _end(self, stop_processes: bool) -> None:
        try:
            if stop_processes:
                await self._stop_all()
        except Exception as error:  # it ends all the same
            self._journal.error("daemon.end_failed", error)
        self.over.set()

    async def _stop_all(self) -> None:
        now = self._clock.now()
        self._loop.desired = replace(self._loop.desired, ending=True, untrusted_until=now + _UNTRUSTED_GRACE)
        graces = [
            _longest(one.spec) if one.trusted else min(_longest(one.spec), _UNTRUSTED_GRACE)
            for one in self._registry.processes.values()
        ]
        deadline = now + max(graces, default=0.0) * 2 + _MARGIN
        self._loop.touch(self._registry.processes)
        while left := {name for name in self._loop.observed if self._runs(name)}:
            await self._ends(left, deadline)
            if left:
                self._journal.error("daemon.left_running", names=sorted(left))
                return
        await self._clear_orphans()

    async def _ends(self, left: set[str], deadline: float) -> None:
        """Take out of `left` what ends, until all has or it is too late."""
        with self._bus.watch(frozenset(left)) as changes:
            while left and (seconds := deadline - self._clock.now()) > 0:
                # Only what changed: to look at all of a thousand at each end would take seconds.
                left -= {name for name in await changes.wait(seconds) if not self._runs(name)}

    def _runs(self, name: str) -> bool:
        """It, or a hook that follows its end."""
        seen = self._loop.observed.get(name, NOTHING_SEEN)
        hooking = seen.history.hooking
        return seen.instance is not None or (hooking is not None and is_active(hooking, self._hooks_of(name)))

    def _hooks_of(self, name: str) -> HooksSpec:
        one = self._registry.processes.get(name)
        return one.spec.hooks if one is not None else HooksSpec()


def _longest(spec: ProcessSpec) -> float:
    """How long its end may take, with the hooks that follow it."""
    hooks = spec.hooks
    return spec.stop.timeout + hooks.timeout * (len(hooks.post_stop) + len(hooks.on_failure))
