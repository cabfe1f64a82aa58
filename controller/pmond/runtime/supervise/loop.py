"""The one loop: wait for a fact or a deadline, evolve, plan, perform, publish.

Theory of operation: `tell` folds a fact into the state of its process at once and marks the
process and its neighbours as *touched*. A *turn* plans what is touched and performs the actions;
that yields facts, which touch again, until nothing is left to do. A turn that takes long stops
in between and goes on in the next pass of the event loop, so that requests and exits are served
even while a thousand processes start. Each decision leaves a time to look again; the earliest of
them is the only timer. At the end of a turn what changed is saved in one batch and told to
whoever waits for it. Nothing polls.

An error of our own in the path of one process sets that process aside, says so in the journal
and in its status, and leaves the others alone; the next command for the process tries again.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Iterable, Sequence
from itertools import islice

from pmond.core.actions import Action, TurnPlan
from pmond.core.events import ProcessEvent, events
from pmond.core.evolve import evolve
from pmond.core.facts import DeadlinePassed, Fact
from pmond.core.model import NOTHING_SEEN, Desired, Intent, Policy, State
from pmond.core.plan import neighbours, plan
from pmond.core.routine import is_routine
from pmond.runtime.base.clock import Clock
from pmond.runtime.base.journal import Journal
from pmond.runtime.supervise.listeners import Executor, TurnObserver
from pmond.runtime.supervise.turn_times import TurnTimes

_PLANNED_AT_ONCE = 8
"""Names planned before their actions are performed: by so many starts a turn can overrun its time."""
_DEADLINES_AT_ONCE = 100
"""Deadlines passed in one turn: what was started together gets steady together, each with an event."""
_TOLD_AT_ONCE = 500
"""Names whose intent changed and that are told in one turn: some thousand may have, by one manifest."""
_TURN_SECONDS = 0.008
"""After this a turn gives way to requests and exits; the budget of a blocked loop is 20 ms."""


class Loop:
    """Owns what is observed; `desired` is replaced by its one writer, the registry."""

    def __init__(self, clock: Clock, journal: Journal, policy: Policy) -> None:
        self.desired = Desired()
        self.policy = policy
        self.observed: dict[str, State] = {}
        self.quarantined: dict[str, str] = {}
        """Processes in whose path an error of ours occurred, with what is known about it."""
        self.decided: dict[str, int] = {}
        """For each process the last generation of its intent that was decided on."""
        self.turn_times = TurnTimes()
        self._clock = clock
        self._journal = journal
        self._executors: Sequence[Executor] = ()
        self._observers: Sequence[TurnObserver] = ()
        self._touched: dict[str, None] = {}
        self._noted: dict[str, None] = {}
        self._before: dict[str, State] = {}
        self._steps: list[tuple[str, State, State]] = []
        """What `tell` did in this turn; put into words at its end, when replacements have started."""
        self._deadlines: list[tuple[float, str]] = []
        self._wake_at: dict[str, float] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._turn: asyncio.Handle | None = None
        self._paused = True

    def start(self, executors: Sequence[Executor], observers: Sequence[TurnObserver]) -> None:
        """Begin to act. Facts told before this are kept; all that is wanted is looked at.

        An action goes to the first of the executors that carries out its kind; the observers are
        told, in their order, when a turn has ended.
        """
        self._executors, self._observers = executors, observers
        self._paused = False
        self.touch(self.desired.wanted.keys() | self.observed.keys())

    def pause(self) -> None:
        """Act no more; facts are still folded in."""
        self._paused = True

    def save(self) -> None:
        """Save and tell what was folded in while paused."""
        self._publish()

    def resume(self) -> None:
        """Act again."""
        self._paused = False
        self.touch(())
        self._set_timer()

    def tell(self, fact: Fact) -> None:
        """Fold a fact in; what follows from it is done in the next turn."""
        name = fact.name
        before = self.observed.get(name, NOTHING_SEEN)
        try:
            after = evolve(before, self.desired.wanted.get(name), fact, self._clock.now(), self.policy)
        except Exception as error:
            self.quarantine(name, error)
            return
        if after is before:
            return
        self.observed[name] = after
        if is_routine(fact, before, after):
            self.touch((name,))
            return
        self._before.setdefault(name, before)
        self._steps.append((name, before, after))
        self.touch(neighbours(self.desired, name))

    def put(self, name: str, state: State) -> None:
        """Have this be what was seen of a process, although no fact says so; saved with the next turn."""
        self._before.setdefault(name, self.observed.get(name, NOTHING_SEEN))
        self.observed[name] = state

    def touch(self, names: Iterable[str]) -> None:
        """Look at these processes in the next turn."""
        for name in names:
            self._touched[name] = None
        if (self._touched or self._noted) and self._turn is None and not self._paused:
            self._turn = asyncio.get_running_loop().call_soon(self._take_turn)

    def note(self, names: Iterable[str]) -> None:
        """Their intent changed: whoever waits for one is told when that has been decided on."""
        self._noted.update(dict.fromkeys(names))

    def retry(self, name: str) -> None:
        """Look at a process again that was set aside."""
        self.quarantined.pop(name, None)
        self.touch((name,))

    def look_again(self) -> None:
        """Look at everything that is wanted."""
        self.touch(self.desired.wanted)

    def renamed(self, one: Intent, name: str) -> None:
        """What was seen of it is what is seen of `name` from now on."""
        old = one.name
        self.observed[name] = self.observed.pop(old, NOTHING_SEEN)
        self._wake_at.pop(old, None)
        self.quarantined.pop(old, None)

    def quarantine(self, name: str, error: Exception) -> None:
        """Leave a process alone in whose path this error occurred, until somebody changes it."""
        self._journal.error("process.set_aside", error, name=name)
        self.quarantined[name] = f"{type(error).__name__}: {error}"
        self._before.setdefault(name, self.observed.get(name, NOTHING_SEEN))

    def forget(self, name: str) -> None:
        """Drop what was seen of a process that is not wanted any more."""
        self._before.setdefault(name, self.observed.pop(name, NOTHING_SEEN))
        self._noted.pop(name, None)
        self._wake_at.pop(name, None)
        self.quarantined.pop(name, None)
        self.decided.pop(name, None)

    def _take_turn(self) -> None:
        self._turn = None
        begun = self._clock.now()
        until = begun + _TURN_SECONDS
        self._pass_deadlines()
        while self._touched and not self._paused:
            self._plan_some()
            if self._clock.now() >= until:
                break
        self._publish()
        self.touch(())
        self._set_timer()
        self.turn_times.note(self._clock.now() - begun)

    def _pass_deadlines(self) -> None:
        """Some of those that are due; what is left is due at once in the next turn."""
        now = self._clock.now()
        for _ in range(_DEADLINES_AT_ONCE):
            if not self._deadlines or self._deadlines[0][0] > now:
                break
            at, name = heapq.heappop(self._deadlines)
            if self._wake_at.get(name) == at:
                del self._wake_at[name]
                self.tell(DeadlinePassed(name))
                self._touched[name] = None

    def _plan_some(self) -> None:
        names = []
        for name in self._touched:
            names.append(name)
            if len(names) == _PLANNED_AT_ONCE:
                break
        for name in names:
            del self._touched[name]
        try:
            planned = plan(self.desired, self.observed, self._clock.now(), self.policy, names)
        except Exception as error:  # our own defect: find out whose path it is in
            self._plan_one_by_one(names, error)
            return
        self._carry_out(planned)

    def _plan_one_by_one(self, names: list[str], error: Exception) -> None:
        if len(names) == 1:
            self.quarantine(names[0], error)
            return
        for name in names:
            try:
                planned = plan(self.desired, self.observed, self._clock.now(), self.policy, [name])
            except Exception as own_error:
                self.quarantine(name, own_error)
                continue
            self._carry_out(planned)

    def _carry_out(self, planned: TurnPlan) -> None:
        for name in planned.wake_at:
            wanted = self.desired.wanted.get(name)
            if wanted is not None:
                self.decided[name] = wanted.generation
        self._note_deadlines(planned.wake_at)
        for action in planned.actions:
            self._perform(action)

    def _perform(self, action: Action) -> None:
        if action.name in self.quarantined:
            return
        try:
            any(executor.perform(action) for executor in self._executors)
        except Exception as error:
            self.quarantine(action.name, error)

    def _note_deadlines(self, wake_at: dict[str, float | None]) -> None:
        for name, at in wake_at.items():
            if at is None:
                self._wake_at.pop(name, None)
            elif self._wake_at.get(name) != at:
                self._wake_at[name] = at
                heapq.heappush(self._deadlines, (at, name))

    def _set_timer(self) -> None:
        """One timer, for the earliest deadline that still counts."""
        while self._deadlines and self._wake_at.get(self._deadlines[0][1]) != self._deadlines[0][0]:
            heapq.heappop(self._deadlines)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._deadlines and not self._paused:
            delay = self._deadlines[0][0] - self._clock.now()
            self._timer = asyncio.get_running_loop().call_later(max(0.0, delay), self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        if self._turn is None:
            self._take_turn()

    def _tell_noted(self) -> None:
        for name in list(islice(self._noted, _TOLD_AT_ONCE)):
            if name not in self._touched:
                del self._noted[name]
                self._before.setdefault(name, self.observed.get(name, NOTHING_SEEN))

    def _publish(self) -> None:
        self._tell_noted()
        if not self._before:
            return
        before, steps = self._before, self._steps
        self._before, self._steps = {}, []
        happened = self._worded(steps)
        for observer in self._observers:
            try:
                observer.turn_ended(before, happened)
            except Exception as error:  # the others, and the next turn, go on
                self._journal.error("turn.publish_failed", error)

    def _worded(self, steps: list[tuple[str, State, State]]) -> list[ProcessEvent]:
        try:
            return [event for step in steps for event in events(*step)]
        except Exception as error:  # what happened is kept all the same
            self._journal.error("turn.publish_failed", error)
            return []
