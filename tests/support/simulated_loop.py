"""The loop in miniature, over a simulated machine: fact, evolve, plan, perform, facts.

It wakes for facts and at `wake_at`, and plans the names that a fact touches and their neighbours.
Every step is shown to the `Laws`. It can be disturbed: facts that come from the kernel or the clock
are lost, repeated or late; the daemon dies at any moment and finds its processes again.
"""

from __future__ import annotations

import heapq
from contextlib import suppress
from random import Random

from msgspec import Struct
from msgspec.structs import replace
from tests.support.laws import Laws
from tests.support.simulation import NEVER, Living, Program, SimulatedMachine, Violation, refused

from pmond.core.actions import (
    Action,
    DropTiming,
    EndHook,
    Forget,
    Kill,
    PassDeadline,
    PlanRun,
    Reload,
    RunHook,
    RunProbe,
    Start,
    Stop,
)
from pmond.core.evolve import evolve
from pmond.core.facts import (
    Adopted,
    ClockJumped,
    DeadlinePassed,
    Exited,
    Fact,
    FilesSeen,
    HookBegun,
    HookEnded,
    KillSent,
    LineSeen,
    Notified,
    ProbeBegun,
    ProbeFailed,
    ProbePassed,
    ReloadBegun,
    Reloaded,
    Spawned,
    StopSent,
    TimingDropped,
    TreeEmpty,
)
from pmond.core.hooking import Moment
from pmond.core.model import NOTHING_SEEN, Desired, Ending, ExitStatus, Files, Intent, Policy, State
from pmond.core.plan import dependants_of, neighbours, plan
from pmond.core.timing import Timing
from pmond.runtime.supervise.scheduler import work_out

_MOST_ROUNDS = 60
_OVERSLEEPS = 0.3  # seconds


class _DaemonDied(Exception):
    """What was still to be performed is lost."""


class Disturbance(Struct, frozen=True):
    """How likely a fact from outside is lost, repeated later, or late. Shares of 1."""

    lost: float = 0.0
    repeated: float = 0.0
    late: float = 0.0

    @property
    def is_any(self) -> bool:
        return self.lost + self.repeated + self.late > 0


