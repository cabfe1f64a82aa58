"""Whether the kernel killed a process for want of memory.

Theory of operation: the kernel tells nobody whom it killed, but it counts: in `memory.events` of a control
group for that and those below it, where the controller is switched on, and for the whole machine in
/proc/vmstat. Where the group of an instance has a counter, that alone is asked. Elsewhere a SIGKILL that is
not pmond's, after the counter of pmond's own group or of the machine went up, is put down to that. These go
up for strangers too: so this is said as what happened, not as the cause.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

from msgspec.structs import replace

from pmond.core.model import ExitStatus
from pmond.runtime.processes.cgroup_root import own_group
from pmond.runtime.processes.identity import read_whole

_MACHINE = "/proc/vmstat"
_FIELD = b"\noom_kill "
_SIZE = 65536
"""Bytes; /proc/vmstat has some 4,000."""


class MemoryKills:
    """Tells ends by SIGKILL for want of memory from others."""

    def __init__(self, file: str = "") -> None:
        """`file`: where the counter is; found by itself unless given."""
        group = f"{own_group()}/memory.events"
        try:
            # Held open: a look costs 10 µs and stands between an end and the start that follows.
            self._file: int | None = os.open(
                file or (group if Path(group).exists() else _MACHINE), os.O_RDONLY
            )
        except OSError:
            self._file = None
        self._seen = self._count()
        self._unexplained = 0
        self.told: dict[str, int] = {}
        """Kills in groups of instances that were told already, because the main program outlived them."""

    def explained(self, status: ExitStatus, group: str = "") -> ExitStatus:
        """The status, marked when memory had run out. Each kill that was counted explains one end.

        `group`: of the instance. Where that has a counter of its own nothing else is asked.
        """
        if status.signal != signal.SIGKILL:
            return status
        own = kills_in(group)
        if own is not None:
            return replace(status, out_of_memory=True) if own > self.told.pop(group, 0) else status
        count = self._count()
        self._unexplained += count - self._seen
        self._seen = count
        if self._unexplained <= 0:
            return status
        self._unexplained -= 1
        return replace(status, out_of_memory=True)

    def look_again(self) -> None:
        """What was counted so far explains no end to come."""
        self._seen, self._unexplained = self._count(), 0

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _count(self) -> int:
        if self._file is None:
            return 0
        return _kills(os.pread(self._file, _SIZE, 0))


def kills_in(group: str) -> int | None:
    """How many members of a group the kernel killed for want of memory; None where it does not count them."""
    try:
        return _kills(read_whole(f"{group}/memory.events")) if group else None
    except OSError:
        return None


def _kills(content: bytes) -> int:
    # Searched for, not split: /proc/vmstat has 200 lines, and each kill of a process waits for this.
    _, found, after = (b"\n" + content).partition(_FIELD)
    return int(after.partition(b"\n")[0]) if found else 0
