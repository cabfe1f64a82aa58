"""What must hold at every step of a simulated history, judged apart from the rules of the core.

`Laws` keeps its own account of each name, from the facts that were told and the actions that were
performed, and its own arithmetic: lower bounds, from the documentation and not from the code that
is proved here. A broken law raises `Violation`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct, field
from tests.support.simulation import Living, Violation

from pmon3_schema.process import ProcessSpec
from pmon3_schema.process_parts import Dependency
from pmon3_schema.status import Status
from pmond.core.actions import Forget, Kill, Reload, RunHook, RunProbe, Start, Stop, TurnPlan
from pmond.core.case import is_ready
from pmond.core.decide import decide
from pmond.core.events import events
from pmond.core.facts import (
    Adopted,
    Exited,
    Fact,
    HookEnded,
    KillSent,
    LineSeen,
    Notified,
    ProbeBegun,
    ProbeFailed,
    ProbePassed,
    Reset,
    Spawned,
    SpawnFailed,
    StopSent,
    TreeEmpty,
)
from pmond.core.hooking import Moment
from pmond.core.model import NOTHING_SEEN, Ending, ExitStatus, Instance, Intent, Phase, State
from pmond.core.plan import plan
from pmond.core.report import condition_values, report
from pmond.core.timing import Timing

if TYPE_CHECKING:
    from tests.support.simulated_loop import SimulatedLoop

_ROUNDING = 1e-6  # seconds


class Asked(Struct):
    """Results of one probe in a row, as they counted when they came."""

    attempt: int = 0
    awaited: bool = False
    begun_at: float = 0.0
    passes: int = 0
    failures: int = 0


class Account(Struct):
    """What happened to one name since its present revision and token were first tried."""

    tried: tuple[str, int] | None = None
    asked: bool = False
    """The present or last run was asked to end; then its end is no failure."""
    stops: int = 0
    grace_ends_at: float | None = None
    killed_at: float | None = None
    started_at: float = 0.0
    ended_at: float | None = None
    exit: ExitStatus | None = None
    """How its last run ended by itself."""
    error: str = ""
    transient: bool = False
    streak: int = 0
    failures: list[tuple[float, int]] = field(default_factory=list)
    """When it failed, and the limit that was in force."""
    restarts: list[float] = field(default_factory=list)
    period: float | None = None
    given_back: int = 0
    probes: dict[str, Asked] = field(default_factory=dict)
    """What the probes of the present run have found, by aspect."""
    ready_at: float | None = None
    """When its probe found it ready."""
    adopted: bool = False
    own_run: bool = False
    """The run that begins is one of its schedule, and no restart."""
    fault: bool = False
    """Its last run was stopped because it did not do its work."""


def is_up(loop: SimulatedLoop, name: str) -> bool:
    wanted = loop.wanted.get(name)
    if wanted is None or wanted.deleting or loop.ending:
        return False
    return wanted.spec.autostart if wanted.hold is None else wanted.hold.up


def is_success(spec: ProcessSpec, exit: ExitStatus | None) -> bool:
    return exit is not None and exit.signal is None and exit.code in spec.restart.success_exit_codes


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise Violation(message)


class Laws:
    """Judges one loop."""

    def __init__(self, loop: SimulatedLoop) -> None:
        self.loop = loop
        self.accounts: dict[str, Account] = {}
        self._planned: set[str] = set()
        self.on_time: dict[tuple[str, str], set[float | None]] = {}
        """Which times of each schedule were run."""
        self.tokens: dict[str, set[int]] = {}
        """Which runs that persons asked for were made."""
        self.hooked: dict[str, set[tuple[int, Moment, int]]] = {}
        """Which commands of hooks were run, of which runs."""

    def account(self, name: str) -> Account:
        return self.accounts.setdefault(name, Account())

    def forget(self, name: str) -> None:
        self.accounts.pop(name, None)
        self.hooked.pop(name, None)
        self.tokens.pop(name, None)
        self.on_time = {key: times for key, times in self.on_time.items() if key[0] != name}

    # --- facts -------------------------------------------------------------------------

    def told(self, fact: Fact, before: State, after: State) -> None:
        old, new = before.instance, after.instance
        if old is not None and new is not None:
            _require(old.number == new.number, f"{fact}: a run turned into another")
            _require(new.phase >= old.phase, f"{fact}: a phase went back")
        _require(after.history.number >= before.history.number, f"{fact}: numbers went back")
        if isinstance(fact, Exited | TreeEmpty | StopSent | KillSent):
            stale = old is None or old.number != fact.number
            _require(not stale or after is before, f"{fact}: an old fact changed something")
        list(events(fact.name, before, after))
        account = self.account(fact.name)
        if isinstance(fact, ProbeBegun | ProbePassed | ProbeFailed):
            self._probed(account, fact, new)
        if after is before:
            return
        if isinstance(fact, LineSeen | Notified) and old is not None and old.phase is Phase.STARTING:
            account.ready_at = self.loop.now
        if isinstance(fact, Exited):
            account.exit = fact.exit
        numbered = after.history.number > before.history.number
        if isinstance(fact, HookEnded) and fact.error and not fact.given_up and numbered:
            known = before.history.hooking  # a command before a start that failed: so has the start
            assert known is not None
            of = (fact.name, fact.number, known.revision, known.token)
            self._tried(account, SpawnFailed(*of, "HookFailed", fact.error, fact.transient))
        elif isinstance(fact, Spawned | Adopted | SpawnFailed):
            self._tried(account, fact)
        elif old is not None and new is None:
            self._ended(account, fact.name, old.ended_at)
        elif isinstance(fact, Reset):
            account.streak, account.period, account.given_back = 0, None, 0
            account.failures.clear()
            account.restarts.clear()

    def _tried(self, account: Account, fact: Spawned | Adopted | SpawnFailed) -> None:
        spec, now = self.loop.wanted[fact.name].spec, self.loop.now
        failed = account.ended_at is not None and not account.asked and account.exit is not None
        faulty = account.fault
        if account.tried != (fact.revision, fact.token):
            if not isinstance(fact, Adopted):
                self.accounts[fact.name] = account = Account()
            account.tried = (fact.revision, fact.token)
        elif (
            isinstance(fact, Spawned)
            and failed
            and not account.own_run
            and (faulty or not is_success(spec, account.exit))
        ):
            self._restarted(account, now)
        if isinstance(fact, SpawnFailed):
            account.error, account.transient, account.ended_at = fact.message, fact.transient, now
            account.streak += 1
            if not fact.transient:
                account.failures.append((now, spec.restart.max_failures))
            return
        age = fact.age if isinstance(fact, Adopted) else 0.0
        account.own_run = False
        account.started_at, account.error, account.transient = now - age, "", False
        account.asked = False
        account.stops, account.grace_ends_at, account.killed_at = 0, None, None
        account.probes, account.ready_at, account.adopted = {}, None, isinstance(fact, Adopted)
        account.fault = isinstance(fact, Adopted) and fact.ending.is_fault
        if isinstance(fact, Adopted):
            account.ready_at = now if fact.ready else None
            account.asked = not fact.ending.is_own

    def _probed(
        self, account: Account, fact: ProbeBegun | ProbePassed | ProbeFailed, run: Instance | None
    ) -> None:
        """Count a result by itself: once, and only for the try that is awaited."""
        if run is None or run.number != fact.number:
            return
        asked = account.probes.setdefault(fact.aspect, Asked())
        if isinstance(fact, ProbeBegun):
            asked.attempt, asked.awaited, asked.begun_at = fact.attempt, True, self.loop.now
            return
        if not asked.awaited or asked.attempt != fact.attempt:
            return
        asked.awaited = False
        spec = self.loop.wanted[fact.name].spec
        if isinstance(fact, ProbePassed):
            asked.passes, asked.failures = asked.passes + 1, 0
            if fact.aspect == "ready" and asked.passes >= spec.ready.successes and account.ready_at is None:
                account.ready_at = self.loop.now
            return
        young = (
            fact.aspect == "live" and self.loop.now < self._ready_since(account, run) + spec.live.start_period
        )
        asked.passes, asked.failures = 0, 0 if young else asked.failures + 1

    @staticmethod
    def _ready_since(account: Account, run: Instance) -> float:
        return run.ready_at if run.ready_at is not None else account.started_at

    def _restarted(self, account: Account, now: float) -> None:
        """One restart after a failure, for flap detection."""
        policy = self.loop.policy.flap
        self._end_period(account, now)
        if not policy.enabled:
            return
        if account.period is not None:
            account.given_back += 1
            return
        account.restarts = [at for at in account.restarts if at > now - policy.countdown] + [now]
        if len(account.restarts) >= policy.threshold:
            account.period, account.given_back = now, 0

    def _end_period(self, account: Account, now: float) -> None:
        if account.period is not None and now >= account.period + self.loop.policy.flap.countdown:
            account.period, account.restarts = None, []

    def _ended(self, account: Account, name: str, ended_at: float | None) -> None:
        at = self.loop.now if ended_at is None else ended_at
        account.ended_at = at
        if account.asked:
            account.streak, account.exit = 0, None
            account.failures.clear()
            return
        wanted = self.loop.wanted.get(name)
        if wanted is None:
            return
        stable = at - account.started_at >= wanted.spec.restart.stable_after
        account.streak = 1 if stable else account.streak + 1
        if account.fault or not is_success(wanted.spec, account.exit):
            account.failures.append((at, wanted.spec.restart.max_failures))

    def hooks(self, action: RunHook) -> None:
        """Each command once for one run, in order, and never beside a run."""
        name, key = action.name, (action.number, action.moment, action.index)
        account, wanted = self.account(name), self.loop.wanted[name]
        state = self.loop.observed.get(name, NOTHING_SEEN)
        _require(key not in self.hooked.setdefault(name, set()), f"{name}: hook {key} runs a second time")
        self.hooked[name].add(key)
        _require(state.instance is None, f"{name}: hook {key} runs beside a run")
        known = state.history.hooking
        _require(known is None or not known.under_way, f"{name}: two hooks at once")
        if action.moment is Moment.PRE_START:
            _require(action.number > state.history.number, f"{name}: a hook before a start that has been")
            _require(is_up(self.loop, name), f"{name}: a hook before a start that is not wanted")
            if not self.is_first(name) and not wanted.spec.schedule.wanted:
                self._restarts(name, wanted.spec, account, self.loop.now)
            return
        _require(action.number == state.history.number, f"{name}: a hook after an end that is not the last")
        if action.moment is Moment.ON_FAILURE and not account.error:
            failed = account.fault or not is_success(wanted.spec, account.exit)
            sure = name not in self.loop.edited
            _require((failed and not account.asked) or not sure, f"{name}: on_failure without a failure")

    def clock_set(self, seconds: float) -> None:
        """Set back by a lot: what ran under the wrong time says nothing about the right one."""
        if seconds < -3 * 3600:
            self.on_time.clear()

    def _starts_on_time(self, action: Start, wanted: Intent, timing: Timing) -> None:
        """Whatever asks for a run of a schedule, it asks once."""
        name, now, schedule = action.name, self.loop.now, wanted.spec.schedule
        _require(timing.key == schedule.key and not timing.stale, f"{name}: started by another schedule")
        served, edited = self.tokens.setdefault(name, {timing.token}), name in self.loop.edited
        match action.reason:
            case "asked":
                _require(wanted.token not in served, f"{name}: run {wanted.token} was asked for once")
            case "schedule":
                _require(timing.start_at is not None and now >= timing.start_at, f"{name}: not yet due")
                due = timing.due if schedule.cron else timing.due_at
                known = self.on_time.setdefault((name, schedule.key), set())
                _require(due not in known, f"{name}: the run of {due} is made a second time")
                known.add(due)
                early = schedule.cron and self.loop.wall < (timing.due or 0.0) - _ROUNDING
                _require(not early, f"{name}: started before its time")
            case "catch_up":
                _require(schedule.catch_up == "one" or edited, f"{name}: made up for what nobody misses")
            case "queue":
                _require(
                    schedule.overlap == "queue" or edited, f"{name}: runs after one that it was not to follow"
                )
            case "at_start":
                _require(schedule.at_start or edited, f"{name}: runs although it has just come to be")
            case _:
                self._restarts(name, wanted.spec, self.account(name), now)
                return
        served.add(wanted.token)
        account = self.account(name)  # a run of its own, whatever became of the last one
        account.streak, account.own_run = 0, True
        account.failures.clear()

    # --- actions -----------------------------------------------------------------------

    def starts(self, action: Start) -> None:
        name, now = action.name, self.loop.now
        _require(is_up(self.loop, name), f"{name}: started while it is not wanted up")
        wanted, account = self.loop.wanted[name], self.account(name)
        state = self.loop.observed.get(name, NOTHING_SEEN)
        _require(state.instance is None, f"{name}: started beside a run that is seen")
        hooking = state.history.hooking
        _require(hooking is None or not hooking.under_way, f"{name}: started beside a hook")
        hooked = {index for number, moment, index in self.hooked.get(name, ()) if number == action.number}
        before = set(range(len(wanted.spec.hooks.pre_start)))
        _require(hooked >= before or name in self.loop.edited, f"{name}: started after the hooks {hooked}")
        _require(action.number > state.history.number, f"{name}: run {action.number} was there before")
        timing = state.history.timing
        if wanted.spec.schedule.wanted:
            _require(timing is not None, f"{name}: started before its schedule was looked at")
            if timing is not None:
                self._starts_on_time(action, wanted, timing)
            return
        if self.is_first(name):
            for need in wanted.spec.dependencies:
                _require(self._is_met(need), f"{name}: started before {need.name}")
            return
        self._restarts(name, wanted.spec, account, now)

    def is_first(self, name: str) -> bool:
        """Whether its next start is no restart after an end of its own."""
        wanted, account = self.loop.wanted[name], self.account(name)
        if account.tried != (wanted.revision, wanted.token):
            return True
        return account.asked and not account.error

    def _is_met(self, need: Dependency) -> bool:
        name = need.name
        wanted = self.loop.wanted.get(name)
        if wanted is None:
            return True
        instance = self.loop.observed.get(name, NOTHING_SEEN).instance
        if wanted.spec.schedule.wanted and need.condition != "completed" and is_up(self.loop, name):
            return True
        begins = instance is not None and wanted.spec.schedule.wanted and instance.started_at == self.loop.now
        if instance is None or begins:  # what is planned beside its next run was decided before that
            return self.is_completed(name, wanted) or not need.required
        if not need.required and not is_up(self.loop, name):
            return True
        if need.condition == "completed":
            return False
        if need.condition == "ready" or (not need.condition and wanted.spec.ready.kind):
            return instance.phase is Phase.RUNNING and self._was_ready(name, wanted.spec, instance)
        settled = self.loop.now >= instance.started_at + self.loop.policy.settle
        return settled and (instance.phase is Phase.RUNNING or bool(wanted.spec.ready.kind))

    def _was_ready(self, name: str, spec: ProcessSpec, instance: Instance) -> bool:
        """By its probe; or what it said to an earlier pmond may be lost, and its deadline has passed."""
        account = self.account(name)
        if not spec.ready.kind:
            return True  # running is all there is
        if spec.ready.delay:
            return self.loop.now >= instance.started_at + spec.ready.delay or name in self.loop.edited
        patient = spec.ready.kind in ("log", "notify") and account.adopted
        waited = patient and self.loop.now >= instance.started_at + spec.ready.deadline - _ROUNDING
        return account.ready_at is not None or waited or name in self.loop.edited

    def is_completed(self, name: str, wanted: Intent) -> bool:
        account = self.account(name)
        ended = account.exit is not None and not account.error and not account.asked and not account.fault
        tried = account.tried == (wanted.revision, wanted.token)
        return ended and tried and wanted.spec.policy != "always" and is_success(wanted.spec, account.exit)

    def _restarts(self, name: str, spec: ProcessSpec, account: Account, now: float) -> None:
        restart, success = spec.restart, is_success(spec, account.exit)
        if not account.transient:
            _require(spec.policy != "never", f"{name}: restarted against its policy")
            newest = account.failures[-restart.max_failures :] if restart.max_failures else []
            recent = [at for at, limit in newest if limit == restart.max_failures]
            given_up = bool(recent) and len(recent) == restart.max_failures
            given_up = given_up and recent[-1] - recent[0] < restart.window
            _require(not given_up, f"{name}: restarted after it was given up")
        if not account.error:
            fine = success and not account.fault
            _require(spec.policy != "on-failure" or not fine, f"{name}: restarted after success")
            code = account.exit.code if account.exit is not None and not account.fault else None
            _require(code is None or code not in restart.no_restart_exit_codes, f"{name}: {code} is final")
        self._end_period(account, now)
        if account.period is not None and not account.error and (account.fault or not success):
            policy = self.loop.policy.flap
            wait = (account.given_back + 1) * policy.decrement if policy.decrement else policy.countdown
            allowed = account.period + min(wait, policy.countdown)
            _require(now >= allowed - _ROUNDING, f"{name}: restarted while flapping, allowed at {allowed}")
        elif account.streak > 1 and account.ended_at is not None:
            longest = max(restart.delay, restart.max_delay)
            delay = min(restart.delay * 2.0 ** min(account.streak - 2, 99), longest)
            allowed = account.ended_at + delay * (1 - restart.jitter)
            _require(now >= allowed - _ROUNDING, f"{name}: restarted at {now}, in backoff until {allowed}")

    def stops(self, action: Stop, run: Living | None) -> None:
        name, account = action.name, self.account(action.name)
        wanted = self.loop.wanted.get(name)
        instance = self.loop.observed[name].instance
        assert instance is not None
        cleared = instance.ended_at is not None
        if not cleared and is_up(self.loop, name):
            assert wanted is not None
            changed = instance.revision != wanted.revision and not wanted.deferred
            changed = changed and not wanted.spec.schedule.wanted
            overtaken = wanted.spec.schedule.overlap == "replace" and action.ending is Ending.SUPERSEDED
            begun = account.asked or account.fault  # by an earlier pmond
            files = wanted.spec.on_change == "restart" and self.is_behind(name)
            asked = instance.token != wanted.token
            fault = self._is_faulty(name, wanted.spec, instance)
            _require(
                action.ending.is_fault <= (fault or begun), f"{name}: stopped for a fault that it has not"
            )
            followed = self.is_left_behind(name, wanted.spec, instance)
            whatever = overtaken or changed or asked or begun or files or fault or followed
            _require(whatever, f"{name}: stopped for no reason")
        if not cleared and not is_up(self.loop, name):
            self._stops_in_order(name)
        _require(account.stops == 0, f"{name}: asked to end a second time")
        account.stops += 1
        account.asked = account.asked or not (cleared or action.ending.is_fault)
        account.fault = account.fault or (not cleared and action.ending.is_fault)
        account.grace_ends_at = self.loop.now + (wanted.spec.stop.timeout if wanted else 10.0)

    def _is_faulty(self, name: str, spec: ProcessSpec, instance: Instance) -> bool:
        """Whether it was not ready in time, or its live probe failed exactly as often as it may not."""
        account = self.account(name)
        live = account.probes.get("live", Asked())
        if spec.live.kind and live.failures >= spec.live.failures:
            exactly = live.failures == spec.live.failures or name in self.loop.edited
            _require(exactly, f"{name}: failed more often than it may")
            return True
        probed = spec.ready.kind not in ("", "delay") and account.ready_at is None and not account.adopted
        return probed and self.loop.now >= instance.started_at + spec.ready.deadline - _ROUNDING

    def probes(self, action: RunProbe) -> None:
        name, account = action.name, self.account(action.name)
        instance, wanted = self.loop.observed[name].instance, self.loop.wanted.get(name)
        _require(wanted is not None and is_up(self.loop, name), f"{name}: probed while it is not wanted up")
        assert instance is not None and wanted is not None
        _require(instance.phase < Phase.STOPPING, f"{name}: probed while it is stopping")
        live = action.aspect == "live"
        _require(
            not live or instance.phase is Phase.RUNNING, f"{name}: asked whether it lives before it was ready"
        )
        asked = account.probes.get(action.aspect, Asked())
        probe = wanted.spec.live if live else wanted.spec.ready
        _require(probe.kind == "exec", f"{name}: probed by {probe.kind!r}")
        since = self.loop.now - asked.begun_at
        _require(not asked.awaited or since >= probe.timeout, f"{name}: probed twice at once")
        _require(
            not asked.attempt or since >= probe.interval - _ROUNDING or name in self.loop.edited,
            f"{name}: probed too soon",
        )

    def is_left_behind(self, name: str, spec: ProcessSpec, instance: Instance) -> bool:
        """Whether a dependency that it is to follow has another run, which is what it is waited for."""
        known = dict(instance.needs)
        for need in spec.dependencies:
            wanted = self.loop.wanted.get(need.name)
            other = self.loop.observed.get(need.name, NOTHING_SEEN).instance
            if other is None or wanted is None:
                continue
            again = other.number != known.get(need.name, other.number)
            if need.restart and again and is_ready(wanted, other):
                return True
        return False

    def is_behind(self, name: str) -> bool:
        """Whether its files say something else than when it read them."""
        instance = self.loop.observed.get(name, NOTHING_SEEN).instance
        read = dict(instance.files) if instance is not None else {}
        return any(read.get(path, digest) != digest for path, digest in self.loop.files.get(name, ()))

    def reloads(self, action: Reload) -> None:
        name = action.name
        instance, wanted = self.loop.observed[name].instance, self.loop.wanted.get(name)
        _require(wanted is not None and is_up(self.loop, name), f"{name}: reloaded while it is not wanted up")
        assert instance is not None and wanted is not None
        _require(wanted.spec.on_change in ("reload", "signal"), f"{name}: reloaded against its on_change")
        _require(instance.phase is Phase.RUNNING, f"{name}: reloaded while it is {instance.phase.name}")
        _require(instance.reloading is None, f"{name}: reloaded while it reloads")
        _require(self.is_behind(name), f"{name}: reloaded for no reason")

    def _stops_in_order(self, name: str) -> None:
        for other, wanted in self.loop.wanted.items():
            if name in wanted.spec.needs and not is_up(self.loop, other):
                alive = self.loop.observed.get(other, NOTHING_SEEN).instance is not None
                _require(not alive, f"{name}: stopped before {other}, which needs it")

    def kills(self, action: Kill, run: Living | None) -> None:
        name, now, account = action.name, self.loop.now, self.account(action.name)
        wanted = self.loop.wanted.get(name)
        if account.killed_at is not None:
            again = account.killed_at + self.loop.policy.empty_tree
            _require(now >= again - _ROUNDING, f"{name}: killed again too soon")
        elif wanted is None or not wanted.forced or is_up(self.loop, name):
            ends = account.grace_ends_at
            _require(ends is not None and now >= ends - _ROUNDING, f"{name}: killed before its grace")
        account.killed_at = now
        instance = self.loop.observed[name].instance
        cleared = instance is not None and instance.ended_at is not None
        account.asked = (
            account.asked or (not cleared and not action.ending.is_fault) or not action.ending.is_own
        )

    def forgets(self, action: Forget) -> None:
        wanted = self.loop.wanted.get(action.name)
        _require(wanted is None or wanted.deleting, f"{action.name}: forgotten while declared")
        _require(not any(self.loop.machine.of(action.name)), f"{action.name}: forgotten while alive")
        self.forget(action.name)

    # --- plans and turns ---------------------------------------------------------------

    def planned(self, decided: TurnPlan) -> None:
        self._planned |= decided.wake_at.keys()
        commands = [action.name for action in decided.actions]
        _require(len(commands) == len(set(commands)), f"two actions for one name: {decided.actions}")
        for name, at in decided.wake_at.items():
            _require(at is None or at > self.loop.now, f"{name}: wakes at {at}, now is {self.loop.now}")

    def turned(self) -> None:
        """After a turn: nothing more to do, the same plan for all names, and a true report."""
        loop = self.loop
        whole = plan(loop.desired, loop.observed, loop.now, loop.policy)
        _require(not whole.actions, f"planning neighbours alone missed {whole.actions}")
        known = {name: loop.wake_at.get(name) for name in whole.wake_at}
        _require(whole.wake_at == known, f"planning neighbours alone missed {whole.wake_at}, has {known}")
        for name, wanted in loop.wanted.items():
            instance = loop.observed.get(name, NOTHING_SEEN).instance
            if instance is not None and instance.phase is Phase.RUNNING and is_up(loop, name):
                left = self.is_left_behind(name, wanted.spec, instance)
                _require(not left, f"{name}: does not follow its dependency")
        for name in self._planned & whole.wake_at.keys():
            self._reported(name)
        self._planned.clear()

    def _reported(self, name: str) -> None:
        loop = self.loop
        seen = report(name, loop.desired, loop.observed, loop.now, loop.policy)
        list(condition_values(name, loop.desired, loop.observed, loop.now, loop.policy))
        instance = loop.observed.get(name, NOTHING_SEEN).instance
        alive = instance is not None and instance.ended_at is None
        if seen.status in {Status.RUNNING, Status.INIT}:
            hooking = loop.observed.get(name, NOTHING_SEEN).history.hooking
            before = seen.status is Status.INIT and hooking is not None and hooking.under_way
            _require(alive or before, f"{name}: shown as {seen.status.word}, but it is not alive")
        if seen.status in {Status.STOPPED, Status.CLOSED, Status.COMPLETED, Status.FAILED, Status.BACKOFF}:
            _require(instance is None, f"{name}: shown as {seen.status.word}, but it is there")
        if loop.faithful and instance is None:
            _require(
                not any(loop.machine.of(name)), f"{name}: shown as {seen.status.word}, but some of it lives"
            )
        if loop.faithful and instance is not None:
            run = loop.machine.run(name, instance.number)
            _require(run is not None and run.main == alive, f"{name}: seen as alive or not, in error")
        if seen.status is Status.BACKOFF:
            at = decide(name, loop.desired, loop.observed, loop.now, loop.policy).wake_at
            _require(at is not None and seen.next_start_at == at, f"{name}: no time of its next start")
