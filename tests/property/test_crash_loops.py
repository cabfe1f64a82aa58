"""A program that crashes for an hour of simulated time is started as often as its delays allow (fault 22)."""

from __future__ import annotations

from itertools import accumulate, count, takewhile
from random import Random

import pytest
from tests.support.factories import wanted
from tests.support.simulated_loop import SimulatedLoop
from tests.support.simulation import Program, SimulatedMachine

from pmond.core.model import ExitStatus, Policy

HOUR = 3600.0


def starts_in_an_hour(lives: float, delay: float, longest: float) -> int:
    """The n-th start comes after n-1 lives and delays: none, then `delay`, doubled up to the longest."""
    gaps = (lives + (0.0 if n == 0 else min(delay * 2 ** min(n - 1, 60), longest)) for n in count())
    return 1 + sum(1 for _ in takewhile(lambda at: at <= HOUR, accumulate(gaps)))


@pytest.mark.parametrize(
    ("lives", "delay", "longest"), [(0.001, 0.1, 60.0), (9.0, 0.1, 60.0), (0.5, 5.0, 5.0), (2.0, 1.0, 300.0)]
)
def test_an_hour_of_crashes_is_as_many_starts_as_the_delays_allow(
    lives: float, delay: float, longest: float
) -> None:
    numbers: list[int] = []

    def program(name: str, number: int, revision: str) -> Program:
        numbers.append(number)
        return Program(lives=lives, exit=ExitStatus(1))

    loop = SimulatedLoop(SimulatedMachine(program), Policy(), Random(22))
    restart = {"delay": delay, "max_delay": longest, "jitter": 0.0}
    loop.want({"web": wanted("web", restart=restart)})
    loop.run(HOUR)
    assert abs(len(numbers) - starts_in_an_hour(lives, delay, longest)) <= 1
    assert numbers == list(range(1, len(numbers) + 1))


def test_the_usual_delays_allow_seventy_starts_in_an_hour() -> None:
    assert starts_in_an_hour(0.001, 0.1, 60.0) == 70
