"""Nice value and resource limits of what runs already: changed on the live tree, without a restart.

Theory of operation: an instance remembers the values it was started or last tuned with. When other
ones are declared they are set on its main program and on everything that descends from it, because
setpriority(2) and prlimit(2) reach no process that has been forked already. A value that is no longer
declared goes back to pmond's own. The next start has the values anyway, so nothing here is durable.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Callable, Iterable, Mapping, Sequence

from pmond.core.events import ProcessEvent
from pmond.core.model import State
from pmond.runtime.base.journal import Journal
from pmond.runtime.intent.registry import Registry
from pmond.runtime.processes.instances import Instances, Running, Tuning, tuning_of
from pmond.runtime.processes.launch import LIMIT_NUMBERS
from pmond.runtime.supervise.perform import Performer

_ROUNDS = 3
"""Looks at a tree: a process may fork between a look and the call."""

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
            if wanted != running.tuning:
                self._set(running, running.tuning, wanted)

    def _set(self, running: Running, before: Tuning, wanted: Tuning) -> None:
        done: set[int] = set()
        problem = ""
        for _ in range(_ROUNDS):
            left = {member.pid for member in self._performer.members(running)} - done
            for pid in left:
                problem = _apply(pid, before, wanted) or problem
            done |= left
            if not left:
                break
        running.tuning = wanted
        self._journal.event("process.tuned", name=running.name, processes=len(done), problem=problem)
        if problem:
            text = f"cannot change the nice value or limits of what runs: {problem}; a restart does"
            self._announce("TuningFailed", text, running.name)


def _apply(pid: int, before: Tuning, wanted: Tuning) -> str:
    """Set the values of one process; why not, if not."""
    try:
        if wanted.priority != before.priority:
            os.setpriority(
                os.PRIO_PROCESS, pid, wanted.priority if wanted.priority is not None else _own_nice()
            )
        for (_, number), old, new in zip(LIMIT_NUMBERS.items(), before.limits, wanted.limits, strict=True):
            if new != old:
                resource.prlimit(pid, number, (new, new) if new is not None else resource.getrlimit(number))
    except ProcessLookupError:
        return ""  # it ended meanwhile
    except (OSError, ValueError) as error:
        return str(getattr(error, "strerror", None) or error).lower()
    return ""


def _own_nice() -> int:
    return os.getpriority(os.PRIO_PROCESS, 0)
