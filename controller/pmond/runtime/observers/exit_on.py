"""Ends pmond with a process: containers end with their main program.

Theory of operation: such a process says so in its spec (`exit_on_end`), or is named on the command
line. After each turn in which one of them changed, the core is asked what it means to do about it. When
it has ended and is not to be started again, pmond stops the others and ends with its exit code:
128 and the signal's number when a signal ended it, 1 when its end is not known. Its end is
then part of the shutdown: a container that is started again, with the same state, runs it again.

Signals that mean nothing to pmond go to these processes, as they would without pmond between.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping, Sequence

from msgspec.structs import replace

from pmond.core.case import Rule
from pmond.core.decide import decide
from pmond.core.events import ProcessEvent
from pmond.core.model import NOTHING_SEEN, Ending, ExitStatus, State
from pmond.runtime.base.clock import Clock
from pmond.runtime.processes.identity import send_signal
from pmond.runtime.processes.instances import Instances
from pmond.runtime.supervise.loop import Loop

FORWARDED = (signal.SIGUSR1, signal.SIGWINCH, *range(signal.SIGRTMIN, signal.SIGRTMAX + 1))
"""What is sent to the main program of a container, beside the signals that pmond itself understands."""

_FOR_GOOD = {Rule.COMPLETED, Rule.NEVER, Rule.NO_RESTART_CODE, Rule.GAVE_UP}


class ExitOn:
    """Watches over `name` and over all that are declared with `exit_on_end`."""

    def __init__(
        self, name: str, loop: Loop, instances: Instances, clock: Clock, end: Callable[[bool], None]
    ) -> None:
        self.code = 0
        """What pmond ends with."""
        self._name = name
        self._loop = loop
        self._instances = instances
        self._clock = clock
        self._end = end

    def turn_ended(self, before: Mapping[str, State], happened: Sequence[ProcessEvent]) -> None:
        """Look at those that are among what changed."""
        for name in before:
            if self._watches(name) and not self._loop.desired.ending and self._has_ended(name):
                self._end_with(name)
                return

    def forward(self, number: int) -> None:
        """Hand a signal on to the main programs that are watched over."""
        for running in self._instances:
            if self._watches(running.name) and not running.ended:
                send_signal(running.identity, number)

    def _watches(self, name: str) -> bool:
        wanted = self._loop.desired.wanted.get(name)
        return name == self._name or (wanted is not None and wanted.spec.exit_on_end)

    def _has_ended(self, name: str) -> bool:
        loop = self._loop
        return decide(name, loop.desired, loop.observed, self._clock.now(), loop.policy).rule in _FOR_GOOD

    def _end_with(self, name: str) -> None:
        loop = self._loop
        history = loop.observed.get(name, NOTHING_SEEN).history
        self.code = _code(history.exit)
        loop.put(name, State(None, replace(history, ending=Ending.SHUTDOWN)))
        self._end(True)


def _code(exit: ExitStatus | None) -> int:
    if exit is None or not exit.known:
        return 1
    return exit.code if exit.code is not None else 128 + (exit.signal or 0)
