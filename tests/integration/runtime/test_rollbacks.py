"""The way back that pmond takes by itself, and what of a person's it leaves alone."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.integration.runtime.test_large_manifests import OWNER, LargeWorld, manifest, on_a_loop
from tests.support.waiting import eventually

from pmon3_schema.equivalence import ImpliedValues
from pmon3_schema.manifest import ManifestFile, Reading
from pmond.runtime.access.authority import Authority
from pmond.runtime.access.principal import Principal
from pmond.runtime.base import clock
from pmond.runtime.base.journal import Journal, Level
from pmond.runtime.intent.applier import Applier, ApplyResult
from pmond.runtime.intent.apply_order import ApplyOrder
from pmond.runtime.intent.rollbacks import Rollbacks
from pmond.runtime.intent.sets import DONE, FAILED
from pmond.runtime.processes.instances import Instances


class GatedApplier(Applier):
    """Reads what is to be brought back only when the test says so."""

    def __init__(self, world: LargeWorld) -> None:
        super().__init__(
            world.registry, world.loop, world.sets, world.rollouts, lambda: Authority(0), Instances(),
            ImpliedValues, lambda type, message, name: None, dict,
        )  # fmt: skip
        self.reading, self.gate, self.tried = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def read(
        self, documents: Sequence[ManifestFile], peer: Principal | None, author: int | None = None
    ) -> Reading:
        self.reading.set()
        await self.gate.wait()
        return await super().read(documents, peer, author)

    async def apply(
        self, documents: Sequence[ManifestFile], reading: Reading, order: ApplyOrder
    ) -> ApplyResult:
        try:
            return await super().apply(documents, reading, order)
        finally:
            self.tried.set()


class Undoing:
    """A set whose last revision failed, and the task that is to undo it."""

    def __init__(self, folder: Path) -> None:
        self.world = LargeWorld(folder)
        self.applier = GatedApplier(self.world)
        self.said: list[str] = []

    async def fail(self) -> None:
        """Bring in a first revision, and a second one that fails and is to be undone."""
        self.world.start()
        await self.world.apply(manifest("whole", 3))
        await self.world.apply(manifest("broken", 3))
        with self.world.registry.edit("the end of a rollout") as edit:
            self.world.sets.ended(edit, OWNER, FAILED, undo=True)
        rollbacks = Rollbacks(
            self.world.registry, self.applier, self.world.sets, clock, Journal(level=Level.ERROR),
            lambda type, message, name: self.said.append(type),
        )  # fmt: skip
        rollbacks.start(asyncio.Queue())
        await self.applier.reading.wait()

    @property
    def outcomes(self) -> list[str]:
        """Of the revisions, newest first."""
        return [one.outcome for one in self.world.sets.revisions(OWNER)]

    @property
    def words(self) -> set[str]:
        return set(self.world.arguments().values())

    def record(self) -> Any:
        return self.world.sets.one(OWNER)


@pytest.mark.slow
@on_a_loop
async def test_what_failed_is_undone_once_and_the_source_is_not_followed_back(tmp_path: Path) -> None:
    it = Undoing(tmp_path)
    await it.fail()
    source = it.record().digest
    it.applier.gate.set()
    await eventually(lambda: it.said == ["RolledBack"], "it to be undone")
    assert (it.words, it.outcomes) == ({"whole"}, [DONE, "rolled_back", DONE])
    assert (it.record().undo, it.record().suspended["digest"]) == (0, source)


@pytest.mark.slow
@on_a_loop
async def test_what_somebody_brought_in_meanwhile_stands(tmp_path: Path) -> None:
    it = Undoing(tmp_path)
    await it.fail()
    await it.world.apply(manifest("mended", 3))
    it.applier.gate.set()
    await it.applier.tried.wait()
    assert (it.words, it.said, it.record().suspended) == ({"mended"}, [], None)
    assert it.outcomes == [DONE, FAILED, DONE]


@pytest.mark.slow
@on_a_loop
async def test_a_suspension_for_good_by_a_person_stays_theirs(tmp_path: Path) -> None:
    it = Undoing(tmp_path)
    await it.fail()
    mine: Any = {"by": "ana", "at": clock.wall(), "reason": "not now", "until": None}
    with it.world.registry.edit("the suspension") as edit:
        it.world.sets.suspend(edit, OWNER, mine)
    it.applier.gate.set()
    await eventually(lambda: it.said == ["RolledBack"], "it to be undone")
    assert (it.words, it.record().suspended) == ({"whole"}, mine)
