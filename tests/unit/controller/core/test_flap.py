"""Flap detection: the README's worked example and what surrounds it."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from tests.support.factories import wanted
from tests.support.simulated_loop import SimulatedLoop
from tests.support.simulation import Program, SimulatedMachine

from pmon3_schema.status import Status
from pmond.core import flap
from pmond.core.model import ExitStatus, Flap, FlapPolicy, Policy
from pmond.core.report import report

README = FlapPolicy(enabled=True, threshold=5, countdown=120 * 0.5, decrement=60 * 0.5)
"""5, 120 and 60 intervals of 500 ms."""


def starts_of(
    lives: Callable[[int], float], seconds: float, policy: FlapPolicy
) -> tuple[list[float], SimulatedLoop]:
    """When a failing process is started; `lives`: how long its run of a number lasts."""

    started: list[float] = []

    def program(name: str, number: int, revision: str) -> Program:
        started.append(round(machine.now, 3))
        return Program(lives=lives(number), exit=ExitStatus(1))

    machine = SimulatedMachine(program)
    loop = SimulatedLoop(machine, Policy(flap=policy), Random(0))
    loop.want({"web": wanted("web", restart={"jitter": 0.0, "delay": 0.1, "max_delay": 0.1})})
    loop.run(seconds)
    return started, loop


def test_the_example_of_the_readme() -> None:
    started, loop = starts_of(lambda number: 0.0, 63.0, README)
    # The start, the first restart at once, three more a delay apart: the fifth begins the countdown.
    assert started[:6] == [0.0, 0.0, 0.1, 0.2, 0.3, 0.4]
    begin = started[5]
    assert started[6] == begin + 30.0, "the intermittent restart, when one is given back"
    assert started[7] == begin + 60.0, "the end of the countdown: as normal"
    assert [round(at - started[7], 3) for at in started[7:12]] == [0.0, 0.1, 0.2, 0.3, 0.4]
    assert len(started) == 12, "five restarts, and the next countdown has begun"
    seen = report("web", loop.desired, loop.observed, loop.now, loop.policy)
    assert seen.status is Status.BACKOFF
    assert "flapping, 5 of 5" in seen.reason
    assert seen.next_start_at is not None and round(seen.next_start_at - started[-1], 3) == 30.0


def test_without_a_decrement_nothing_starts_before_the_countdown_is_over() -> None:
    started, _ = starts_of(lambda number: 0.0, 59.0, FlapPolicy(True, 5, 60.0, 0.0))
    assert len(started) == 6


def test_a_process_that_recovers_at_the_last_restart_is_shown_as_running() -> None:
    started, loop = starts_of(lambda number: 0.0 if number < 6 else 1e9, 50.0, README)
    assert len(started) == 6
    assert report("web", loop.desired, loop.observed, loop.now, loop.policy).status is Status.RUNNING


def test_restarts_further_apart_than_the_countdown_never_begin_one() -> None:
    started, loop = starts_of(lambda number: 20.0, 400.0, README)
    assert len(started) == 21
    assert loop.observed["web"].history.flap.since is None


def test_switched_off_it_holds_nothing_back() -> None:
    known = Flap((1.0, 2.0), since=2.0)
    off = FlapPolicy()
    assert flap.allowed_at(known, off, 3.0) is None
    assert flap.restarted(known, off, 3.0) == flap.CLEAR


def test_people_see_how_many_restarts_are_used() -> None:
    known = Flap((0.0, 1.0, 2.0, 3.0, 4.0), since=4.0)
    assert [flap.used(known, README, at) for at in (4.0, 33.9, 34.0, 63.9, 64.0)] == [5, 5, 4, 4, 0]
    assert flap.used(Flap((0.0, 30.0)), README, 61.0) == 1
