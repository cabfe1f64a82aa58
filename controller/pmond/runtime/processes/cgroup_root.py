"""Where pmond may make control groups, or why it may not.

Theory of operation: a group belongs to whoever made it, and below its own a program may make more
if it was let. A systemd says so by an attribute of the group (`Delegate=yes` in the unit makes it);
where there is none, whoever may write there may. Only the unified hierarchy (cgroup v2) is looked
at: older ones cannot kill a group. It may be mounted beside older ones, and need have no controller.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from msgspec import Struct

from pmond.runtime.processes.identity import read_whole

_SYSTEMD = "/run/systemd/system"
"""The folder that exists where systemd is the service manager (sd_booted(3))."""
LEAF = "supervisor"
"""The group of pmond itself where those of its processes have controllers; the unit says it too."""
_ESCAPED = re.compile(r"\\([0-7]{3})")


class NoCgroups(Exception):
    """No groups can be made; the text says why, and what to do."""


class Mount(NamedTuple):
    """A mounted unified hierarchy."""

    root: str
    """The group that is seen at the mount point."""
    point: str

    def folder(self, group: str) -> str | None:
        """Where a group is to be found; None when it is not below this mount."""
        root = self.root.rstrip("/")
        if not f"{group}/".startswith(f"{root}/") or "/../" in f"{group}/":
            return None
        return self.point + group.removeprefix(root).rstrip("/")


class CgroupRoot(Struct, frozen=True):
    """Where the groups of one state are, and the mount by which groups of others are found."""

    mount: Mount
    folder: str
    has_leaf: bool = False
    """pmond is in a group of its own beside those of its processes (`LEAF`)."""
    systemd: bool = False
    """It is for systemd to say where pmond is."""

    @property
    def name(self) -> str:
        """The name of that folder, which is the same wherever pmond is started."""
        return self.folder.rpartition("/")[2]

    @property
    def home(self) -> str:
        """The folder of the group that was handed to pmond: the one that it is in, or was started in."""
        return self.folder.rpartition("/")[0]

    @property
    def is_uppermost(self) -> bool:
        """Whether that is the root of all groups, which may have processes as well as groups."""
        return not Path(self.home, "cgroup.type").exists()

    def group_of(self, pid: int) -> str:
        """The folder of the group that a process is in; empty when it is not to be seen."""
        try:
            return self.mount.folder(_group(f"/proc/{pid}/cgroup")) or ""
        except (OSError, NoCgroups):
            return ""


def find_place(state_uuid: str, proc: str = "/proc/self", systemd: str = _SYSTEMD) -> CgroupRoot:
    """The folder for the groups of this state, which exists then. Raises NoCgroups."""
    mount, own = _own(proc)
    by_systemd = Path(systemd).exists()
    own, has_leaf = _home(own, by_systemd)
    if by_systemd and not _delegated(own):
        raise NoCgroups(
            "no control groups: systemd has not handed its own to pmond (Delegate=yes in the unit)"
        )
    folder = f"{own}/pmon3-{state_uuid}"
    try:
        Path(folder).mkdir(exist_ok=True)
    except OSError as error:
        raise NoCgroups(
            f"no control groups: cannot make one in {own}: {os.strerror(error.errno or 0)}"
        ) from None
    if not Path(folder, "cgroup.kill").exists():
        Path(folder).rmdir()
        raise NoCgroups("no control groups: this kernel cannot kill them (before Linux 5.14)")
    return CgroupRoot(mount, folder, has_leaf, by_systemd)


def own_group() -> str:
    """The folder of the group that was handed to pmond; empty where there is none."""
    try:
        return _home(_own("/proc/self")[1], Path(_SYSTEMD).exists())[0]
    except (NoCgroups, OSError):
        return ""


def _home(own: str, by_systemd: bool) -> tuple[str, bool]:
    """The group that was handed over, and whether pmond is in a leaf of it."""
    above, _, name = own.rpartition("/")
    if name != LEAF:
        return own, False
    is_leaf = _delegated(above) if by_systemd else any(Path(above).glob("pmon3-*"))
    return (above, True) if is_leaf else (own, False)


def _own(proc: str) -> tuple[Mount, str]:
    group = _group(f"{proc}/cgroup")
    for mount in _mounts(f"{proc}/mountinfo"):
        folder = mount.folder(group)
        if folder is not None:
            return mount, folder
    raise NoCgroups("no control groups: cgroup v2 is not mounted")


def _group(file: str) -> str:
    """The group of the unified hierarchy in a /proc/PID/cgroup."""
    content = b"\n" + read_whole(file)
    begin = content.find(b"\n0::")
    if begin >= 0:
        line = content[begin + 4 :].partition(b"\n")[0]
        return os.fsdecode(line).removesuffix(" (deleted)")
    raise NoCgroups("no control groups: this kernel has no cgroup v2")


def _mounts(file: str) -> Iterator[Mount]:
    """See proc_pid_mountinfo(5)."""
    for line in Path(file).read_text("utf-8", "surrogateescape").splitlines():
        fields = line.split(" ")
        if fields[fields.index("-") + 1] == "cgroup2":
            yield Mount(_unescaped(fields[3]), _unescaped(fields[4]))


def _unescaped(text: str) -> str:
    return _ESCAPED.sub(lambda found: chr(int(found[1], 8)), text)


def _delegated(folder: str) -> bool:
    for name in ("user.delegate", "trusted.delegate"):
        try:
            if os.getxattr(folder, name) == b"1":
                return True
        except OSError as error:
            if error.errno not in {errno.ENODATA, errno.EPERM, errno.EOPNOTSUPP}:
                raise NoCgroups(f"no control groups: cannot read the attributes of {folder}") from None
    return False
