"""Limits of control groups of what runs already: changed in place, also of what an earlier pmond has started.

Theory of operation: an instance remembers the limits that its group was given last; when others are declared
they are written to its group. A thread does that, one group at a time: below a lower limit the kernel may
look for memory to take back before it answers. What cannot be kept is a condition of the process.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence

from pmond.core.events import ProcessEvent
from pmond.core.model import State
from pmond.runtime.base.long_work import in_thread_or_here
from pmond.runtime.intent.registry import Registry
from pmond.runtime.processes.cgroups import Cgroups
from pmond.runtime.processes.instances import Instances

Announce = Callable[[str, str, str], None]


class ResourceLimits:
    """Keeps the groups of what runs as declared."""

    def __init__(
        self, registry: Registry, instances: Instances, cgroups: Cgroups, announce: Announce
    ) -> None:
        self._registry = registry
        self._instances = instances
        self._cgroups = cgroups
        self._announce = announce
        self._found_limited = cgroups.controllers.in_use()
        """Groups of an earlier pmond may have limits that nobody declares any more."""
        self._due: dict[str, None] = {}
        self._work: asyncio.Task[None] | None = None

    def turn_ended(self, before: Mapping[str, State], happened: Sequence[ProcessEvent]) -> None:
        """Set what is not as declared, of what the turn has changed."""
        self.keep(before)

    def keep(self, names: Iterable[str]) -> None:
        """Set what is not as declared."""
        self._due |= dict.fromkeys(name for name in names if self._differs(name))
        if self._due and self._work is None:
            self._work = asyncio.get_running_loop().create_task(self._set_all())

    def close(self) -> None:
        """Set no more."""
        if self._work is not None:
            self._work.cancel()

    def _differs(self, name: str) -> bool:
        running, one = self._instances.get(name), self._registry.processes.get(name)
        if running is None or running.ended or one is None:
            return False
        wanted = one.spec.resources
        if running.resources is None and not wanted.wanted:
            return self._found_limited and bool(running.group)
        return running.resources != wanted

    async def _set_all(self) -> None:
        try:
            while self._due:
                name = next(iter(self._due))
                del self._due[name]
                await self._set(name)
        finally:
            self._work = None

    async def _set(self, name: str) -> None:
        running, one = self._instances.get(name), self._registry.processes.get(name)
        if running is None or one is None or not self._differs(name):
            return
        before, wanted = running.resources, one.spec.resources
        running.resources = wanted
        problem = await in_thread_or_here(self._cgroups.limit, running.group, wanted, before)
        running.unbounded = problem if wanted.wanted else ""
        if running.unbounded:
            self._announce("ResourcesNotApplied", f"not all of its limits are kept: {problem}", running.name)
