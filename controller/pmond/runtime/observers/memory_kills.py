"""Tells of processes that the kernel killed for want of memory while the main program lived on.

Theory of operation: the end of a main program is explained when it comes (`processes.memory`). A child may be
killed and nobody notice, or the program start another in its place. The group of an instance with a limit of
memory counts that, so it is looked at whenever everything is, and before the end of the program is explained.
"""

from __future__ import annotations

from collections.abc import Callable

from pmond.runtime.processes.instances import Instances
from pmond.runtime.processes.memory import MemoryKills, kills_in

Announce = Callable[[str, str, str], None]


class ToldMemoryKills:
    """Looks at the counters of groups with a limit of memory."""

    def __init__(self, instances: Instances, kills: MemoryKills, announce: Announce) -> None:
        self._instances = instances
        self._kills = kills
        self._announce = announce

    def look_again(self) -> None:
        """Tell what was not told yet."""
        for running in self._instances:
            limits = running.resources
            if running.ended or limits is None or limits.memory_max is None:
                continue
            count = kills_in(running.group) or 0
            fresh = count - self._kills.told.get(running.group, 0)
            if fresh > 0:
                self._kills.told[running.group] = count
                what = "a process" if fresh == 1 else f"{fresh} processes"
                text = f"the kernel killed {what} of it above memory_max; its main program runs on"
                self._announce("KilledForMemory", text, running.name)
