"""Limits and shares of a control group: the files that hold them, and the controllers that make those files.

Theory of operation: a group has the files of a controller when the group above has switched it on for those
below, and a group with processes of its own may not do that, the uppermost excepted. So pmond has to be
in a group beside those of its processes. Under systemd it is put there (`DelegateSubgroup=` in the unit,
systemd 254): were pmond to go there by itself, systemd could not start the next one in the unit's own group.
Elsewhere it goes there itself, if nobody else is in its group. Nothing is switched on before somebody asks.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from pmon3_schema.bounds import ResourcesSpec
from pmon3_schema.group_limits import LIMITS, asked_for
from pmond.runtime.processes.cgroup_root import LEAF, CgroupRoot
from pmond.runtime.processes.tree_claims import children

_SWITCH = "cgroup.subtree_control"


def write_limits(group: str, wanted: ResourcesSpec, before: ResourcesSpec | None) -> str:
    """Set what differs from `before` (None: whatever is set); what could not be, in words."""
    return "; ".join(_written(group, wanted, before))


def _written(group: str, wanted: ResourcesSpec, before: ResourcesSpec | None) -> Iterator[str]:
    for limit in LIMITS:
        text = limit.text(wanted)
        if before is not None and text == limit.text(before):
            continue
        try:
            _write(f"{group}/{limit.file}", text)
        except FileNotFoundError:
            if text != limit.unlimited:
                yield f"{limit.field}: there is no {limit.file}"
        except OSError as error:
            yield f"{limit.field}: {error.strerror}"


class Controllers:
    """Those of the groups of one pmond."""

    def __init__(self, place: CgroupRoot | None, problem: str = "") -> None:
        """`problem`: why there are no groups, where there is no place."""
        self._place = place
        self._problem = problem

    def missing(self, wanted: Iterable[str]) -> dict[str, str]:
        """Why these controllers are not to be had, of those that are not. Changes nothing."""
        if self._place is None:
            return dict.fromkeys(wanted, self._problem)
        below = _words(f"{self._place.folder}/{_SWITCH}")
        reasons = ((name, self._why_not(name, self._place)) for name in wanted if name not in below)
        return {name: why for name, why in reasons if why}

    def in_use(self) -> bool:
        """Whether groups of processes have any."""
        return self._place is not None and bool(_words(f"{self._place.folder}/{_SWITCH}"))

    def switch_on(self, wanted: Collection[str]) -> dict[str, str]:
        """Have them in the groups of processes; why not, of those that are not to be had."""
        found = self.missing(wanted)
        for name in sorted(wanted):
            if name not in found and self._place is not None:
                try:
                    _switch_on(self._place, name)
                except OSError as error:
                    found[name] = f"the controller cannot be switched on: {error.strerror}"
        return found

    def _why_not(self, name: str, place: CgroupRoot) -> str:
        if name not in _words(f"{place.home}/cgroup.controllers"):
            if name in _of_version_1():
                return "the controller is one of cgroup version 1 on this host"
            return "the controller is not handed to pmond (see Delegate= of its unit)"
        if name in _words(f"{place.home}/{_SWITCH}") or place.has_leaf or place.is_uppermost:
            return ""
        if place.systemd:
            return "systemd starts pmond in the group itself (DelegateSubgroup=supervisor needs systemd 254)"
        others = _pids(place.home) - _own_family()
        return "other processes are in the control group of pmond" if others else ""


def problems_of(resources: ResourcesSpec, missing: Mapping[str, str]) -> str:
    """Which declared limits are not kept for want of their controllers, and why; empty: none."""
    fields: dict[str, list[str]] = {}
    for limit in asked_for(resources):
        if limit.controller in missing:
            fields.setdefault(missing[limit.controller], []).append(limit.field)
    return "; ".join(f"{' and '.join(names)}: {why}" for why, names in fields.items())


def _switch_on(place: CgroupRoot, name: str) -> None:
    try:
        _write(f"{place.home}/{_SWITCH}", f"+{name}")
    except OSError as error:
        if error.errno != errno.EBUSY or place.systemd:
            raise
        _go_into_leaf(place)
        _write(f"{place.home}/{_SWITCH}", f"+{name}")
    _write(f"{place.folder}/{_SWITCH}", f"+{name}")


def _go_into_leaf(place: CgroupRoot) -> None:
    """pmond itself, and what of it is not in a group of its own yet."""
    leaf = Path(place.home, LEAF)
    leaf.mkdir(exist_ok=True)
    for pid in _pids(place.home) & _own_family():
        with suppress(ProcessLookupError):
            _write(str(leaf / "cgroup.procs"), str(pid))


def _own_family() -> set[int]:
    return {os.getpid(), *children(os.getpid())}


def _pids(group: str) -> set[int]:
    return {int(word) for word in _words(f"{group}/cgroup.procs")}


def _words(file: str) -> list[str]:
    try:
        return Path(file).read_text("ascii").split()
    except OSError:
        return []


def _of_version_1() -> set[str]:
    """The controllers that a hierarchy of version 1 has taken, by /proc/cgroups (cgroups(7))."""
    try:
        lines = Path("/proc/cgroups").read_text("ascii").splitlines()
    except OSError:
        return set()
    fields = [line.split() for line in lines if not line.startswith("#")]
    taken = {words[0] for words in fields if len(words) > 1 and words[1] != "0"}
    return taken | ({"io"} if "blkio" in taken else set())


def _write(file: str, text: str) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, text.encode("ascii"))
    finally:
        os.close(descriptor)
