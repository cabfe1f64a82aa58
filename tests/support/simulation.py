"""A simulated machine: processes that live, crash, disobey and leave others behind, and a clock.

Theory of operation: a `Program` says how one run behaves. `SimulatedMachine` keeps what really lives, and a
queue of what will happen; `advance` moves its clock and answers with the facts that a kernel would
report. It knows nothing of the core and is the truth that the core's picture is compared with. It
refuses to be misused: a second main program of one name is a `Violation` at once.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Iterator

from msgspec import Struct, field

from pmond.core.facts import Exited, SpawnFailed, TreeEmpty
from pmond.core.model import ExitStatus

NEVER = math.inf
SUCCESS, SIGKILL = ExitStatus(code=0), ExitStatus(signal=9)


class Violation(AssertionError):
    """A law was broken."""


class Program(Struct, frozen=True):
    """How one run of a program behaves. Durations in seconds; `NEVER` for what does not happen."""

    lives: float = NEVER
    exit: ExitStatus = SUCCESS
    stops_in: float = 0.0
    """How long it takes to end when asked; NEVER: it ignores that."""
    leaves: ExitStatus = ExitStatus(signal=15)
    """How it ends when asked."""
    dies_in: float = 0.0
    """How long it takes to end after SIGKILL: more than 0 is an uninterruptible wait."""
    tree: bool = False
    """It has children, which outlive it until they are signalled."""
    tree_stops_in: float = 0.0
    refusal: str = ""
    """Why it cannot be started at all, as one word. With a finite `lives`: known only after that, as from
    a launcher that changes the user first."""
    transient: bool = False
    """The refusal is for want of resources."""
    serves_after: float = 0.0
    """How long it takes until its probes pass; NEVER: they never do."""
    sick_after: float = NEVER
    """From when on its probes fail."""
    answers_in: float = 0.05
    """How long a probe of it takes; NEVER: it hangs until its time limit."""

    def is_well(self, age: float) -> bool:
        """What a probe finds at that age."""
        return self.serves_after <= age < self.sick_after


class Living(Struct):
    """One run, as it really is."""

    name: str
    number: int
    pid: int
    revision: str
    token: int
    program: Program
    started_at: float
    main: bool = True
    tree: bool = False
    abandoned: bool = False
    """Its tree was left to itself on purpose: nobody's business any more."""
    asked_at: float | None = None
    grace_ends_at: float | None = None
    killed_at: float | None = None


Programs = Callable[[str, int, str], Program]
"""How run `number` of `name` at a revision behaves."""


Happened = Exited | TreeEmpty | SpawnFailed


def refused(name: str, number: int, revision: str, token: int, program: Program) -> SpawnFailed:
    """The fact that a program could not be started."""
    why = f"cannot start {name}: {program.refusal}"
    return SpawnFailed(name, number, revision, token, program.refusal, why, program.transient)


class SimulatedMachine(Struct):
    """The truth. `living` is keyed by pid."""

    programs: Programs
    now: float = 0.0
    living: dict[int, Living] = field(default_factory=dict)
    _queue: list[tuple[float, int, int, ExitStatus | None]] = field(default_factory=list)
    _sequence: int = 0
    _last_pid: int = 1000

    @property
    def next_at(self) -> float:
        """When something happens by itself next."""
        return self._queue[0][0] if self._queue else NEVER

    def of(self, name: str) -> Iterator[Living]:
        """What lives of a name, without what was abandoned."""
        return (each for each in self.living.values() if each.name == name and not each.abandoned)

    def run(self, name: str, number: int) -> Living | None:
        return next((each for each in self.of(name) if each.number == number), None)

    def has_main(self, name: str) -> bool:
        return any(each.main for each in self.of(name))

    def start(self, name: str, number: int, revision: str, token: int) -> Living | Program:
        """Start a run; the `Program` itself when it refuses."""
        if any(self.of(name)):
            raise Violation(f"{name}: run {number} starts beside what an earlier one has left")
        program = self.programs(name, number, revision)
        if program.refusal and program.lives == NEVER:
            return program
        self._last_pid += 1
        run = Living(name, number, self._last_pid, revision, token, program, self.now, tree=program.tree)
        self.living[run.pid] = run
        self._later(run, program.lives, program.exit)
        return run

    def ask(self, run: Living, grace: float, tree: bool) -> None:
        """The stop signal, to the main program or the whole tree."""
        if run.asked_at is None:
            run.asked_at, run.grace_ends_at = self.now, self.now + grace
        self._later(run, run.program.stops_in, run.program.leaves)
        if tree:
            self._later(run, run.program.tree_stops_in, None)

    def kill(self, run: Living, tree: bool) -> None:
        """SIGKILL, to the main program or the whole tree."""
        run.killed_at = self.now
        self._later(run, run.program.dies_in, SIGKILL)
        if tree:
            self._later(run, run.program.dies_in, None)

    def murder(self, run: Living) -> None:
        """Somebody else kills its main program."""
        self._later(run, 0.0, SIGKILL)

    def advance(self, at: float) -> list[Happened]:
        """Move the clock to `at`; what happened on the way, in order."""
        facts: list[Happened] = []
        while self._queue and self._queue[0][0] <= at:
            self.now, _, pid, exit = heapq.heappop(self._queue)
            run = self.living.get(pid)
            if run is not None:
                facts += self._happens(run, exit)
        self.now = at
        return facts

    def _happens(self, run: Living, exit: ExitStatus | None) -> Iterator[Happened]:
        """The main program ends with `exit`, or (None) the rest of the tree ends."""
        if exit is not None and run.main:
            run.main = False
            if run.program.refusal:
                yield refused(run.name, run.number, run.revision, run.token, run.program)
            else:
                yield Exited(run.name, run.number, exit, tree_left=run.tree)
        elif exit is None and run.tree:
            run.tree = False
            if not run.main and not run.abandoned:
                yield TreeEmpty(run.name, run.number)
        if not run.main and not run.tree:
            self.living.pop(run.pid, None)

    def _later(self, run: Living, seconds: float, exit: ExitStatus | None) -> None:
        if seconds < NEVER:
            self._sequence += 1
            heapq.heappush(self._queue, (self.now + seconds, self._sequence, run.pid, exit))
