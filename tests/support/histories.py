"""Generated histories: what people, manifests and misfortune do to a daemon over some minutes.

A `GeneratedHistory` is data made from a seed: steps at random times. The behaviour of each run depends on the
seed, the name and the number of the run alone, so a history can be cut down without changing the rest.
`live` runs one and judges its end; `shortened` cuts a failing one down to what matters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache, partial
from random import Random
from typing import Any

from msgspec import Struct
from msgspec.structs import replace
from tests.support.factories import hold, spec
from tests.support.laws import is_up
from tests.support.simulated_loop import Disturbance, SimulatedLoop
from tests.support.simulation import NEVER, Program, SimulatedMachine, Violation

from pmon3_schema.process import ProcessSpec
from pmon3_schema.status import Status
from pmond.core.facts import Reset, RestartAsked
from pmond.core.model import ExitStatus, FlapPolicy, Intent, Phase, Policy
from pmond.core.report import report

OBEDIENT = ("steady", "stubborn", "rooted")
"""Kinds that live for ever."""
KINDS = (
    *OBEDIENT,
    "steady",
    "starved",
    "crasher",
    "crasher",
    "leaver",
    "job",
    "double",
    "missing",
    "misled",
    "late",
    "never-ready",
    "sick",
    "sick",
    "sick",
)
CALM = 250.0
"""Long enough, in seconds, for every delay, grace and stop in order to have passed."""


class HistoryStep(Struct, frozen=True):
    """What happens `after` seconds to `name`."""

    after: float
    verb: str
    name: str
    values: dict[str, Any]

    def __str__(self) -> str:
        values = {key: value.to_record() if key == "spec" else value for key, value in self.values.items()}
        return f"{self.after:g} s later: {self.verb} {self.name} {values}"


class GeneratedHistory(Struct, frozen=True):
    seed: int
    policy: Policy
    disturbance: Disturbance
    steps: tuple[HistoryStep, ...]

    def __str__(self) -> str:
        lines = [f"seed {self.seed}, {self.policy.flap}, {self.disturbance}", *map(str, self.steps)]
        return "\n".join(lines)


# --- programs ------------------------------------------------------------------------------


def program(seed: int, name: str, number: int, revision: str) -> Program:
    """How a run behaves; the kind stands at the start of its revision."""
    kind = revision.partition(" ")[0]
    random = Random(f"{seed} {name} {number} {revision}")
    if kind == "misled":
        return Program(lives=random.choice((0.0, 0.02)), refusal="PermissionDenied")
    if kind in {"missing", "starved"}:
        refused = kind == "missing" or number % 4 < random.choice((0, 3))
        code = "FileNotFound" if kind == "missing" else "OutOfProcesses"
        return Program(refusal=code, transient=kind == "starved") if refused else Program()
    stops_in, dies_in = random.choice((0.0, 0.0, 0.4, NEVER)), random.choice((0.0, 0.0, 0.3, 5.0))
    tree = random.random() < (0.9 if kind in {"rooted", "double", "leaver"} else 0.1)
    lasting = Program(NEVER, stops_in=0.1, tree=tree, tree_stops_in=random.choice((0.0, 1.0, NEVER)))
    if kind in {"steady", "rooted"}:
        return lasting
    if kind in {"late", "never-ready"}:
        return replace(lasting, serves_after=random.choice((0.5, 3.0, 7.0)) if kind == "late" else NEVER)
    if kind == "sick":
        return replace(
            lasting,
            sick_after=random.choice((1.0, 6.0)),
            answers_in=random.choice((0.05, 0.05, 1.5, NEVER)),
            leaves=random.choice((ExitStatus(code=0), lasting.leaves)),
        )
    if kind == "stubborn":
        return replace(lasting, stops_in=stops_in, dies_in=dies_in)
    lives = random.choice((0.0, 0.0, 0.05, 0.5, 3.0, 15.0))
    exit = ExitStatus(code=0)
    if kind in {"crasher", "leaver"}:
        endings = (
            ExitStatus(1),
            ExitStatus(1),
            ExitStatus(2),
            ExitStatus(0),
            ExitStatus(signal=11),
            ExitStatus(),
        )
        exit = random.choice(endings)
    return replace(lasting, lives=lives, exit=exit, stops_in=stops_in, dies_in=dies_in)


# --- generation ----------------------------------------------------------------------------


READY: tuple[dict[str, Any], ...] = (
    {}, {}, {}, {},
    {"ready": {"exec": ["/bin/true"], "interval": "7s"}},
    {"ready": {"exec": ["/bin/true"], "interval": "5s", "successes": 2, "failures": 2, "deadline": 0}},
    {"ready": {"notify": True, "deadline": "8s"}},
    {"ready": {"log": "ready"}},
    {"ready": {"delay": "2s"}},
)  # fmt: skip
LIVE: tuple[dict[str, Any], ...] = (
    {}, {},
    {"live": {"exec": ["/bin/true"], "interval": "3s", "timeout": "1s", "start_period": "3s"}},
    {"live": {"exec": ["/bin/true"], "interval": "20s", "timeout": "1s", "start_period": "3s"}},
    {"live": {"exec": ["/bin/true"], "interval": "9s", "failures": 1, "start_period": 0}},
)  # fmt: skip


HOOKS: tuple[dict[str, Any], ...] = (
    {}, {}, {}, {}, {},
    {"hooks": {"pre_start": ["/bin/true", "/bin/true"]}},
    {"hooks": {"post_stop": ["/bin/true", "/bin/true"]}},
    {"hooks": {"on_failure": ["/bin/true"], "timeout": "3s"}},
    {"hooks": {"pre_start": ["/bin/true"], "post_stop": ["/bin/true"], "on_failure": ["/bin/true"]}},
)  # fmt: skip


SCHEDULES: tuple[dict[str, Any], ...] = (
    {}, {}, {}, {}, {}, {}, {}, {},
    {"every": "20s"},
    {"every": "7s", "overlap": "queue", "at_start": True},
    {"every": "31s", "overlap": "replace", "catch_up": "one"},
    {"cron": "* * * * *", "timezone": "UTC", "catch_up": "one", "jitter": "5s"},
    {"cron": "*/2 * * * *", "timezone": "Europe/Berlin", "overlap": "queue"},
    {"cron": "0 3 * * *", "timezone": "America/New_York", "at_start": True},
)  # fmt: skip


Need = tuple[tuple[str, Any], ...]
NEEDS: tuple[Need, ...] = (
    (), (), (), (), (),
    (("condition", "started"),), (("condition", "ready"),), (("condition", "completed"),),
    (("required", False),), (("restart", True),), (("restart", True),),
)  # fmt: skip


POLICIES = ("always", "always", "on-failure", "never")


@lru_cache(maxsize=4096)
def _spec(
    name: str, dependencies: tuple[tuple[str, Need], ...], autostart: bool, *choices: int
) -> ProcessSpec:
    policy, delay, codes, failures, timeout, group, ready, live, hooks, timed = choices
    schedule = SCHEDULES[timed]
    policies = ("never", "never", "on-failure", "never") if schedule else POLICIES
    return spec(
        name,
        dependencies=[{"name": other, **dict(said)} for other, said in dependencies],
        autostart=autostart,
        restart={
            "policy": policies[policy],
            "delay": (0.1, 0.1, 1.0, 0.02)[delay],
            "max_delay": (60.0, 5.0)[delay % 2],
            "stable_after": (10.0, 1.0)[delay // 2],
            "no_restart_exit_codes": ((), (), (2,))[codes],
            "max_failures": (0, 0, 3)[failures],
        },
        stop={"timeout": (10.0, 2.0, 0.0)[timeout], "kill_group": group > 0},
        on_change=("restart", "reload", "signal", "none")[(policy + codes + timeout) % 4],
        reload={"command": ["/bin/true"]},
        **READY[ready],
        **LIVE[live],
        **HOOKS[hooks],
        **({"schedule": schedule} if schedule else {}),
    )


def _any_spec(random: Random, names: list[str], index: int) -> ProcessSpec:
    before = [(name, random.choice(NEEDS)) for name in names[:index] if random.random() < 0.35]
    choices = (random.randrange(4), random.randrange(4), random.randrange(3), random.randrange(3))
    autostart = random.random() < 0.9
    ends, probes = (random.randrange(3), random.randrange(5)), (random.randrange(9), random.randrange(5))
    hooks = Random(repr((choices, ends, probes, index))).randrange(len(HOOKS))
    timed = Random(repr((choices, ends, probes, index, "timed"))).randrange(len(SCHEDULES))
    return _spec(names[index], tuple(before), autostart, *choices, *ends, *probes, hooks, timed)


def _put(random: Random, names: list[str], index: int, kinds: tuple[str, ...]) -> dict[str, Any]:
    return {
        "spec": _any_spec(random, names, index),
        "kind": random.choice(kinds),
        "revised": random.random() < 0.6,
        "deferred": random.random() < 0.3,
    }


VERBS = (
    *(
        "edit",
        "edit",
        "edit",
        "put back",
        "hold down",
        "hold down",
        "hold up",
        "unhold",
        "restart",
        "restart",
    ),
    *(
        "delete",
        "force",
        "murder",
        "murder",
        "reset",
        "write",
        "write",
        "shutdown",
        "daemon dies",
        "daemon dies at start",
        "resync",
        "set clock",
    ),
)


def generate(seed: int, kinds: tuple[str, ...] = KINDS) -> GeneratedHistory:
    """The history of a seed."""
    random = Random(seed)
    names = [f"p{index}" for index in range(random.randint(1, 6))]
    flap = FlapPolicy(
        random.random() < 0.5,
        random.randint(1, 5),
        random.choice((60.0, 20.0)),
        random.choice((30.0, 0.0, 7.0)),
    )
    disturbance = Disturbance(0.1, 0.1, 0.1) if random.random() < 0.3 else Disturbance()
    steps = [HistoryStep(0.0, "edit", name, _put(random, names, i, kinds)) for i, name in enumerate(names)]
    for _ in range(random.randint(1, 14)):
        index, verb = random.randrange(len(names)), random.choice(VERBS)
        after = random.choice((0.0, 0.1, 0.3, 1.5, 5.0, 11.0, 40.0)) * random.random()
        values = _put(random, names, index, kinds) if verb in {"edit", "put back"} else {}
        if verb == "daemon dies":
            values = {"keeps_histories": random.random() < 0.6}
        steps.append(HistoryStep(after, verb, names[index], values))
    if random.random() < 0.85:
        steps.append(HistoryStep(5.0 * random.random(), "boot", names[0], {}))
    return GeneratedHistory(seed, Policy(flap=flap), disturbance, tuple(steps))


# --- living ----------------------------------------------------------------------------------


def live(history: GeneratedHistory, *, full: bool = False) -> SimulatedLoop:
    """Run a history to its end and through a calm after it; raises `Violation`."""
    machine = SimulatedMachine(partial(program, history.seed))
    loop = SimulatedLoop(machine, history.policy, Random(history.seed), full=full)
    loop.disturbance = history.disturbance
    for number, step in enumerate(history.steps):
        loop.run(loop.now + step.after)
        _DO.get(step.verb, _intend)(loop, step, number)
        loop.turn()
    _recover(loop)
    loop.run(loop.now + CALM)
    for name in list(loop.wanted):
        _judge(loop, name)
    orphans = {run.name for run in machine.living.values() if not run.abandoned} - loop.wanted.keys()
    if orphans or loop.observed.keys() - loop.wanted.keys():
        raise Violation(f"not forgotten: {orphans} {loop.observed.keys() - loop.wanted.keys()}")
    return loop


def _recover(loop: SimulatedLoop) -> None:
    """No more disturbance; late facts arrive, and one full resync tells what was lost."""
    loop.disturbance = Disturbance()
    loop.run(loop.now + 21.0)
    loop.resync()
    loop.turn()


def _edit(loop: SimulatedLoop, step: HistoryStep, number: int) -> None:
    old, values = loop.wanted.get(step.name), step.values
    revision = f"{values['kind']} {number}"
    if old is None:
        loop.want({step.name: Intent(values["spec"], revision)})
        loop.write(step.name, (("/a", "new"), ("/b", "new")))
        return
    if old.deleting and step.verb == "edit":
        return
    revised = values["revised"] or old.deleting
    instance = loop.observed[step.name].instance if step.name in loop.observed else None
    new = replace(
        old,
        spec=values["spec"],
        revision=revision if revised else old.revision,
        generation=old.generation + 1,
        deferred=instance is not None and values["deferred"] if revised else old.deferred,
        deleting=False,
        hold=None if old.deleting else old.hold,
        forced=False,
    )
    loop.want({step.name: new})


def _intend(loop: SimulatedLoop, step: HistoryStep, number: int) -> None:
    """What a person asks for, where there is such a process."""
    old = loop.wanted.get(step.name)
    if old is None or old.deleting:
        return
    loop.want({step.name: replace(_INTENTIONS[step.verb](old), generation=old.generation + 1)})
    if step.verb == "restart":
        loop.tell(RestartAsked(step.name))


_INTENTIONS: dict[str, Callable[[Intent], Intent]] = {
    "hold down": lambda old: replace(old, hold=hold(False), forced=False),
    "hold up": lambda old: replace(old, hold=hold(True), forced=False),
    "unhold": lambda old: replace(old, hold=None, forced=False),
    "restart": lambda old: replace(old, token=old.token + 1, hold=hold(True), forced=False),
    "delete": lambda old: replace(old, deleting=True),
    "force": lambda old: replace(old, hold=hold(False), forced=True),
}


def _murder(loop: SimulatedLoop, step: HistoryStep, number: int) -> None:
    for run in list(loop.machine.of(step.name)):
        loop.machine.murder(run)


def _reset(loop: SimulatedLoop, step: HistoryStep, number: int) -> None:
    if step.name in loop.wanted:
        loop.tell(Reset(step.name))


def _shutdown(loop: SimulatedLoop, step: HistoryStep, number: int) -> None:
    loop.want({}, ending=True)


def _boot(loop: SimulatedLoop, step: HistoryStep, number: int) -> None:
    if loop.ending:
        loop.die_and_return(keeps_histories=True)


def _dies(loop: SimulatedLoop, step: HistoryStep, number: int) -> None:
    loop.die_and_return(step.values["keeps_histories"])


def _dies_at_start(loop: SimulatedLoop, step: HistoryStep, number: int) -> None:
    loop.dies_at_next_start = True


def _write(loop: SimulatedLoop, step: HistoryStep, number: int) -> None:
    if step.name in loop.wanted:
        loop.write(step.name, (("/a", str(number)), ("/b", str(number // 4))))


def _set_clock(loop: SimulatedLoop, step: HistoryStep, number: int) -> None:
    loop.set_clock((3600.0, -3600.0, 315_360_000.0, -315_360_000.0, 90.0, -90.0)[number % 6])


def _resync(loop: SimulatedLoop, step: HistoryStep, number: int) -> None:
    loop.resync()


_DO: dict[str, Callable[[SimulatedLoop, HistoryStep, int], None]] = {
    "edit": _edit,
    "put back": _edit,
    "murder": _murder,
    "reset": _reset,
    "shutdown": _shutdown,
    "boot": _boot,
    "daemon dies": _dies,
    "daemon dies at start": _dies_at_start,
    "resync": _resync,
    "set clock": _set_clock,
    "write": _write,
}


# --- the end -----------------------------------------------------------------------------------


def _judge(loop: SimulatedLoop, name: str) -> None:
    """Where `name` must be when everything has calmed down."""
    wanted = loop.wanted[name]
    status = report(name, loop.desired, loop.observed, loop.now, loop.policy).status
    alive = [run.number for run in loop.machine.of(name)]
    if wanted.deleting:
        raise Violation(f"{name}: deleted, but not forgotten ({status.word})")
    if not is_up(loop, name):
        if alive or status not in {Status.STOPPED, Status.CLOSED}:
            raise Violation(f"{name}: unwanted in the end, but {status.word} with {alive}")
    elif _expected(loop, name) and status is not _expected(loop, name):
        raise Violation(f"{name}: {status.word} in the end, not {_expected(loop, name)}")
    elif status is Status.RUNNING:
        _judge_instance(loop, name)
    elif status in {Status.QUEUED, Status.RESTARTING} and not loop.machine.of(name):
        raise Violation(f"{name}: stuck as {status.word}")


def _judge_instance(loop: SimulatedLoop, name: str) -> None:
    wanted, instance = loop.wanted[name], loop.observed[name].instance
    assert instance is not None
    if instance.phase is not Phase.RUNNING or instance.token != wanted.token:
        raise Violation(f"{name}: {instance} is not what is wanted: {wanted}")
    scheduled = wanted.spec.schedule.wanted
    if instance.revision != wanted.revision and not wanted.deferred and not scheduled:
        raise Violation(f"{name}: runs {instance.revision} in the end, not {wanted.revision}")
    if wanted.spec.on_change != "none" and loop.laws.is_behind(name):
        raise Violation(f"{name}: has not read {loop.files[name]} in the end")


def _expected(loop: SimulatedLoop, name: str) -> Status | None:
    """Where a well-behaved process must be; None where more than one end is right."""
    wanted = loop.wanted[name]
    kind, restart = wanted.revision.partition(" ")[0], wanted.spec.restart
    if wanted.spec.schedule.wanted or any(need.condition for need in wanted.spec.dependencies):
        return None
    needed = [_expected(loop, other) for other in wanted.spec.needs if other in loop.wanted]
    if not is_up(loop, name) or None in needed:
        return None
    instance = loop.observed[name].instance
    if instance is not None and instance.revision != wanted.revision:
        kind = instance.revision.partition(" ")[0]
    if restart.policy == "always" and not restart.max_failures and not restart.no_restart_exit_codes:
        return Status.RUNNING if kind in {*OBEDIENT, "starved"} else None
    if restart.policy == "on-failure" and kind == "job" and not restart.max_failures:
        return Status.COMPLETED
    return None


# --- cutting down --------------------------------------------------------------------------------


def broken_by(history: GeneratedHistory) -> str | None:
    """The law that a history breaks, if any."""
    try:
        live(history)
    except Violation as violation:
        return str(violation) or "violation"
    return None


def shortened(history: GeneratedHistory) -> GeneratedHistory:
    """A failing history without the steps that its failure does not need."""
    for smaller in _smaller(history):
        if broken_by(smaller) is not None:
            return shortened(smaller)
    return history


def _smaller(history: GeneratedHistory) -> Iterator[GeneratedHistory]:
    for index in reversed(range(len(history.steps))):
        yield replace(history, steps=history.steps[:index] + history.steps[index + 1 :])
    if history.disturbance.is_any:
        yield replace(history, disturbance=Disturbance())
