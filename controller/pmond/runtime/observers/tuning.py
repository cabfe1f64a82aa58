"""Nice value and resource limits of what runs already: changed on the live tree, without a restart.

Theory of operation: an instance remembers the values it was started or last tuned with. When other
ones are declared they are set on its main program and on everything that descends from it, because
setpriority(2) and prlimit(2) reach no process that has been forked already. A value that is no longer
declared goes back to pmond's own. The next start has the values anyway, so nothing here is durable.
For whom pmond's rights are not, no value is raised beyond what a start with his own would give.
"""

from __future__ import annotations

import errno
import os
import resource
from collections.abc import Callable, Iterable, Mapping, Sequence
from math import inf

from pmond.core.events import ProcessEvent
from pmond.core.model import Intent, State
from pmond.runtime.access import users
from pmond.runtime.base.journal import Journal
from pmond.runtime.intent.registry import Registry
from pmond.runtime.processes.ceilings import within_own
from pmond.runtime.processes.identity import real_uid
from pmond.runtime.processes.instances import Instances, Running, Tuning, tuning_of
from pmond.runtime.processes.launch import LIMIT_NUMBERS
from pmond.runtime.supervise.perform import Performer

_ROUNDS = 3
"""Looks at a tree: a process may fork between a look and the call."""

_NOT_HIS = "a process of it belongs to somebody else"

Announce = Callable[[str, str, str], None]


class Tuner:
    """Keeps live trees as declared."""

    def __init__(
        self,
        registry: Registry,
        instances: Instances,
        performer: Performer,
        journal: Journal,
        announce: Announce,
    ) -> None:
        self._registry = registry
        self._instances = instances
        self._performer = performer
        self._journal = journal
        self._announce = announce

    def turn_ended(self, before: Mapping[str, State], happened: Sequence[ProcessEvent]) -> None:
        """Set what is not as declared, of what the turn has changed."""
        self.tune(before)

    def tune(self, names: Iterable[str]) -> None:
        """Set what is not as declared."""
        for name in names:
            running = self._instances.get(name)
            if running is None or running.ended or running.tuning is None:
                continue
            one = self._registry.processes.get(name)
            if one is None:
                continue
            wanted = tuning_of(one.spec)
            if not one.trusted:
                wanted = within_own(wanted)
            if wanted != running.tuning:
                self._set(running, one, running.tuning, wanted)

    def _set(self, running: Running, one: Intent, before: Tuning, wanted: Tuning) -> None:
        done: set[int] = set()
        problem = ""
        user = None if one.trusted else users.uid_of(one.spec.user)
        for _ in range(_ROUNDS):
            left = {member.pid for member in self._performer.members(running)} - done
            for pid in left:
                allowed = one.trusted or real_uid(pid) == user
                problem = (_apply(pid, before, wanted, one.trusted) if allowed else _NOT_HIS) or problem
            done |= left
            if not left:
                break
        running.tuning = wanted
        self._journal.event("process.tuned", name=running.name, processes=len(done), problem=problem)
        if problem:
            text = f"cannot change the nice value or limits of what runs: {problem}; a restart does"
            self._announce("TuningFailed", text, running.name)


def _apply(pid: int, before: Tuning, wanted: Tuning, may_raise: bool) -> str:
    """Set the values of one process; why not, if not."""
    try:
        if wanted.priority != before.priority:
            _set_priority(pid, wanted.priority if wanted.priority is not None else _own_nice(), may_raise)
        for (_, number), old, new in zip(LIMIT_NUMBERS.items(), before.limits, wanted.limits, strict=True):
            if new != old:
                limits = (new, new) if new is not None else resource.getrlimit(number)
                _set_limits(pid, number, limits, may_raise)
    except ProcessLookupError:
        return ""  # it ended meanwhile
    except (OSError, ValueError) as error:
        return str(getattr(error, "strerror", None) or error).lower()
    return ""


def _set_priority(pid: int, nice: int, may_raise: bool) -> None:
    # Nobody gets more than a start would give him: what pmond has, or what he was left with.
    if not may_raise and nice < min(os.getpriority(os.PRIO_PROCESS, pid), _own_nice()):
        raise PermissionError(errno.EACCES, "a user may only make it nicer")
    os.setpriority(os.PRIO_PROCESS, pid, nice)


def _set_limits(pid: int, number: int, limits: tuple[int, int], may_raise: bool) -> None:
    if not may_raise and _finite(limits[1]) > _finite(resource.getrlimit(number)[1]):
        raise PermissionError(errno.EPERM, "a user may only lower limits")
    resource.prlimit(pid, number, limits)


def _finite(limit: int) -> float:
    return inf if limit == resource.RLIM_INFINITY else limit


def _own_nice() -> int:
    return os.getpriority(os.PRIO_PROCESS, 0)
