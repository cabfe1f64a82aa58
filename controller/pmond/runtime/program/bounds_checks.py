"""What this host offers to keep programs within bounds, found out without making anything."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from msgspec import Struct

from pmon3_schema.capability_names import NUMBERS
from pmon3_schema.kernel_calls import Kernel
from pmon3_schema.sandbox_setup import ENOUGH_LANDLOCK

_SWITCHES = {
    "user.max_user_namespaces": "0",
    "kernel.unprivileged_userns_clone": "0",
    "kernel.apparmor_restrict_unprivileged_userns": "1",
}
"""Settings of the kernel, and the values by which ordinary users have no user namespaces."""


class HostOffer(Struct, frozen=True):
    """What of the machine decides it."""

    uid: int
    capabilities: int
    """Those that pmond has in effect, as bits."""
    setting: Callable[[str], str]
    """A setting of the kernel by its name; empty where it has none."""


def this_host() -> HostOffer:
    """The machine as pmond finds it."""
    return HostOffer(os.geteuid(), _in_effect(), _setting)


def sandbox_mechanisms(host: HostOffer) -> tuple[str, str]:
    """What sandboxes are made of here, and what is missing for them; empty when nothing is."""
    missing = list(_missing(Kernel(), host))
    if missing:
        return "no namespaces", "; ".join(missing) + ": a process with such a sandbox is not started"
    return "namespaces" if host.uid == 0 else "user namespaces", ""


def _missing(kernel: Kernel, host: HostOffer) -> Iterator[str]:
    for kind in ("mnt", "net") if host.uid == 0 else ("mnt", "net", "user"):
        if not Path(f"/proc/self/ns/{kind}").exists():
            yield f"this kernel has no namespaces of the kind {kind}"
    if host.uid == 0:
        if not host.capabilities >> NUMBERS["CAP_SYS_ADMIN"] & 1:
            yield "pmond lacks CAP_SYS_ADMIN"
        if kernel.landlock_version() < ENOUGH_LANDLOCK:
            yield "no Landlock of Linux 5.19"
    else:
        for name, value in _SWITCHES.items():
            if host.setting(name) == value:
                yield f"{name} is {value}"
    if not kernel.restricts_mounts():
        yield "no mount_setattr (before Linux 5.12)"


def _in_effect() -> int:
    for line in Path("/proc/self/status").read_text("ascii").splitlines():
        if line.startswith("CapEff:"):
            return int(line.split()[1], 16)
    return 0


def _setting(name: str) -> str:
    try:
        return Path("/proc/sys", *name.split(".")).read_text("ascii").strip()
    except OSError:
        return ""
