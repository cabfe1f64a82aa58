"""Ends pmond when one process has ended for good: containers end with their main program.

Theory of operation: after each turn the core is asked what it means to do about that process.
When it has ended and is not to be started again, pmond stops the others and ends with its exit
code; 128 and the signal's number when a signal ended it, 1 when its end is not known.
"""

from __future__ import annotations

from collections.abc import Callable, Container

from pmond.core.case import Rule
from pmond.core.decide import decide
from pmond.core.model import NOTHING_SEEN
from pmond.runtime.clock import Clock
from pmond.runtime.loop import Loop

_FOR_GOOD = {Rule.COMPLETED, Rule.NEVER, Rule.NO_RESTART_CODE, Rule.GAVE_UP}


class ExitOn:
    """Watches over `name`; empty: over nothing. `code` is what pmond ends with."""

    def __init__(self, name: str, loop: Loop, clock: Clock, end: Callable[[bool], None]) -> None:
        self.code = 0
        self._name = name
        self._loop = loop
        self._clock = clock
        self._end = end

    def turn_ended(self, changed: Container[str]) -> None:
        """Look at it when it is among what changed."""
        if not self._name or self._name not in changed or self._loop.desired.ending:
            return
        loop = self._loop
        decision = decide(self._name, loop.desired, loop.observed, self._clock.now(), loop.policy)
        if decision.rule not in _FOR_GOOD:
            return
        exit = loop.observed.get(self._name, NOTHING_SEEN).history.exit
        if exit is None or not exit.known:
            self.code = 1
        else:
            self.code = exit.code if exit.code is not None else 128 + (exit.signal or 0)
        self._end(True)
