"""The registry on a real state file: what was told is saved, what could not be saved did not happen."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from tests.support.factories import spec

from pmon3_schema.errors import ErrorCode, PmonError
from pmon3_schema.protocol import Selection
from pmond.core.evolve import evolve
from pmond.core.facts import Exited, Spawned
from pmond.core.model import ExitStatus, Intent, Policy
from pmond.runtime.base import clock
from pmond.runtime.base.journal import Journal, Level
from pmond.runtime.intent.registry import Registry, not_found
from pmond.runtime.state.store import Store
from pmond.runtime.supervise.bus import Bus
from pmond.runtime.supervise.loop import Loop


class RegistryWorld:
    """A registry over the state file of a folder, as after a start of pmond."""

    def __init__(self, folder: Path) -> None:
        self.store = Store.open(folder / "data.db", clock=clock)
        self.loop = Loop(clock, Journal(level=Level.ERROR), Policy())
        self.registry = Registry(self.store, self.loop, Bus(), clock)
        self.registry.load(self.store.load())

    def add(self, *names: str, **values: object) -> None:
        with self.registry.edit("a test") as edit:
            for name in names:
                edit.put(Intent(spec(name, **values)))


def names(world: RegistryWorld, *refs: str, **more: object) -> list[str]:
    return [one.name for one in world.registry.select(Selection(refs, **more))]  # type: ignore[arg-type]


@pytest.fixture
def world(tmp_path: Path) -> RegistryWorld:
    return RegistryWorld(tmp_path)


def test_what_was_told_is_there_after_a_restart(world: RegistryWorld, tmp_path: Path) -> None:
    world.add("db", "web", labels={"tier": "web"})
    with world.registry.edit("groups") as edit:
        edit.set_groups(world.registry.processes["web"].id, frozenset(), frozenset({edit.group("front")}))
    world.store.close()
    again = RegistryWorld(tmp_path)
    assert again.store.notices == []
    assert again.registry.processes == world.registry.processes
    assert again.registry.groups_of(again.registry.processes["web"]) == ["front"]
    assert set(again.loop.desired.wanted) == {"db", "web"}


def test_a_spec_that_cannot_be_read_does_not_keep_its_name(world: RegistryWorld, tmp_path: Path) -> None:
    world.add("db", "web")
    world.store.close()
    with closing(sqlite3.connect(tmp_path / "data.db", isolation_level=None)) as database:
        database.execute("UPDATE processes SET data = json_set(data, '$.spec.file', 1) WHERE name = 'web'")
    again = RegistryWorld(tmp_path)
    assert "the spec of web" in again.store.notices[0]
    again.add("web")
    assert set(again.registry.processes) == {"db", "web"}
    again.store.close()
    assert RegistryWorld(tmp_path).store.notices == []


def test_an_edit_that_fails_changes_nothing(world: RegistryWorld, tmp_path: Path) -> None:
    world.add("db")
    with pytest.raises(ZeroDivisionError), world.registry.edit("a mistake") as edit:
        edit.put(Intent(spec("web")))
        edit.delete([world.registry.processes["db"]])
        raise ZeroDivisionError
    assert list(world.registry.processes) == ["db"]
    world.store.close()
    assert list(RegistryWorld(tmp_path).registry.processes) == ["db"]


def test_selection(world: RegistryWorld) -> None:
    world.add("web1", "web2", labels={"tier": "web"})
    world.add("db", "7")
    with world.registry.edit("groups") as edit:
        edit.set_groups(world.registry.processes["db"].id, frozenset(), frozenset({edit.group("back")}))
    assert names(world) == ["web1", "web2", "db", "7"]
    assert names(world, "web*") == ["web1", "web2"]
    assert names(world, "1") == ["web1"]
    assert names(world, "7") == ["7"]  # no id of that number: the name
    assert names(world, "web1", groups=("back",)) == ["web1", "db"]
    assert names(world, labels={"tier": "web"}) == ["web1", "web2"]
    assert names(world, "db", labels={"tier": "web"}) == []


@pytest.mark.parametrize(("ref", "hint"), [("wbe1", "did you mean web1?"), ("x*", "pmon3 ls")])
def test_what_matches_nothing_is_told(world: RegistryWorld, ref: str, hint: str) -> None:
    world.add("web1")
    with pytest.raises(PmonError) as caught:
        world.registry.select(Selection((ref,)))
    assert caught.value.code is ErrorCode.NOT_FOUND
    assert hint in caught.value.hint


def test_several_where_one_is_meant(world: RegistryWorld) -> None:
    world.add("web1", "web2")
    with pytest.raises(PmonError, match="web1, web2"):
        world.registry.one("web*")


def test_dependants_follow_edits(world: RegistryWorld) -> None:
    world.add("db")
    world.add("web", dependencies=["db"])
    assert world.loop.desired.dependants == {"db": ("web",)}
    with world.registry.edit("a deletion") as edit:
        edit.delete([world.registry.processes["web"]])
    assert world.loop.desired.dependants == {}


def test_a_defect_of_ours_sets_one_process_aside(
    world: RegistryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Facts about the others are folded in as ever."""
    world.add("web", "db")

    def defective(state: object, wanted: object, fact: object, *more: object) -> object:
        if isinstance(fact, Exited) and fact.name == "web":
            raise ZeroDivisionError("ours")
        return evolve(state, wanted, fact, *more)  # type: ignore[arg-type]

    monkeypatch.setattr("pmond.runtime.supervise.loop.evolve", defective)
    for name in ("web", "db"):
        world.loop.tell(Spawned(name, 1, 4711, "r", 1))
        world.loop.tell(Exited(name, 1, ExitStatus(code=0)))
    assert world.loop.quarantined == {"web": "ZeroDivisionError: ours"}
    assert world.loop.observed["db"].instance is None


def test_the_nearest_of_thousands_of_names_is_suggested() -> None:
    error = not_found("worker-0500x", [f"worker-{number:05d}" for number in range(10_000)])
    assert "did you mean worker-05" in error.hint
