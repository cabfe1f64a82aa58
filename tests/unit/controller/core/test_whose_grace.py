"""M6, M6b: nobody holds up the end of a pmond that is not his, nor that of somebody else's process."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace
from tests.support.factories import desired, wanted

from pmond.core.actions import Kill, Stop
from pmond.core.case import Decision, Rule
from pmond.core.decide import decide
from pmond.core.model import Ending, Instance, Intent, Phase, Policy, State

STARTED = Instance(number=1, pid=7, revision="r1", token=0, started_at=0.0, phase=Phase.RUNNING)
RUNNING = State(STARTED)
STOPPING = State(replace(STARTED, phase=Phase.STOPPING, ending=Ending.UNWANTED, kill_at=3700.0))
UNTIL = 130.0


def at_shutdown(one: Intent, state: State, now: float, *others: Intent) -> Decision:
    """The decision on one of some that run, while pmond ends."""
    everything = replace(desired(one, *others, ending=True), untrusted_until=UNTIL)
    seen = {one.name: state, **{other.name: RUNNING for other in others}}
    return decide(one.name, everything, seen, now, Policy())


def of(user: str, name: str = "leech", *, trusted: bool = False, **values: Any) -> Intent:
    return replace(wanted(name, user=user, **values), trusted=trusted)


@pytest.mark.parametrize(("trusted", "grace"), [(True, 3600.0), (False, 30.0)])
def test_at_a_shutdown_the_grace_of_a_stranger_has_a_ceiling(trusted: bool, grace: float) -> None:
    one = of("alice", trusted=trusted, stop={"timeout": "1h"})
    stop = at_shutdown(one, RUNNING, 100.0).action
    assert isinstance(stop, Stop) and stop.grace == grace


def test_his_whole_chain_has_it_together() -> None:
    last = at_shutdown(of("alice", stop={"timeout": "29s"}), RUNNING, 131.0).action
    assert isinstance(last, Stop) and last.grace == 0.0


def test_one_that_he_is_stopping_already_has_it_too() -> None:
    one = of("alice", stop={"timeout": "1h"})
    assert at_shutdown(one, STOPPING, 100.0).wake_at == UNTIL
    assert isinstance(at_shutdown(one, STOPPING, UNTIL).action, Kill)
    assert at_shutdown(replace(one, trusted=True), STOPPING, UNTIL).wake_at == 3700.0


@pytest.mark.parametrize(
    ("dependant", "waits"),
    [
        (of("alice", dependencies=["db"]), False),
        (of("bob", dependencies=["db"]), True),
        (of("alice", trusted=True, dependencies=["db"]), True),
    ],
)
def test_what_a_stranger_wants_is_waited_for_by_his_own_only(dependant: Intent, waits: bool) -> None:
    db = of("bob", "db", trusted=True)
    assert (at_shutdown(db, RUNNING, 100.0, dependant).rule is Rule.AWAIT_DEPENDANTS) is waits
    stopped = desired(replace(db, hold=wanted(held=False).hold), replace(dependant, deleting=True))
    decision = decide("db", stopped, {"db": RUNNING, "leech": RUNNING}, 100.0, Policy())
    assert (decision.rule is Rule.AWAIT_DEPENDANTS) is waits
