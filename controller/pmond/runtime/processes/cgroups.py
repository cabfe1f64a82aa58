"""Control groups: trees that the kernel keeps together, and ends at one word.

Theory of operation: each instance has a group of its own, called NAME:NUMBER as in its marker.
Whatever a member forks is a member, so SIGKILL to the group leaves nobody behind, however fast it
forks, and what left its session with an empty environment is still found. No controller is switched
on before a process asks for limits (`controllers`), so else pmond stays in the group above, where a service
manager can put the next one beside it.

A child with limits is started inside of its group, by its launcher: nothing of it is ever outside. Any other
is moved by a thread, after its start. The kernel may wait for all processors before it
moves a process (10 ms on an idle machine); neither the loop nor the program is to wait with it. What the
program forks before is outside, so the search of `tree` goes on beside the groups. A child must
not be reaped while it is being moved: its number would mean somebody else. `holds` names those.

Most programs fork nothing in their first instant, and then their group *encloses* all of them for good:
one that had no child when it was in the group, and has left none among our own children, which the next
look at them tells. Whether anything of such an instance is left takes the kernel two microseconds to say.
"""

# Paths here are text: a start is on the path of every restart.
# ruff: noqa: PTH103, PTH106, PTH118

from __future__ import annotations

import asyncio
import errno
import os
import select
import time
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Future
from contextlib import suppress

from msgspec import Struct

from pmon3_schema.bounds import ResourcesSpec
from pmon3_schema.group_limits import controllers_of
from pmond.runtime.base.failpoints import FailPoint, reached
from pmond.runtime.base.threads import thread_pool
from pmond.runtime.processes.cgroup_root import CgroupRoot, NoCgroups, find_place
from pmond.runtime.processes.controllers import Controllers, problems_of, write_limits
from pmond.runtime.processes.descendants import OrphanedChildren
from pmond.runtime.processes.identity import Identity, boot_id, read_stat, read_whole, runs
from pmond.runtime.processes.tree import Root, TreeMembership
from pmond.runtime.processes.tree_claims import children

_ENDING = 0.2
"""Seconds that an end may take the kernel; others that are to be moved wait meanwhile."""
_ENDED = {errno.ESRCH, errno.ENOENT, errno.ENODEV}
"""The process, or its group, was gone before it could be moved."""


def processor_seconds(group: str) -> float | None:
    """What all that ever lived in a group has used; None where the kernel does not say."""
    try:
        for line in read_whole(f"{group}/cpu.stat").splitlines():
            if line.startswith(b"usage_usec "):
                return int(line.split()[1]) / 1e6
    except (OSError, ValueError):  # it is gone
        pass
    return None


class _CgroupJob(Struct, frozen=True):
    """One piece of work of the thread: a process to move, or (pid 0) an empty group to remove."""

    group: str
    pid: int = 0
    marker: str = ""


class _CgroupOutcome(Struct, frozen=True):
    """What came of some of them."""

    problem: str
    """What went wrong; empty when nothing did."""
    childless: tuple[_CgroupJob, ...] = ()
    """Those whose process had no child outside of its group when it was in it."""


