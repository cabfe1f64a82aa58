"""pmond ends with a process: which end counts, and what it ends with."""

from __future__ import annotations

import pytest
from tests.support.factories import desired, wanted

from pmond.core.model import Ending, ExitStatus, History, Intent, Policy, State
from pmond.runtime.base import clock
from pmond.runtime.base.journal import Journal, Level
from pmond.runtime.observers.exit_on import ExitOn
from pmond.runtime.processes.instances import Instances
from pmond.runtime.supervise.loop import Loop

NEVER = {"policy": "never"}


def end_of(want: Intent, exit: ExitStatus, name: str = "") -> tuple[list[bool], int]:
    """What pmond was asked after that process has ended like this: to end with all others, and its code."""
    asked: list[bool] = []
    loop = Loop(clock, Journal(level=Level.ERROR), Policy())
    loop.desired = desired(want)
    history = History(
        number=1, attempts=1, revision="r1", ending=Ending.ITSELF, exit=exit, ended_at=clock.now()
    )
    loop.observed = {want.name: State(None, history)}
    watch = ExitOn(name, loop, Instances(), clock, asked.append)
    watch.turn_ended({want.name: State()}, [])
    return asked, watch.code


@pytest.mark.parametrize(
    ("exit", "code"),
    [(ExitStatus(0), 0), (ExitStatus(3), 3), (ExitStatus(signal=15), 143), (ExitStatus(), 1)],
)
def test_pmond_ends_as_the_process_did(exit: ExitStatus, code: int) -> None:
    assert end_of(wanted("main", exit_on_end=True, restart=NEVER), exit) == ([True], code)
    assert end_of(wanted("main", restart=NEVER), exit, name="main") == ([True], code)


def test_one_that_is_started_again_or_that_nobody_named_ends_nothing() -> None:
    assert end_of(wanted("main"), ExitStatus(1), name="main") == ([], 0)
    assert end_of(wanted("other", restart=NEVER), ExitStatus(1), name="main") == ([], 0)
