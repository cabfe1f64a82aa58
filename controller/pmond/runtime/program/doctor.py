"""Which mechanisms this host offers, which are in use, and what their absence means.

Theory of operation: each check tries the thing itself, on a process or a file of its own, because
versions and documents do not tell what a sandbox or a file system allows. Nothing is changed.
"""

from __future__ import annotations

import os
import resource
import tempfile
from collections.abc import Callable, Iterator, Mapping
from typing import Final, Literal

from msgspec import Struct

from pmon3_schema.answers import Check
from pmon3_schema.group_limits import ALL
from pmond.runtime.files import inotify
from pmond.runtime.files.hole_punching import mechanism
from pmond.runtime.processes import compiled_launcher
from pmond.runtime.processes.adopted_exits import tells_exits
from pmond.runtime.processes.identity import open_pidfd, pidfd_inode
from pmond.runtime.program.bounds_checks import sandbox_mechanisms, this_host

OK: Final = "ok"
LIMITED: Final = "limited"
FAILED: Final = "failed"
_FEW_DESCRIPTORS = 0.8
"""Share of the limit of open files beyond which it is time to raise it."""


class HostCheck(Struct, frozen=True):
    """One line: what it is about, how it stands, what is in use, and what follows from that."""

    name: str
    status: Literal["ok", "limited", "failed"]
    in_use: str
    message: str = ""

    @property
    def published(self) -> Check:
        """The same as callers see it."""
        return {"name": self.name, "status": self.status, "in_use": self.in_use, "message": self.message}


class Surroundings(Struct, frozen=True):
    """What only the daemon knows of itself."""

    state_dir: str
    log_dir: str
    rotated: frozenset[str]
    """Folders with logs that are to be rotated."""
    degraded: str | None
    subreaper: bool
    exit_status_holder: str
    """Why no keeper holds exit statuses across the end of pmond; empty when one does."""
    trees: str
    """Why trees are not ended by control groups; empty when they are."""
    processes: int
    no_controllers: Mapping[str, str] = {}
    """Those that control groups lack, and why."""


def examine(around: Surroundings) -> list[Check]:
    """All checks, as they are answered to callers."""
    return [
        check.published
        for check in (
            _state(around),
            _exits(),
            _statuses(),
            _exit_status_holder(around),
            _trees(around),
            *_rotation(around),
            _watching(),
            _descriptors(around),
            _privileges(),
            _launcher(),
            _resources(around.no_controllers),
            _sandbox(),
        )
    ]


def _state(around: Surroundings) -> HostCheck:
    if around.degraded is not None:
        return HostCheck("state", FAILED, "memory", f"{around.degraded}; it is kept in memory until then")
    return HostCheck("state", OK, around.state_dir)


def _exits() -> HostCheck:
    if _works(lambda: open_pidfd(os.getppid() if os.getppid() > 1 else os.getpid())):
        inode = bool(pidfd_inode(os.getpid()))
        return HostCheck(
            "adopted exits", OK, "pidfd", "" if inode else "identity by start time (before Linux 6.9)"
        )
    return HostCheck(
        "adopted exits",
        LIMITED,
        "looking every second",
        "no pidfds: the end of an adopted process is seen late",
    )


def _statuses() -> HostCheck:
    if tells_exits():
        return HostCheck("adopted exit codes", OK, "PIDFD_GET_INFO")
    message = "before Linux 6.15: the code is unknown when the parent reaps first"
    return HostCheck("adopted exit codes", LIMITED, "zombie status", message)


def _exit_status_holder(around: Surroundings) -> HostCheck:
    if not around.exit_status_holder:
        return HostCheck("exits without pmond", OK, "keeper")
    return HostCheck(
        "exits without pmond", LIMITED, "none", f"{around.exit_status_holder}: such an exit code is unknown"
    )


def _trees(around: Surroundings) -> HostCheck:
    if not around.trees:
        others = "subreaper, sessions and markers" if around.subreaper else "sessions and markers"
        return HostCheck(
            "process trees", OK, "control groups", f"and {others} for what forked before it joined"
        )
    if around.subreaper:
        return HostCheck("process trees", OK, "subreaper", around.trees)
    message = f"{around.trees}; no subreaper: orphans that clear their environment escape"
    return HostCheck("process trees", LIMITED, "sessions and markers", message)


def _rotation(around: Surroundings) -> Iterator[HostCheck]:
    """One for the folder of logs, and one for each other file system with logs to rotate."""
    seen = set()
    for folder in (around.log_dir, *sorted(around.rotated)):
        if (device := _device(folder)) not in seen:
            seen.add(device)
            yield _rotation_in(folder, "" if folder == around.log_dir else f" in {folder}")


def _rotation_in(folder: str, where: str) -> HostCheck:
    name = f"log rotation{where}"
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".doctor-") as file:
            found = mechanism(file.fileno())
    except OSError as error:
        return HostCheck(name, FAILED, "none", f"cannot write to {folder}: {error.strerror}")
    if found == "none":
        message = "this file system cannot make holes: log_rotate does nothing there, use logrotate"
        return HostCheck(name, LIMITED, found, message)
    message = "" if found == "collapse range" else "a rotated log begins with a hole, which takes no room"
    return HostCheck(name, OK, found, message)


def _device(folder: str) -> int:
    try:
        return os.stat(folder).st_dev  # noqa: PTH116
    except OSError:
        return -1


def _watching() -> HostCheck:
    try:
        inotify.Inotify().close()
    except OSError as error:
        return HostCheck("file watching", LIMITED, "polling", f"no inotify ({error.strerror})")
    return HostCheck("file watching", OK, "inotify")


def _descriptors(around: Surroundings) -> HostCheck:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    used = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    if used > soft * _FEW_DESCRIPTORS:
        return HostCheck("open files", LIMITED, f"{used} of {soft}", "raise LimitNOFILE, or ulimit -n")
    return HostCheck("open files", OK, f"{used} of {soft}", f"hard limit {hard}")


def _privileges() -> HostCheck:
    if os.geteuid() == 0:
        return HostCheck("privileges", OK, "root", "processes may run as any user")
    return HostCheck("privileges", OK, f"user id {os.geteuid()}", "processes run as this user")


def _launcher() -> HostCheck:
    if compiled_launcher.program() is not None:
        return HostCheck("launcher", OK, "compiled")
    message = "a start with a user, limits, a umask or a priority takes longer (install pmon3 where cc is)"
    return HostCheck("launcher", LIMITED, "Python", message)


def _resources(missing: Mapping[str, str]) -> HostCheck:
    there = [name for name in ALL if name not in missing]
    by_reason: dict[str, list[str]] = {}
    for name, why in missing.items():
        by_reason.setdefault(why, []).append(name)
    whys = "; ".join(f"{', '.join(names)}: {why}" for why, names in by_reason.items())
    message = (
        f"{whys}. Limits by `resources` are not kept, see the condition ResourcesApplied" if whys else ""
    )
    return HostCheck("resources", LIMITED if missing else OK, ", ".join(there) or "none", message)


def _sandbox() -> HostCheck:
    in_use, missing = sandbox_mechanisms(this_host())
    return HostCheck("sandbox", LIMITED if missing else OK, in_use, missing)


def _works(probe: Callable[[], int | None]) -> bool:
    try:
        descriptor = probe()
    except OSError:
        return False
    if descriptor is not None:
        os.close(descriptor)
    return descriptor is not None