class Cgroups:
    """The groups of all instances. A *group* is the path of its folder; empty: there is none."""

    def __init__(self, place: CgroupRoot | None, problem: str = "") -> None:
        self.problem = problem
        """Why trees are not ended by groups; empty when they are."""
        self._joining: set[int] = set()
        """The pids that must not be reaped now."""
        self._waiting: set[Callable[[], None]] = set()
        self._place = place
        self.controllers = Controllers(place, problem)
        self._jobs: list[_CgroupJob] = []
        self._settled = asyncio.Event()
        self._settled.set()
        self._thread = thread_pool(1, "cgroups")
        self._left: dict[str, str] = {}
        self._childless: dict[str, _CgroupJob] = {}
        """Groups whose main program had no child outside when it was moved there."""
        self._enclosing: set[str] = set()
        self._scattered: set[str] = set()
        """Processes that have left something outside of their groups once."""

    def join(self, pid: int, marker: str) -> str:
        """Have an unreaped child moved into the group of its instance, soon; answers the group."""
        if self._place is None:
            return ""
        group = os.path.join(self._place.folder, _name(marker))
        self._joining.add(pid)
        self._do(_CgroupJob(group, pid, marker))
        return group

    def prepare(self, marker: str, resources: ResourcesSpec) -> tuple[str, str]:
        """A group with these limits, for an instance to be started in, and which of them it has not.

        The group is empty where it would bound nothing; then `join` is good enough.
        """
        missing = self.controllers.switch_on(controllers_of(resources))
        problem = problems_of(resources, missing)
        if self._place is None or missing.keys() >= controllers_of(resources):
            return "", problem
        group = os.path.join(self._place.folder, _name(marker))
        try:
            os.makedirs(group, exist_ok=True)
        except OSError as error:
            return "", f"its control group cannot be made: {error.strerror}"
        self._enclosing.add(group)
        return group, problem or write_limits(group, resources, ResourcesSpec())

    def unkept(self, resources: ResourcesSpec) -> str:
        """Which of these limits this host does not keep, and why; empty when it keeps all."""
        return problems_of(resources, self.controllers.missing(controllers_of(resources)))

    def limit(self, group: str, wanted: ResourcesSpec, before: ResourcesSpec | None) -> str:
        """Change the limits of a group with processes in it; which of them it has not, in words.

        `before`: those that it has; None: that is not known. May wait until the kernel has found the memory.
        """
        if not group:
            return self.unkept(wanted) or "it is in no control group, which a restart brings"
        missing = self.controllers.switch_on(controllers_of(wanted))
        return problems_of(wanted, missing) or write_limits(group, wanted, before)

    def adopt(self, pid: int, marker: str) -> str:
        """The group that an instance of an earlier pmond is in, by one of its processes."""
        if self._place is None:
            return ""
        group = self._place.group_of(pid)
        folder, _, name = group.rpartition("/")
        if name != _name(marker) or folder.rpartition("/")[2] != self._place.name:
            return ""
        # A pmond that one of its own processes started must not end itself with that process.
        return "" if f"{self._place.home}/".startswith(f"{group}/") else group

    def of(self, marker: str) -> str:
        """The group of an instance, if it is there; empty: it is not, or was made by a pmond elsewhere."""
        group = os.path.join(self._place.folder, _name(marker)) if self._place is not None else ""
        return group if group and os.path.isdir(group) else ""  # noqa: PTH112

    def all(self, state_uuid: str) -> dict[str, list[Identity]]:
        """Who lives in which group, by marker, whatever their environments say."""
        folder = self._place.folder if self._place is not None else ""
        found = {name: list(_living(os.path.join(folder, name))) for name in _folders(folder) if folder}
        return {f"{state_uuid}:{name}": living for name, living in found.items() if living}

    def kill(self, group: str) -> None:
        """SIGKILL to all that is in it, and to what they are forking.

        Where that cannot be done (no descriptor left, a group that was removed), the search of `tree`
        goes on: an error here would keep it from beginning.
        """
        if group:
            with suppress(OSError):
                _write(f"{group}/cgroup.kill", b"1")

    def encloses(self, group: str) -> bool:
        """Whether all of an instance is in its group for good; false also when that is not known."""
        return group in self._enclosing

    def note_orphans(self, seen: OrphanedChildren) -> None:
        """Our children that are nobody's main program: an instance that has none outside is enclosed."""
        for marker, found in seen.by_marker.items():
            if self._place is not None and self._may_be_outside(marker, found):
                self._scattered.add(_process_of(marker))
        for group, job in list(self._childless.items()) if seen.settled else ():
            if job.pid not in seen.sessions and _process_of(job.marker) not in self._scattered:
                self._enclosing.add(group)
            del self._childless[group]

    def _may_be_outside(self, marker: str, found: list[Identity]) -> bool:
        """It was forked before its main program was moved, or somebody moved it away."""
        assert self._place is not None
        group = os.path.join(self._place.folder, _name(marker))
        return bool(marker) and not self.members(group).issuperset(found)

    def populated(self, group: str) -> bool:
        """Whether anything lives in it or below, as the kernel keeps count. Raises OSError."""
        try:
            return b"populated 1" in read_whole(f"{group}/cgroup.events")
        except OSError as error:
            if error.errno in _ENDED:
                return False
            raise

    def members(self, group: str) -> frozenset[Identity]:
        """All that live in it and in groups that they made themselves."""
        return frozenset(_living(group)) if group else frozenset()

    def left(self, group: str, marker: str) -> None:
        """Its instance is no more: what is in it are orphans, and it is removed when it is empty."""
        if group:
            self._left[group] = marker
            self._enclosing.discard(group)
            self._childless.pop(group, None)

    def find_left(self, groups: Collection[str], state_uuid: str) -> None:
        """All groups of an earlier pmond but these are left."""
        if self._place is not None:
            for name in _folders(self._place.folder):
                group = os.path.join(self._place.folder, name)
                if group not in groups:
                    self.left(group, f"{state_uuid}:{name}")

    def orphans(self) -> dict[str, list[Identity]]:
        """Who lives in groups without an instance, by marker; empty ones are removed."""
        found = {}
        for group, marker in list(self._left.items()):
            if members := list(_living(group)):
                found[marker] = members
            else:
                del self._left[group]
                self._do(_CgroupJob(group))
        return found

    def holds(self, pid: int) -> bool:
        """Whether it is being moved, and must not be reaped now."""
        return pid in self._joining

    def when_released(self, call: Callable[[], None]) -> None:
        """Call this, once, when some of those that are being moved have been."""
        self._waiting.add(call)

    async def settle(self) -> None:
        """Return when nobody is being moved."""
        await self._settled.wait()

    def close(self) -> None:
        """Remove what is empty."""
        self._thread.shutdown()
        if self._place is not None:
            for name in _folders(self._place.folder):
                _remove(os.path.join(self._place.folder, name))
            _remove(self._place.folder)

    def _do(self, job: _CgroupJob) -> None:
        self._jobs.append(job)
        if self._settled.is_set():
            self._settled.clear()
            asyncio.get_running_loop().call_soon(self._begin)

    def _begin(self) -> None:
        jobs, self._jobs = self._jobs, []
        loop = asyncio.get_running_loop()
        try:
            work = self._thread.submit(_carry_out, jobs)
        except RuntimeError:  # no thread is to be had: then the loop waits with the kernel
            # The old one would do these jobs too, some day, when the pids mean somebody else.
            self._thread = thread_pool(1, "cgroups")
            self._done(jobs, _carry_out(jobs))
            return
        work.add_done_callback(lambda done: loop.call_soon_threadsafe(self._done, jobs, _outcome(done)))

    def _done(self, jobs: list[_CgroupJob], outcome: _CgroupOutcome) -> None:
        self.problem = outcome.problem or self.problem
        self._joining.difference_update(job.pid for job in jobs)
        # What has ended meanwhile lived for some milliseconds only: that is for the search.
        self._childless.update((job.group, job) for job in outcome.childless if job.group not in self._left)
        if self._jobs:
            self._begin()
        else:
            self._settled.set()
        waiting, self._waiting = self._waiting, set()
        for call in waiting:
            call()


