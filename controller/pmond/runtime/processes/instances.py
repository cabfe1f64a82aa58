"""The instances that run: what the daemon holds of each beyond what the core sees.

Theory of operation: one entry per live main program, found by name or by pid. An instance that
we started is our child; an adopted one is not, and is only touched through its verified identity.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, KeysView
from operator import attrgetter
from typing import NamedTuple

from msgspec import Struct

from pmon3_schema.bounds import ResourcesSpec
from pmon3_schema.process import ProcessSpec
from pmon3_schema.process_parts import LimitsSpec
from pmond.runtime.processes.failures import SpawnError
from pmond.runtime.processes.identity import Identity
from pmond.runtime.processes.spawn import Child
from pmond.runtime.processes.tree import Root


class Tuning(NamedTuple):
    """The nice value, and the limits in the order of the fields of `LimitsSpec`; None: not declared."""

    priority: int | None
    limits: tuple[int | None, ...]


_values_of = attrgetter(*LimitsSpec.declared)


def tuning_of(spec: ProcessSpec) -> Tuning:
    """The values of a spec that are set on the live tree."""
    return Tuning(spec.priority, _values_of(spec.limits))


class Running(Struct):
    """One live instance, or one whose main program has ended while its tree is being cleared."""

    name: str
    number: int
    identity: Identity
    marker: str
    own: bool
    """It is our child: its pid means it until we reap it."""
    uids: frozenset[int] = frozenset()
    """The users that it is known to run as, besides root: programs may give up rights, as many servers do."""
    group: str = ""
    """Its control group; empty: it has none."""
    child: Child | None = None
    """While its launcher has not reported; it holds the whole environment, so no longer than that."""
    failure: SpawnError | None = None
    """What its launcher reported: the program was never reached."""
    ended: bool = False
    """Its main program has ended and was reaped; the pid means nothing any more."""
    recorded: bool = False
    """The state file knows it; what it says of the start of the program stays true."""
    spec: ProcessSpec | None = None
    """What it was started with, as far as that is known."""
    tuning: Tuning | None = None
    """What was set on its tree last."""
    resources: ResourcesSpec | None = None
    """The limits of its group; None: an earlier pmond has set them."""
    unbounded: str = ""
    """Which of those that are declared it has not, and why."""

    @property
    def pid(self) -> int:
        return self.identity.pid

    @property
    def root(self) -> Root:
        uids = self.uids | {0}
        return Root(self.identity.pid, self.identity.start_ticks, self.marker, uids, of_root=0 in self.uids)

    def note_uid(self, uid: int | None) -> None:
        """Its main program runs as this user now."""
        if uid is not None:
            self.uids |= {uid}


class Instances:
    """All of them, by name and by pid."""

    def __init__(self) -> None:
        self._by_name: dict[str, Running] = {}
        self._by_pid: dict[int, Running] = {}
        self._users: set[int] = set()

    def add(self, running: Running) -> None:
        self._users |= running.uids
        self._by_name[running.name] = running
        self._by_pid[running.pid] = running

    def named(self, name: str, number: int) -> Running | None:
        """The instance of that number, if it is the present one."""
        running = self._by_name.get(name)
        return running if running is not None and running.number == number else None

    def get(self, name: str) -> Running | None:
        return self._by_name.get(name)

    def of_pid(self, pid: int) -> Running | None:
        """The instance whose living main program has this pid."""
        return self._by_pid.get(pid)

    def main_ended(self, running: Running) -> None:
        """Its main program was reaped: the pid is free for others."""
        running.ended = True
        if self._by_pid.get(running.pid) is running:
            del self._by_pid[running.pid]

    def remove(self, running: Running) -> None:
        self.main_ended(running)
        if self._by_name.get(running.name) is running:
            del self._by_name[running.name]

    def rename(self, old: str, new: str) -> None:
        """The process is called `new`; its program still bears the old marker."""
        running = self._by_name.pop(old, None)
        if running is not None:
            running.name = new
            self._by_name[new] = running

    def bearer(self, marker: str) -> Running | None:
        """The instance whose processes bear this marker."""
        return next((running for running in self._by_name.values() if running.marker == marker), None)

    def users(self) -> Collection[int]:
        """All that something was started as, ended since or not."""
        return self._users

    def mains(self) -> KeysView[int]:
        """The pids of all living main programs."""
        return self._by_pid.keys()

    def unreaped(self) -> list[int]:
        """The pids of our children of which no end was reported."""
        return [running.pid for running in self._by_name.values() if running.own and not running.ended]

    def __iter__(self) -> Iterator[Running]:
        return iter(list(self._by_name.values()))
