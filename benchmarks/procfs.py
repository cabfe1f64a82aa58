"""What the kernel says about a set of processes. A process that ends meanwhile counts as nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from msgspec import Struct

_FIELD = re.compile(r"^(\w+):\s+(\d+)", re.MULTILINE)


class Activity(Struct, frozen=True):
    """Since the process started: nanoseconds on a processor, and times that it went to sleep by itself."""

    cpu: int = 0
    sleeps: int = 0


def activity(pid: int) -> Activity:
    """Of all threads. schedstat counts nanoseconds; the ticks of `stat` (10 ms) do not see an idle daemon."""
    cpu = sleeps = 0
    for task in Path(f"/proc/{pid}/task").glob("*"):
        try:
            cpu += int((task / "schedstat").read_text().split()[0])
            sleeps += _fields(task / "status")["voluntary_ctxt_switches"]
        except (FileNotFoundError, ProcessLookupError):
            continue
    return Activity(cpu, sleeps)


def memory(pids: Iterable[int]) -> tuple[int, int]:
    """PSS and RSS in bytes, each summed: PSS shares out common pages, RSS counts them once per process."""
    pss = rss = 0
    for pid in pids:
        try:
            fields = _fields(Path(f"/proc/{pid}/smaps_rollup"))
        except (FileNotFoundError, ProcessLookupError):
            continue
        pss += fields.get("Pss", 0) * 1024
        rss += fields.get("Rss", 0) * 1024
    return pss, rss


def _fields(path: Path) -> dict[str, int]:
    return {name: int(value) for name, value in _FIELD.findall(path.read_text())}