class Grouped(Struct, frozen=True):
    """Membership by a group, and by a search for what forked before it was in the group."""

    cgroups: Cgroups
    group: str
    search: TreeMembership

    def members(self, root: Root) -> frozenset[Identity]:
        """Both."""
        return self.search.members(root) | self.cgroups.members(self.group)

    def may_live(self, root: Root) -> bool:
        """Of an instance that is enclosed the group alone tells."""
        if self.cgroups.encloses(self.group):
            return self.cgroups.populated(self.group) and bool(self.cgroups.members(self.group))
        return bool(self.cgroups.members(self.group)) or self.search.may_live(root)


def find(state_uuid: str) -> Cgroups:
    """The groups of this state, or none with the reason."""
    try:
        return Cgroups(find_place(state_uuid))
    except (NoCgroups, OSError) as error:
        return Cgroups(None, str(error))


def _name(marker: str) -> str:
    return marker.partition(":")[2]


def _process_of(marker: str) -> str:
    return marker.rpartition(":")[0]


def _carry_out(jobs: list[_CgroupJob]) -> _CgroupOutcome:
    """In the thread: do what is to be done."""
    problem, childless = "", []
    for job in jobs:
        if not job.pid:
            _await_end(job.group)
            _remove(job.group)
            continue
        try:
            os.makedirs(job.group, exist_ok=True)
            reached(FailPoint.GROUP_MADE)
            _write(f"{job.group}/cgroup.procs", b"%d" % job.pid)
            if not _has_children_outside(job):
                childless.append(job)
        except (OSError, ValueError) as error:
            if getattr(error, "errno", 0) not in _ENDED:
                problem = f"control groups cannot be used: {error}"
    return _CgroupOutcome(problem, tuple(childless))


def _has_children_outside(job: _CgroupJob) -> bool:
    found = children(job.pid)
    return bool(found) and not set(found) <= set(_pids_in(job.group))


def _outcome(work: Future[_CgroupOutcome]) -> _CgroupOutcome:
    error = work.exception()
    return work.result() if error is None else _CgroupOutcome(f"control groups cannot be used: {error}")


def _write(file: str, content: bytes) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, content)
    finally:
        os.close(descriptor)


def _living(group: str) -> Iterator[Identity]:
    try:
        pids = _pids_in(group)
    except OSError:
        return
    for pid in pids:
        stat = read_stat(pid) if pid else None  # 0: of a pid namespace that is not ours
        if stat is not None and runs(pid, stat):
            yield Identity(pid, stat.start_ticks, boot_id())
    for name in _folders(group):
        yield from _living(os.path.join(group, name))


def _pids_in(group: str) -> list[int]:
    return [int(line) for line in read_whole(f"{group}/cgroup.procs").split()]


def _folders(group: str) -> list[str]:
    try:
        with os.scandir(group) as entries:
            return [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return []


def _await_end(group: str) -> None:
    """The last of it may be ending still when nobody lives in there: the kernel says when it has."""
    with suppress(OSError):
        descriptor = os.open(f"{group}/cgroup.events", os.O_RDONLY | os.O_CLOEXEC)
        try:
            changes = select.poll()
            changes.register(descriptor, select.POLLPRI)
            deadline = time.monotonic() + _ENDING
            while b"populated 1" in os.pread(descriptor, 4096, 0) and time.monotonic() < deadline:
                changes.poll(_ENDING * 1000)
        finally:
            os.close(descriptor)


def _remove(group: str) -> None:
    """With the groups in it, if all of them are empty."""
    for name in _folders(group):
        _remove(os.path.join(group, name))
    with suppress(OSError):
        os.rmdir(group)
