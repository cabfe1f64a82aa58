"""Who takes part in what happens: told in the order of a tuple that the composition root writes down.

Each says what it has done with it, or does nothing; none knows of the others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from pmond.core.actions import Action
from pmond.core.events import ProcessEvent
from pmond.core.model import ExitStatus, Intent, State
from pmond.runtime.processes.exit_status_holder import ExitStatusHolder
from pmond.runtime.processes.instances import Instances


class Executor(Protocol):
    """Carries out actions of some kinds. It may `tell` the loop facts at once or later."""

    def perform(self, action: Action) -> bool:
        """Whether it was one of those kinds."""


class TurnObserver(Protocol):
    """Is told what a turn of the loop has changed."""

    def turn_ended(self, before: Mapping[str, State], happened: Sequence[ProcessEvent]) -> None:
        """`before` are the states from before the turn, of all that it changed."""


class ExitListener(Protocol):
    """Knows some of the children of pmond."""

    def exited(self, pid: int, status: ExitStatus) -> bool:
        """A child has ended and is not yet reaped; whether it was one of these."""


class RenameListener(Protocol):
    """Knows something of processes by their names."""

    def renamed(self, one: Intent, name: str) -> None:
        """A process, as it was until now, is called `name` from now on."""


class Sweeper(Protocol):
    """Depends on being told of something that may go untold."""

    def look_again(self) -> None:
        """Look whether there is anything new."""


class Exits:
    """Tells the end of a child to those who may know it, until one does."""

    def __init__(self, listeners: Sequence[ExitListener]) -> None:
        self._listeners = listeners

    def exited(self, pid: int, status: ExitStatus) -> bool:
        """Whether one of them did."""
        return any(listener.exited(pid, status) for listener in self._listeners)


class HolderGuard:
    """Has another program hold exit statuses when that which did has ended."""

    def __init__(self, holder: ExitStatusHolder, instances: Instances) -> None:
        self._holder = holder
        self._instances = instances

    def exited(self, pid: int, status: ExitStatus) -> bool:
        if not self._holder.was(pid):
            return False
        self._holder.start()
        self._holder.refill(self._instances.mains())
        return True
