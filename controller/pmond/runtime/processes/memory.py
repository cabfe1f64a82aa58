"""Whether the kernel killed a process for want of memory.

Theory of operation: the kernel tells nobody whom it killed, but it counts: for pmond's own control group and
those below it in `memory.events`, where that controller is switched on, and for the whole machine in
/proc/vmstat. A SIGKILL that is not pmond's, after the counter went up, is put down to that. The
counter of the machine goes up for strangers too: so this is said as what happened, not as the cause.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

from msgspec.structs import replace

from pmond.core.model import ExitStatus
from pmond.runtime.processes.cgroup_root import own_group

_MACHINE = "/proc/vmstat"
_FIELD = b"oom_kill "
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

    def explained(self, status: ExitStatus) -> ExitStatus:
        """The status, marked when memory had run out. Each kill that was counted explains one end."""
        if status.signal != signal.SIGKILL:
            return status
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
        for line in os.pread(self._file, _SIZE, 0).splitlines():
            if line.startswith(_FIELD):
                return int(line[len(_FIELD) :])
        return 0