class SimulatedLoop:
    """A daemon without effects. `full` plans every name in every turn."""

    def __init__(
        self, machine: SimulatedMachine, policy: Policy, random: Random, *, full: bool = False
    ) -> None:
        self.machine, self.policy, self.full = machine, policy, full
        self.random, self.disturbance = random, Disturbance()
        self.faithful = True
        """Nothing was disturbed since the last resync."""
        self.wanted: dict[str, Intent] = {}
        self.desired = Desired()
        self.ending = False
        self.wall_offset = 1_767_225_600.0  # 2026-01-01
        self.observed: dict[str, State] = {}
        self.wake_at: dict[str, float | None] = {}
        self.dies_at_next_start = False
        self.edited: set[str] = set()
        """Whose spec changed under what runs: how often and how soon its probes may fail changed too."""
        self.files: dict[str, Files] = {}
        """What the watched files of each process really say."""
        self.laws = Laws(self)
        self._touched: set[str] = set()
        self._late: list[tuple[float, int, Fact]] = []
        self._coming: list[tuple[float, int, Fact]] = []
        """What is on its way without having been disturbed yet: results of probes, words of programs."""
        self._sequence = 0

    @property
    def now(self) -> float:
        return self.machine.now

    # --- what callers do ---------------------------------------------------------------

    def want(self, changes: dict[str, Intent | None], ending: bool | None = None) -> None:
        """Put, replace or (None) drop what is wanted, and look at what that touches."""
        for name, wanted in changes.items():
            self._touch(name)
            if name in self.wanted and (wanted is None or wanted.spec != self.wanted[name].spec):
                self.edited.add(name)
        self.wanted = {**self.wanted, **{n: w for n, w in changes.items() if w is not None}}
        for name in [name for name, wanted in changes.items() if wanted is None]:
            del self.wanted[name]
        if ending is not None:
            self.ending = ending
            self._touched |= self.wanted.keys() | self.observed.keys()
        pairs = [(name, wanted.spec.needs) for name, wanted in self.wanted.items()]
        self.desired = Desired(self.wanted, dependants_of(pairs), self.ending)
        for name in changes:
            self._touch(name)

    def resync(self) -> None:
        """Compare what is seen with what lives, then look at everything."""
        for name, state in list(self.observed.items()):
            instance = state.instance
            if instance is None:
                continue
            run = self.machine.run(name, instance.number)
            if run is None:
                self._tell(Exited(name, instance.number, ExitStatus()))
                self._tell(TreeEmpty(name, instance.number))
            elif not run.main:
                self._tell(Exited(name, instance.number, ExitStatus(), tree_left=True))
        self._resync_hooks()
        for name, files in self.files.items():
            if name in self.wanted:
                self._tell(FilesSeen(name, files))
        self.faithful = not self._late
        self._touched |= self.wanted.keys() | self.observed.keys()

    def _resync_hooks(self) -> None:
        """The end of a command that was told to nobody is seen by nobody any more."""
        coming = {one[2].name for one in self._coming if isinstance(one[2], HookEnded)}
        for name, state in list(self.observed.items()):
            hooking = state.history.hooking
            if hooking is not None and hooking.under_way and name not in coming:
                of = (name, hooking.number, hooking.moment, hooking.begun - 1)
                self._tell(HookEnded(*of, "nobody saw its end", transient=True))

    def die_and_return(self, keeps_histories: bool) -> None:
        """The daemon is killed and started again: facts under way are lost, processes are found."""
        before, self.observed, self.wake_at, self._late = self.observed, {}, {}, []
        self._coming = [
            coming for coming in self._coming if not isinstance(coming[2], ProbePassed | ProbeFailed)
        ]
        self.ending = False
        self.want({})
        for name, state in before.items():
            if keeps_histories:
                gone = state.instance is not None and self.machine.run(name, state.instance.number) is None
                history = state.history
                if history.timing is not None:
                    history = replace(history, timing=replace(history.timing, stale=True))
                self.observed[name] = replace(state, history=history) if gone else State(None, history)
            else:
                self.laws.forget(name)
        for run in [run for run in self.machine.living.values() if not run.abandoned]:
            age = self.now - run.started_at
            known = before.get(run.name, NOTHING_SEEN).instance
            asked = keeps_histories and known is not None and known.number == run.number
            ending = known.ending if asked and known is not None else Ending.ITSELF
            files = known.files if asked and known is not None else ()
            ready = asked and known is not None and known.ready_at is not None and bool(known.ready.ok)
            of = (run.name, run.number, run.pid, run.revision, run.token)
            needs = known.needs if asked and known is not None else ()
            self._tell(Adopted(*of, age, ending, files, ready, needs))
        self.resync()

    def write(self, name: str, files: Files) -> None:
        """Somebody changes the watched files of a process."""
        self.files[name] = files
        self._tell(FilesSeen(name, files))

    def run(self, until: float) -> None:
        """Live until a time."""
        self.turn()
        while (at := self._next_at()) <= until:
            late = _OVERSLEEPS if self.random.random() < self.disturbance.late else 0.0
            facts: list[Fact] = [*self.machine.advance(min(max(at, self.now) + late, until))]
            while self._late and self._late[0][0] <= self.now:
                self._tell(heapq.heappop(self._late)[2])
            while self._coming and self._coming[0][0] <= self.now:
                facts.append(heapq.heappop(self._coming)[2])
            for fact in facts:
                self._arrives(fact)
            self.turn()
        self.machine.advance(until)

    def turn(self) -> None:
        """Deadlines that have come, then plan and perform until there is nothing to do."""
        for name in [name for name, at in self.wake_at.items() if at is not None and at <= self.now]:
            self.wake_at[name] = None
            self._tell(DeadlinePassed(name))
            self._touched.add(name)
        for _ in range(_MOST_ROUNDS):
            names = sorted(self._touched)
            self._touched = set()
            decided = plan(self.desired, self.observed, self.now, self.policy, None if self.full else names)
            self.laws.planned(decided)
            self.wake_at.update(decided.wake_at)
            with suppress(_DaemonDied):
                for action in decided.actions:
                    self._perform(action)
            if not decided.actions and not self._touched:
                self.laws.turned()
                return
        raise Violation(f"no fixed point: {decided.actions}")

    # --- the insides -------------------------------------------------------------------

    def _next_at(self) -> float:
        times = [at for at in self.wake_at.values() if at is not None]
        queued = [queue[0][0] for queue in (self._late, self._coming) if queue]
        return min(self.machine.next_at, *queued, *times, NEVER)

    def _touch(self, name: str) -> None:
        self._touched |= neighbours(self.desired, name)

    def _arrives(self, fact: Fact) -> None:
        """A fact from outside, which may be disturbed on its way."""
        if isinstance(fact, LineSeen | Notified):
            self._tell(fact)  # what programs say waits in a socket or a file until it is read
            return
        chance = self.random.random()
        self.faithful = self.faithful and not self.disturbance.is_any
        lost, repeated = self.disturbance.lost, self.disturbance.lost + self.disturbance.repeated
        if chance < lost:
            self._touch(fact.name)
        elif chance < repeated:
            self._tell(fact)
            self._delay(fact)
        elif chance < repeated + self.disturbance.late:
            self._delay(fact)
        else:
            self._tell(fact)

    def _delay(self, fact: Fact) -> None:
        self._sequence += 1
        heapq.heappush(self._late, (self.now + self.random.choice((0.0, 0.5, 20.0)), self._sequence, fact))

    def tell(self, fact: Fact) -> None:
        """A fact that a caller brings about."""
        self._tell(fact)

    def _tell(self, fact: Fact) -> None:
        name = fact.name
        before = self.observed.get(name, NOTHING_SEEN)
        after = evolve(before, self.wanted.get(name), fact, self.now, self.policy)
        self.laws.told(fact, before, after)
        if isinstance(fact, Exited) and fact.tree_left and before.instance and after.instance is None:
            self._abandon(fact)
        if after is before:
            return
        self.observed[name] = after
        self._touch(name)

    def _abandon(self, fact: Exited) -> None:
        """Its children were left to themselves, which only `kill_group: false` allows."""
        wanted = self.wanted.get(fact.name)
        if wanted is None or wanted.spec.stop.kill_group:
            raise Violation(f"{fact.name}: what its main program left behind was forgotten")
        run = self.machine.run(fact.name, fact.number)
        if run is not None:
            run.abandoned = True

    def _perform(self, action: Action) -> None:
        if isinstance(action, Start):
            self._start(action)
        elif isinstance(action, Stop):
            self._stop(action)
        elif isinstance(action, Kill):
            self._kill(action)
        elif isinstance(action, Reload):
            self._reload(action)
        elif isinstance(action, RunProbe):
            self._probe(action)
        elif isinstance(action, RunHook):
            self._run_hook(action)
        elif isinstance(action, EndHook):
            self._end_hook(action)
        elif isinstance(action, PlanRun):
            self._plan_run(action)
        elif isinstance(action, DropTiming):
            self._tell(TimingDropped(action.name))
        elif isinstance(action, PassDeadline):
            self._tell(DeadlinePassed(action.name))
        elif isinstance(action, Forget):
            self._forget(action)

    def _start(self, action: Start) -> None:
        wanted = self.wanted[action.name]
        self.laws.starts(action)
        self.edited.discard(action.name)
        run = self.machine.start(action.name, action.number, wanted.revision, wanted.token)
        if self.dies_at_next_start:
            self.dies_at_next_start = False
            self.die_and_return(keeps_histories=True)
            if isinstance(run, Program) and wanted.spec.schedule.wanted:
                # It was noted before it was tried; it may have run, and nobody knows how that ended.
                self._tell(Adopted(action.name, action.number, 0, wanted.revision, wanted.token, 0.0))
                self._tell(Exited(action.name, action.number, ExitStatus()))
            raise _DaemonDied
        of = (action.name, action.number)
        if isinstance(run, Program):
            self._tell(refused(*of, wanted.revision, wanted.token, run))
        else:
            self._tell(Spawned(*of, run.pid, wanted.revision, wanted.token, action.needs))
            self._announce(run, wanted.spec.ready.kind)

    def _announce(self, run: Living, kind: str) -> None:
        """A program that says by itself when it is ready."""
        fact: Fact = (
            LineSeen(run.name, run.number, "ready")
            if kind == "log"
            else Notified(run.name, run.number, ready=True)
        )
        if kind in ("log", "notify") and run.program.serves_after < NEVER:
            self._comes(self.now + run.program.serves_after, fact)

    def _probe(self, action: RunProbe) -> None:
        """The result is what the program is when it comes."""
        self.laws.probes(action)
        of = (action.name, action.number, action.aspect, action.attempt)
        self._tell(ProbeBegun(*of))
        spec = self.wanted[action.name].spec
        limit = spec.ready.timeout if action.aspect == "ready" else spec.live.timeout
        run = self.machine.run(action.name, action.number)
        if run is None or not run.main:
            return
        at = self.now + min(run.program.answers_in, limit)
        well = run.program.answers_in < limit and run.program.is_well(at - run.started_at)
        self._comes(at, ProbePassed(*of) if well else ProbeFailed(*of, "no"))

    def _run_hook(self, action: RunHook) -> None:
        """It takes a while; those after an end may fail."""
        self.laws.hooks(action)
        of, wanted = (action.name, action.number, action.moment, action.index), self.wanted[action.name]
        self._tell(HookBegun(*of, wanted.revision, wanted.token))
        random = Random(repr(of))
        fails = action.moment is not Moment.PRE_START and random.random() < 0.3
        takes = min(random.choice((0.0, 0.1, 2.0, NEVER)), wanted.spec.hooks.timeout)
        self._comes(self.now + takes, HookEnded(*of, "it failed" if fails else ""))

    @property
    def wall(self) -> float:
        """The time of day, which somebody may set."""
        return self.machine.now + self.wall_offset

    def set_clock(self, seconds: float) -> None:
        """Somebody sets the time of day, and that is noticed."""
        self.wall_offset += seconds
        self.laws.clock_set(seconds)
        for name, state in list(self.observed.items()):
            if state.history.timing is not None:
                self._tell(ClockJumped(name))

    def _plan_run(self, action: PlanRun) -> None:
        name, schedule = action.name, self.wanted[action.name].spec.schedule
        known = self.observed.get(name, NOTHING_SEEN).history.timing
        if known is None or known.key != schedule.key:
            known = Timing(key=schedule.key)
        self._tell(work_out(name, schedule, known, self.wall, self.now, overlapped=action.overlapped))

    def _end_hook(self, action: EndHook) -> None:
        of = (action.name, action.number, action.moment, action.index)
        ends = [one for one in self._coming if one[2].name == action.name and isinstance(one[2], HookEnded)]
        self._coming = [one for one in self._coming if one not in ends]
        heapq.heapify(self._coming)
        self._tell(HookEnded(*of, action.reason, given_up=True))

    def _comes(self, at: float, fact: Fact) -> None:
        self._sequence += 1
        heapq.heappush(self._coming, (at, self._sequence, fact))

    def _stop(self, action: Stop) -> None:
        run = self._run(action)
        self.laws.stops(action, run)
        if run is not None:
            self.machine.ask(run, action.grace, action.tree)
        self._tell(StopSent(action.name, action.number, action.ending, self.now + action.grace))

    def _kill(self, action: Kill) -> None:
        run = self._run(action)
        self.laws.kills(action, run)
        if run is not None:
            self.machine.kill(run, action.tree)
        self._tell(KillSent(action.name, action.number, action.ending))

    def _reload(self, action: Reload) -> None:
        self.laws.reloads(action)
        self._tell(ReloadBegun(action.name, action.number, action.files))
        error = "no" if self.random.random() < 0.2 else ""
        done = Reloaded(action.name, action.number, action.files, error)
        if self.wanted[action.name].spec.on_change == "signal":
            self._tell(done)
            return
        self._sequence += 1
        heapq.heappush(self._late, (self.now + 0.5, self._sequence, done))

    def _run(self, action: Stop | Kill) -> Living | None:
        return self.machine.run(action.name, action.number)

    def _forget(self, action: Forget) -> None:
        self.laws.forgets(action)
        if action.name in self.wanted:
            self.want({action.name: None})
        self._touch(action.name)
        self._touched.discard(action.name)
        self.observed.pop(action.name, None)
        self.wake_at.pop(action.name, None)
        self._late = [late for late in self._late if late[2].name != action.name]
        heapq.heapify(self._late)
        self._coming = [coming for coming in self._coming if coming[2].name != action.name]
        heapq.heapify(self._coming)
