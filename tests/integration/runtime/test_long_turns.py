"""What is due for many at once is done over several turns of the loop."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from tests.support.factories import AT, wanted
from tests.support.waiting import eventually

from pmond.core.actions import Action, Start
from pmond.core.events import ProcessEvent
from pmond.core.facts import Spawned
from pmond.core.model import Desired, Phase, Policy, State
from pmond.runtime.base.journal import Journal, Level
from pmond.runtime.supervise.loop import Loop

NAMES = [f"p{number}" for number in range(1000)]


class FrozenClock:
    """Stands still unless it is set."""

    seconds = 1000.0

    def now(self) -> float:
        return self.seconds

    def wall(self) -> str:
        return AT


class InstantStarter:
    """Has every program run at once."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop

    def perform(self, action: Action) -> bool:
        assert isinstance(action, Start)
        self._loop.tell(Spawned(action.name, action.number, 7, "r1", 0))
        return True


class TurnSizes(list[int]):
    """How many states each turn has changed."""

    def turn_ended(self, before: Mapping[str, State], happened: Sequence[ProcessEvent]) -> None:
        self.append(len(before))


def test_deadlines_of_many_are_passed_in_parts() -> None:
    async def start_and_let_time_pass() -> list[int]:
        clock, told = FrozenClock(), TurnSizes()
        loop = Loop(clock, Journal(level=Level.ERROR), Policy())

        def all_run() -> bool:
            states = [loop.observed[name].instance for name in NAMES if name in loop.observed]
            running = [one for one in states if one is not None and one.phase is Phase.RUNNING]
            return len(running) == len(NAMES)

        loop.desired = Desired({name: wanted(name) for name in NAMES})
        loop.start((InstantStarter(loop),), (told,))
        await eventually(lambda: len(loop.observed) == len(NAMES), "all to be started")
        assert not all_run()
        told.clear()
        clock.seconds += 60
        loop.touch(NAMES[:1])
        await eventually(all_run, "all to run")
        return told

    told = asyncio.run(start_and_let_time_pass())
    assert len(told) > 5
    assert max(told) < len(NAMES) / 5
