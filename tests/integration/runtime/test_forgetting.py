"""Deleted processes are forgotten together, those that may still go."""

from __future__ import annotations

import asyncio
from pathlib import Path

from msgspec.structs import replace
from tests.support.factories import spec

from pmon3_schema.protocol import Selection
from pmond.core.actions import Forget
from pmond.core.model import Intent, Policy
from pmond.runtime.base import clock
from pmond.runtime.base.journal import Journal, Level
from pmond.runtime.intent.registry import Registry
from pmond.runtime.observers.forgetter import Forgetter
from pmond.runtime.state.state_file import FileAccess, open_state_file
from pmond.runtime.state.store import Store
from pmond.runtime.supervise.bus import Bus
from pmond.runtime.supervise.loop import Loop
from pmond.runtime.views.change_times import ChangeTimes
from pmond.runtime.views.runs import RunList


class ForgettingWorld:
    """What forgets processes, over the state file of a folder."""

    def __init__(self, folder: Path) -> None:
        journal, bus = Journal(level=Level.ERROR), Bus()
        file = open_state_file(folder / "data.db", clock, 0o700, FileAccess())
        self.store, self.database = Store(file, clock, FileAccess()), file.db
        self.loop = Loop(clock, journal, Policy())
        self.registry = Registry(self.store, self.loop, bus, clock)
        runs = RunList(self.store, lambda: self.registry.processes, clock)
        self.forgetter = Forgetter(self.store, self.registry, self.loop, ChangeTimes(clock), runs, bus)

    def declare(self, *names: str) -> None:
        with self.registry.edit("processes") as edit:
            for name in names:
                edit.put(Intent(spec(name)))

    def mark(self, name: str, deleting: bool) -> None:
        one = self.registry.processes[name]
        with self.registry.edit("a deletion, or that it was declared again") as edit:
            edit.put(replace(one, deleting=deleting))

    def names(self) -> list[str]:
        return [one.name for one in self.registry.select(Selection())]


def test_one_that_is_declared_again_before_its_turn_stays(tmp_path: Path) -> None:
    async def forget() -> list[str]:
        world = ForgettingWorld(tmp_path)
        world.declare("again", "gone", "untouched")
        for name in ("again", "gone"):
            world.mark(name, deleting=True)
            world.forgetter.perform(Forget(name))
        assert world.names() == ["again", "gone", "untouched"]
        world.mark("again", deleting=False)
        await asyncio.sleep(0)
        world.store.close()
        return world.names()

    assert asyncio.run(forget()) == ["again", "untouched"]
    assert [one.name for one in Store.open(tmp_path / "data.db", clock=clock).load().processes] == [
        "again",
        "untouched",
    ]


def test_what_cannot_be_deleted_is_set_aside(tmp_path: Path) -> None:
    async def forget() -> None:
        world = ForgettingWorld(tmp_path)
        world.declare("stuck")
        world.mark("stuck", deleting=True)
        world.database.execute("PRAGMA query_only = 1")  # as a full disk: no write goes through
        world.forgetter.perform(Forget("stuck"))
        await asyncio.sleep(0)
        assert world.names() == ["stuck"]
        assert "cannot save the deletion of stuck" in world.loop.quarantined["stuck"]

    asyncio.run(forget())
