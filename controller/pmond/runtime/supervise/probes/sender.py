"""In whose tree a process is that says something of itself."""

from __future__ import annotations

from pmond.runtime.processes.environment import parse_marker
from pmond.runtime.processes.identity import read_stat, real_uid
from pmond.runtime.processes.instances import Instances, Running
from pmond.runtime.processes.tree_claims import marker_of

_MOST_ANCESTORS = 64


class SenderLookup:
    """Finds instances by their processes."""

    def __init__(self, instances: Instances, state_uuid: str) -> None:
        self._instances = instances
        self._prefix = f"{state_uuid}:"

    def find(self, pid: int, uid: int) -> Running | None:
        """The instance of a process, by its ancestors or by a marker that its user may bear.

        A marker is a claim that anybody can make: it counts for whoever runs as the instance does.
        """
        return self._by_ancestors(pid) or self._by_marker(pid, uid)

    def _by_ancestors(self, pid: int) -> Running | None:
        for _ in range(_MOST_ANCESTORS):
            running = self._instances.of_pid(pid)
            if running is not None:
                return running
            stat = read_stat(pid)
            if stat is None or stat.parent <= 1:
                return None
            pid = stat.parent
        return None

    def _by_marker(self, pid: int, uid: int) -> Running | None:
        marker = marker_of(pid)
        parsed = parse_marker(marker) if marker.startswith(self._prefix) else None
        if parsed is None:
            return None
        running = self._instances.named(parsed[1], parsed[2])
        if running is None or running.marker != marker:
            running = self._instances.bearer(marker)
        return running if running is not None and real_uid(running.pid) == uid else None
