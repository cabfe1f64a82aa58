"""Intent processes without a daemon: the real planner, the real core, programs that obey at once.

One with the argument `fail` ends with an error as soon as it is started.

What the shell does with files, sockets and processes is left out; what it decides is not, because
all of that is in the core. `settle` runs until nothing is left to do.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct, field
from msgspec.structs import replace

from pmon3_schema.process import ProcessSpec
from pmond.core import pruning
from pmond.core.actions import Action, Forget, Kill, Reload, Start, Stop
from pmond.core.case import changed_files, waits_for_restart
from pmond.core.compare import Comparison, compare
from pmond.core.evolve import evolve
from pmond.core.facts import (
    DeadlinePassed,
    Exited,
    Fact,
    FilesSeen,
    KillSent,
    ReloadBegun,
    Reloaded,
    Spawned,
    StopSent,
)
from pmond.core.intent import Runs, bring_in, existing, held, released
from pmond.core.model import NOTHING_SEEN, NOWHERE, Desired, ExitStatus, Hold, Intent, Policy, State
from pmond.core.pace import Pace, look
from pmond.core.plan import dependants_of, plan
from pmond.core.replicas import expand, meant, names_by_entry
from pmond.core.report import report
from pmond.core.rollout import Advance, Rollout, RolloutOptions, advance, rollout_of
from pmond.core.step import CompareOptions

_MOST_ROUNDS = 2_000


class Rejected(Exception):
    """A conflict or a guard; nothing was changed."""


class DeclaredWorld(Struct):
    """All that is declared and all that runs."""

    intents: dict[str, Intent] = field(default_factory=dict)
    observed: dict[str, State] = field(default_factory=dict)
    now: float = 0.0
    pids: int = 100
    run_specs: dict[int, ProcessSpec] = field(default_factory=dict)
    """What each program was started with, by pid."""
    log: list[str] = field(default_factory=list)
    """Names in the order in which they were started (`+`) and stopped (`-`)."""

    def compare(self, specs: Sequence[ProcessSpec], options: CompareOptions) -> Comparison:
        """The plan. Raises Refused."""
        running = {name: self._runs(name) for name in self.intents if self.pid_of(name)}
        expanded = expand(specs, self.intents, options.owner, options.implied)
        comparison = compare(expanded.specs, existing(self.intents, running), options, expanded.replicas)
        if comparison.conflicts or pruning.refusal(comparison, options):
            raise Rejected
        return comparison

    def apply(self, specs: Sequence[ProcessSpec], options: CompareOptions) -> Comparison:
        """Bring a manifest in and let everything come to rest. Raises Refused."""
        comparison = self.begin(specs, options)
        self.settle()
        return comparison

    def begin(self, specs: Sequence[ProcessSpec], options: CompareOptions) -> Comparison:
        """Bring a manifest in; nothing has happened yet."""
        comparison = self.compare(specs, options)
        expanded = expand(specs, self.intents, options.owner, options.implied)
        by_entry: dict[str, list[str]] = {}
        for spec, entry in zip(expanded.specs, expanded.entries, strict=True):
            by_entry.setdefault(entry.name, []).append(spec.name)
        declared = {name: one.spec.needs for name, one in self.intents.items()}
        declared |= {spec.name: meant(spec.needs, by_entry) for spec in expanded.specs}
        self.rollout: Rollout | None = rollout_of(comparison, declared, self.rollout_options)
        places = {spec.name: NOWHERE for spec in expanded.specs}
        brought = bring_in(comparison, self.intents, places, options, staged=self.rollout is not None)
        for old, new in brought.moved.items():
            del self.intents[old]
            self.observed[new] = self.observed.pop(old, NOTHING_SEEN)
        self.intents.update(brought.intents)
        return comparison

    rollout: Rollout | None = None
    rollout_options: RolloutOptions = RolloutOptions(parallel=1)
    paces: dict[str, Pace] = field(default_factory=dict)
    """How far the processes of the rollout were at the last look."""

    def settle(self) -> None:
        """Act until nothing is left to do."""
        for _ in range(_MOST_ROUNDS):
            planned = plan(self._desired(), self.observed, self.now, Policy())
            for action in planned.actions:
                self._perform(action)
            if planned.actions or self.roll_out():
                continue
            times = [at for at in (*planned.wake_at.values(), *self.deadlines()) if at is not None]
            if not times:
                return
            self.now = max(self.now, min(times))
            for name in planned.wake_at:
                self._tell(DeadlinePassed(name))
        raise AssertionError("it does not come to rest")

    def deadlines(self) -> list[float]:
        """When something else than a process is to be looked at again."""
        return []

    def crash(self, name: str) -> None:
        """Its program ends by itself, with an error, after a long run: nothing is given up for that."""
        state = self.observed.get(name, NOTHING_SEEN)
        if state.instance is not None:
            self.now += 3600.0
            self._tell(Exited(name, state.instance.number, ExitStatus(code=1)))
            self.settle()

    def write(self, name: str, *files: tuple[str, str]) -> None:
        """Its watched files say this from now on."""
        self._tell(FilesSeen(name, files))
        self.settle()

    def hold(self, name: str, hold: Hold | None) -> None:
        one = self.intents[name]
        lifted = replace(one, hold=None, generation=one.generation + 1)
        self.intents[name] = held(one, hold) if hold is not None else lifted
        self.settle()

    def pid_of(self, name: str) -> int:
        instance = self.observed.get(name, NOTHING_SEEN).instance
        return instance.pid if instance is not None else 0

    def picture(self) -> dict[str, tuple[Intent, int]]:
        """Everything that a person could see to have changed."""
        return {name: (one, self.pid_of(name)) for name, one in self.intents.items()}

    def _runs(self, name: str) -> Runs:
        state, one = self.observed[name], self.intents[name]
        assert state.instance is not None
        outdated = waits_for_restart(one, state)
        earlier = self.run_specs[state.instance.pid] if outdated else None
        return Runs(state.instance.revision, outdated, bool(changed_files(state)), earlier)

    def _desired(self) -> Desired:
        replicas = names_by_entry(self.intents.values())
        pairs = ((name, meant(one.spec.needs, replicas)) for name, one in self.intents.items())
        return Desired(self.intents, dependants_of(pairs), replicas=replicas)

    def entries(self) -> list[ProcessSpec]:
        """What is declared, as export would say it: replicas together, as many as there are."""
        found: dict[str, ProcessSpec] = {}
        for one in self.intents.values():
            replica = one.replica
            entry = replace(replica.entry, replicas=replica.count) if replica is not None else one.spec
            found.setdefault(entry.name, entry)
        return list(found.values())

    def roll_out(self) -> bool:
        """Let those go whose turn has come; whether there were any."""
        if self.rollout is None:
            return False
        names = [name for wave in self.rollout.waves for name in wave if name in self.intents]
        self.paces = {name: self._pace(name, self.rollout.patience) for name in names}
        move = advance(self.rollout, {name: pace.progress for name, pace in self.paces.items()}, self._gone())
        self.moved(self.rollout, move)
        for name in move.release:
            self.intents[name] = released(self.intents[name])
        if move.outcome:
            self.rollout, self.paces = None, {}
        return bool(move.release)

    def moved(self, rollout: Rollout, move: Advance) -> None:
        """Told of each move before it is made; a law may look at it."""

    def _gone(self) -> bool:
        assert self.rollout is not None
        return not any(name in self.intents and self.intents[name].deleting for name in self.rollout.gone)

    def _pace(self, name: str, patience: float) -> Pace:
        seen = report(name, self._desired(), self.observed, self.now, Policy())
        state = self.observed.get(name, NOTHING_SEEN)
        known, in_turn = self.paces.get(name), name in (self.rollout.entries if self.rollout else {})
        return look(known, self.intents[name], state, seen, self.now, patience, in_turn=in_turn)

    def _perform(self, action: Action) -> None:
        name = action.name
        if isinstance(action, Start):
            wanted = self._desired().wanted[name]
            self.pids += 1
            self.run_specs[self.pids] = wanted.spec
            self.log.append(f"+{name}")
            self._tell(Spawned(name, action.number, self.pids, wanted.revision, wanted.token, action.needs))
            if "fail" in wanted.spec.args:
                self._tell(Exited(name, action.number, ExitStatus(code=1)))
        elif isinstance(action, Stop):
            self.log.append(f"-{name}")
            self._tell(StopSent(name, action.number, action.ending, self.now + action.grace))
            self._tell(Exited(name, action.number, ExitStatus(signal=15)))
        elif isinstance(action, Kill):
            self._tell(KillSent(name, action.number, action.ending))
            self._tell(Exited(name, action.number, ExitStatus(signal=9)))
        elif isinstance(action, Reload):
            self.log.append(f"~{name}")
            self._tell(ReloadBegun(name, action.number, action.files))
            self._tell(Reloaded(name, action.number, action.files))
        elif isinstance(action, Forget):
            self.intents.pop(name, None)
            self.observed.pop(name, None)

    def _tell(self, fact: Fact) -> None:
        wanted = self._desired().wanted.get(fact.name)
        before = self.observed.get(fact.name, NOTHING_SEEN)
        self.observed[fact.name] = evolve(before, wanted, fact, self.now, Policy())
