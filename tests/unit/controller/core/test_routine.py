"""Which steps of probes are nobody's business: the same result as before, of one that runs."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from pmond.core.facts import Exited, ProbeFailed, ProbePassed
from pmond.core.model import ExitStatus, Instance, Phase, State
from pmond.core.probing import Aspect, Probing
from pmond.core.routine import is_routine

PASSED = ProbePassed("web", 1, Aspect.LIVE, 2, "HTTP 200")
FAILED = ProbeFailed("web", 1, Aspect.LIVE, 2, "HTTP 503")
BEFORE = Instance(
    1, 100, "a", 1, started_at=0.0, phase=Phase.RUNNING, live=Probing(ok=True, in_a_row=1, message="HTTP 200")
)


def after(**changes: object) -> State:
    """The same with a live probe that has this to say."""
    return State(replace(BEFORE, live=replace(BEFORE.live, **changes)))


def test_the_same_result_once_more_is() -> None:
    assert is_routine(PASSED, State(BEFORE), after(in_a_row=2, at=3.0))


@pytest.mark.parametrize(
    "news", [after(ok=False), after(message="HTTP 204"), State(replace(BEFORE, lost_ready=True)), State()]
)
def test_another_result_is_not(news: State) -> None:
    assert not is_routine(FAILED, State(BEFORE), news)


def test_the_first_result_and_one_of_a_process_that_starts_are_not() -> None:
    untried = State(replace(BEFORE, live=Probing()))
    starting = State(replace(BEFORE, phase=Phase.STARTING))
    assert not is_routine(PASSED, untried, after(in_a_row=1))
    assert not is_routine(PASSED, starting, after(in_a_row=2))
    assert not is_routine(PASSED, starting, starting)


def test_nothing_but_probes_is() -> None:
    assert not is_routine(Exited("web", 1, ExitStatus(0)), State(BEFORE), after(in_a_row=2))
