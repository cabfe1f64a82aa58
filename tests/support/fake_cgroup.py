"""A folder that looks like a tree of control groups: pmond's files are written there, nobody is bounded."""

from __future__ import annotations

from pathlib import Path

from pmond.runtime.processes.cgroup_root import CgroupRoot, Mount

CONTROLLERS = "cpu io memory pids"
_FILES = ("memory.max", "memory.high", "cpu.max", "cpu.weight", "pids.max", "io.weight")


def fake_place(
    mount: Path, *, given: str = CONTROLLERS, on: str = "", uppermost: bool = False, **more: bool
) -> CgroupRoot:
    """The group that was handed to a pmond. `given`: its controllers; `on`: those of the groups in it."""
    home = mount / "pmond"
    folder = home / "pmon3-state"
    folder.mkdir(parents=True)
    (home / "cgroup.controllers").write_text(f"{given}\n")
    for group in (home, folder):
        (group / "cgroup.subtree_control").write_text(f"{on}\n")
    (home / "cgroup.procs").write_text("")
    if not uppermost:
        (home / "cgroup.type").write_text("domain\n")
    return CgroupRoot(Mount("/", str(mount)), str(folder), **more)


def fake_group(place: CgroupRoot, name: str) -> Path:
    """A group with the files of all controllers."""
    group = Path(place.folder, name)
    group.mkdir(exist_ok=True)
    for file in _FILES:
        (group / file).touch()
    (group / "memory.events").write_text("low 0\nhigh 0\nmax 0\noom 0\noom_kill 0\n")
    return group


def limits_of(group: Path) -> dict[str, str]:
    """What was written to it."""
    found = {file: (group / file).read_text() for file in _FILES}
    return {file: text for file, text in found.items() if text}
