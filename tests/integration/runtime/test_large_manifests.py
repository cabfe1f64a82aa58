"""A manifest of many, and a verb for many, is carried out over several turns, and still as one unit."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import wraps
from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.support.factories import spec
from tests.support.waiting import eventually

from pmon3_schema.equivalence import ImpliedValues
from pmon3_schema.errors import PmonError
from pmon3_schema.manifest import ManifestFile
from pmon3_schema.protocol import Selection
from pmond.core.actions import Action
from pmond.core.events import ProcessEvent
from pmond.core.model import Hold, Intent, Policy, State
from pmond.core.rollout import Rollout
from pmond.core.step import CompareOptions
from pmond.runtime.access.authority import Authority
from pmond.runtime.access.principal import Principal
from pmond.runtime.base import clock
from pmond.runtime.base.journal import Journal, Level
from pmond.runtime.intent.applier import Applier, ApplyResult
from pmond.runtime.intent.apply_order import ApplyOrder
from pmond.runtime.intent.commands import Commands
from pmond.runtime.intent.edit import Drafted
from pmond.runtime.intent.group_editor import GroupEditor
from pmond.runtime.intent.registry import Registry
from pmond.runtime.intent.rollouts import Rollouts
from pmond.runtime.intent.sets import Sets
from pmond.runtime.processes.instances import Instances
from pmond.runtime.state.records import Batch, EventRecord, HistoryRecord, InstanceRecord
from pmond.runtime.state.staging import Staging
from pmond.runtime.state.state_file import FileAccess, open_state_file
from pmond.runtime.state.store import Store
from pmond.runtime.state.transaction import Statements
from pmond.runtime.supervise.bus import Bus
from pmond.runtime.supervise.loop import Loop

pytestmark = pytest.mark.slow

MANY = 1200
"""Enough for a thread, and for several turns of writing."""
OWNER = "file:/srv/many.yaml"


class Idle:
    """Nothing is started: every process is declared with `autostart: false`."""

    def perform(self, action: Action) -> bool:
        raise AssertionError(action)


class LargeWorld:
    """What brings manifests in, over the state file of a folder."""

    def __init__(self, folder: Path) -> None:
        journal = Journal(level=Level.ERROR)
        self.folder = folder
        file = open_state_file(folder / "data.db", clock, 0o700, FileAccess())
        self.store, self.database = Store(file, clock, FileAccess()), file.db
        self.loop = Loop(clock, journal, Policy())
        bus = Bus()
        self.registry = Registry(self.store, self.loop, bus, clock)
        self.sets = Sets(self.store, bus, clock, 0, followed=lambda: "")
        snapshot = self.store.load()
        self.registry.load(snapshot)
        self.sets.load(snapshot.sources)
        self.commands = Commands(self.registry, self.loop, self.sets, clock, lambda: Authority(0))
        self.ended = list[str]()
        self.rollouts = Rollouts(
            self.registry, self.loop, bus, self.sets, clock, journal,
            lambda name, move: self.ended.append(move.outcome),
        )  # fmt: skip
        self.applier = Applier(
            self.registry,
            self.loop,
            self.sets,
            self.rollouts,
            lambda: Authority(0),
            Instances(),
            ImpliedValues,
            lambda type, message, name: None,
            dict,
        )
        self.told: set[str] = set()

    def start(self) -> None:
        self.loop.start((Idle(),), (self,))

    def turn_ended(self, before: Mapping[str, State], happened: Sequence[ProcessEvent]) -> None:
        self.told.update(before)

    async def apply(self, text: str, **options: object) -> ApplyResult:
        documents = [ManifestFile("/srv/many.yaml", text.encode())]
        reading = await self.applier.read(documents, None)
        order = ApplyOrder(CompareOptions(OWNER, prune=True, **options), Principal(1, 0, 0))  # type: ignore[arg-type]
        return await self.applier.apply(documents, reading, order)

    def saved(self) -> dict[str, str]:
        """The arguments of each process as a pmond would find them that starts after this one died."""
        self.store.close()
        return LargeWorld(self.folder).arguments()

    def arguments(self) -> dict[str, str]:
        return {name: " ".join(one.spec.args) for name, one in self.registry.processes.items()}


def manifest(word: str, count: int = MANY) -> str:
    lines = ["processes:"]
    for number in range(count):
        fields = [
            f"name: p{number}",
            "file: /bin/true",
            f"args: [{word}]",
            "autostart: false",
            "groups: [all]",
        ]
        lines += ["  - " + fields[0], *("    " + line for line in fields[1:])]
    return "\n".join(lines) + "\n"


def on_a_loop(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """The test as one that pytest can call."""

    @wraps(test)
    def run(*arguments: object, **named: object) -> None:
        asyncio.run(asyncio.wait_for(test(*arguments, **named), 60))

    return run


@pytest.fixture
def world(tmp_path: Path) -> LargeWorld:
    return LargeWorld(tmp_path)


def while_written(monkeypatch: pytest.MonkeyPatch, times: int, act: Callable[[], object]) -> list[Staging]:
    """`act` happens after the first rows of each of so many transactions; the list counts them."""
    begun: list[Staging] = []
    write = Staging.write

    def written(staging: Staging, statements: Statements) -> None:
        write(staging, statements)
        if staging not in begun and len(begun) < times:
            begun.append(staging)
            asyncio.get_running_loop().call_soon(act)

    monkeypatch.setattr(Staging, "write", written)
    return begun


@on_a_loop
async def test_all_of_it_counts_from_one_moment_on(world: LargeWorld, tmp_path: Path) -> None:
    world.start()
    sizes: set[int] = set()

    async def look() -> None:
        while len(world.registry.processes) < MANY:
            sizes.add(len(world.registry.processes))
            await asyncio.sleep(0)

    applied, _ = await asyncio.gather(world.apply(manifest("one")), look())
    assert applied.revision == 1
    assert applied.plan["summary"] == {"create": MANY, "unchanged": 0}
    assert sizes == {0}
    assert len(world.registry.in_group(world.registry.group_id("all"))) == MANY
    while len(world.told) < MANY:
        await asyncio.sleep(0)
    assert set(world.loop.desired.wanted) == set(world.registry.processes)
    assert world.saved() == {f"p{number}": "one" for number in range(MANY)}


@on_a_loop
async def test_what_is_declared_meanwhile_is_not_lost(
    world: LargeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.apply(manifest("one"))

    def declare() -> None:
        hold = Hold(up=True, by="ana", at=clock.wall(), reason="needed")
        one = world.registry.processes["p7"]
        with world.registry.edit("another process, and a hold") as edit:
            edit.put(Intent(spec("other")))
            edit.put(replace(one, hold=hold))

    begun = while_written(monkeypatch, 1, declare)
    applied = await world.apply(manifest("two"))
    assert len(begun) == 1
    assert applied.revision == 2
    kept = world.registry.processes["p7"].hold
    assert kept is not None and kept.reason == "needed"
    arguments = world.saved()
    assert arguments.pop("other") == ""
    assert set(arguments.values()) == {"two"}


@on_a_loop
async def test_what_is_declared_while_it_is_worked_out_is_not_lost(
    world: LargeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    drafts: list[Drafted] = []

    def declare() -> None:
        if len(drafts) == 1:
            with world.registry.edit("another process") as edit:
                edit.put(Intent(spec("other")))

    def draft(registry: Registry) -> Drafted:
        drafts.append(made(registry))
        asyncio.get_running_loop().call_soon(declare)
        return drafts[-1]

    made = Registry.draft
    monkeypatch.setattr(Registry, "draft", draft)
    await world.apply(manifest("one"))
    assert len(drafts) == 2
    arguments = world.saved()
    assert arguments.pop("other") == ""
    assert len(arguments) == MANY


@on_a_loop
async def test_somebody_who_declares_all_the_time_does_not_keep_it_out(
    world: LargeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = iter(range(100))

    def declare() -> None:
        with world.registry.edit("another process") as edit:
            edit.put(Intent(spec(f"other{next(names)}")))

    begun = while_written(monkeypatch, 100, declare)
    await world.apply(manifest("one"))
    assert len(begun) == 3
    assert len(world.saved()) == MANY + 3


@on_a_loop
async def test_what_happens_meanwhile_is_saved_afterwards(
    world: LargeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = EventRecord(world.store.next_event_id(), clock.wall(), "web", "Started", "Started", "it runs")
    saved: list[bool] = []

    def happen() -> None:
        world.store.flush(Batch(events=[event]))
        saved.append(world.store.saved)

    while_written(monkeypatch, 1, happen)
    await world.apply(manifest("one"))
    assert saved == [False]
    await eventually(lambda: world.store.saved, "the event to be saved")
    world.store.close()
    again = Store.open(world.folder / "data.db", clock=clock)
    assert [one.message for one in again.events()] == ["it runs"]


@on_a_loop
async def test_what_happens_while_the_log_is_brought_into_the_file_is_saved_afterwards(
    world: LargeWorld,
) -> None:
    event = EventRecord(world.store.next_event_id(), clock.wall(), "web", "Started", "Started", "it runs")
    await world.apply(manifest("one"))
    world.store.flush(Batch(events=[event]))
    assert not world.store.saved
    with world.registry.edit("a group") as edit:
        edit.group("of somebody who does not wait")
    await eventually(lambda: world.store.saved, "the event to be saved")
    await world.apply(manifest("two"))
    world.store.flush(Batch(events=[replace(event, id=event.id + 1)]))
    assert not world.store.saved
    world.store.close()
    again = Store.open(world.folder / "data.db", clock=clock)
    assert [one.message for one in again.events()] == ["it runs", "it runs"]
    assert "of somebody who does not wait" in {group.name for group in again.load().groups}


@on_a_loop
async def test_a_disk_that_takes_no_more_leaves_all_as_it_was(
    world: LargeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.apply(manifest("one"))

    def refuse() -> None:
        world.database.execute("PRAGMA query_only = 1")  # as a full disk: no write goes through

    while_written(monkeypatch, 1, refuse)
    with pytest.raises(PmonError, match="cannot save the manifest"):
        await world.apply(manifest("two"))
    world.database.execute("PRAGMA query_only = 0")
    assert set(world.arguments().values()) == {"one"}
    monkeypatch.undo()
    assert (await world.apply(manifest("three"))).revision == 2
    assert set(world.saved().values()) == {"three"}


@on_a_loop
async def test_an_apply_that_is_given_up_leaves_all_as_it_was(
    world: LargeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = asyncio.ensure_future(world.apply(manifest("one")))
    while_written(monkeypatch, 1, task.cancel)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert world.arguments() == {}
    assert world.saved() == {}


@on_a_loop
async def test_a_renamed_process_among_many_keeps_its_place(world: LargeWorld) -> None:
    await world.apply(manifest("one"))
    number = world.registry.processes["p3"].id
    await world.apply(manifest("one").replace("name: p3\n", "name: third\n    renamed_from: p3\n"))
    assert "p3" not in world.registry.processes
    assert world.registry.processes["third"].id == number
    assert "third" in world.loop.desired.wanted
    assert "p3" not in world.loop.desired.wanted
    assert "third" in world.saved()


@on_a_loop
async def test_what_happens_to_a_process_while_it_is_renamed_is_saved_of_its_new_name(
    world: LargeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a pmond that dies then does not know what runs, nor by which name to look for it."""
    await world.apply(manifest("one"))
    first = InstanceRecord("p3", 1, 4711, 12, "boot", 0, "abc", 1, 12.5, clock.wall(), "", {})
    second = replace(first, number=2, pid=4712)
    world.store.flush(Batch(instances={("p3", 1): first}))
    restarted = Batch(
        instances={("p3", 1): None, ("p3", 2): second},
        histories={"p3": HistoryRecord("p3", {"restarts": 1})},
        changes={("p3", 2): {"ending": "stop", "files": [["/srv/web.conf", "d1"]]}},
    )
    while_written(monkeypatch, 1, lambda: world.store.flush(restarted))
    await world.apply(manifest("two").replace("name: p3\n", "name: third\n    renamed_from: p3\n"))
    world.store.close()
    found = Store.open(world.folder / "data.db", clock=clock).load()
    expected = replace(second, name="third", born_as="p3", ending="stop", files=[["/srv/web.conf", "d1"]])
    assert found.instances == (expected,)
    assert found.histories == (HistoryRecord("third", {"restarts": 1}),)


@on_a_loop
async def test_a_step_of_a_rollout_that_cannot_be_saved_is_taken_when_it_can(
    world: LargeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a disk that was full for a moment would hold back for ever what waits for its turn."""
    monkeypatch.setattr("pmond.runtime.intent.rollouts.RETRY_SECONDS", 0.01)
    warnings = list[str]()
    monkeypatch.setattr(Journal, "warn", lambda journal, event, **fields: warnings.append(event))
    await world.apply(manifest("one", 3))
    with world.registry.edit("a rollout with nothing left to do") as edit:
        world.rollouts.write(edit, world.sets.one(OWNER), Rollout((), (), {}, frozenset()))
    world.database.execute("PRAGMA query_only = 1")  # as a full disk: no write goes through
    world.rollouts.start(OWNER)
    await eventually(lambda: bool(warnings), "the step to fail")
    assert not world.ended
    world.database.execute("PRAGMA query_only = 0")
    await eventually(lambda: bool(world.ended), "the step to be taken")
    assert warnings == ["rollout.held_up"]
    assert world.ended == ["done"]
    assert not world.rollouts.active(OWNER)


ALL = Selection(all=True)
ROOT = Principal(1, 0, 0)


@on_a_loop
async def test_a_verb_for_many_counts_from_one_moment_on(world: LargeWorld) -> None:
    await world.apply(manifest("one"))
    held: set[int] = set()

    async def look() -> None:
        while len(held) < 2:
            held.add(sum(one.hold is not None for one in world.registry.processes.values()))
            await asyncio.sleep(0)

    targets, _ = await asyncio.gather(world.commands.act("stop", ALL, ROOT, False, {}), look())
    assert held == {0, MANY}
    assert {(one["name"], one["generation"]) for one in targets} == {(f"p{n}", 2) for n in range(MANY)}
    world.store.close()
    kept = LargeWorld(world.folder).registry.processes.values()
    assert all(one.hold is not None and not one.hold.up for one in kept)


@on_a_loop
async def test_a_verb_for_many_takes_what_is_declared_meanwhile_as_well(
    world: LargeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.apply(manifest("one"))

    def declare() -> None:
        with world.registry.edit("another process") as edit:
            edit.put(Intent(spec("other")))

    begun = while_written(monkeypatch, 1, declare)
    targets = await world.commands.act("stop", ALL, ROOT, False, {})
    assert len(begun) == 1
    assert len(targets) == MANY + 1
    assert world.registry.processes["other"].hold is not None


@on_a_loop
async def test_a_verb_that_is_forbidden_for_one_of_many_changes_none(world: LargeWorld) -> None:
    await world.apply(manifest("one"))
    with world.registry.edit("a process of another user") as edit:
        edit.put(Intent(spec("other", user="root")))
    with pytest.raises(PmonError, match="cannot stop p0: it runs as root"):
        await world.commands.act("stop", Selection(("*",)), Principal(1, 65534, 65534), False, {})
    assert not any(one.hold for one in world.registry.processes.values())


@on_a_loop
async def test_groups_of_many_change_together(world: LargeWorld) -> None:
    await world.apply(manifest("one"))
    groups = GroupEditor(world.registry)
    groups.create("front")
    assert await groups.change(["front"], ["*"], add=True) == ["front"]
    assert [(one["name"], len(one["processes"])) for one in groups.groups()] == [
        ("all", MANY),
        ("front", MANY),
    ]
    await groups.delete("all")
    world.store.close()
    again = LargeWorld(world.folder).registry
    assert set(again.groups.values()) == {"front"}
    assert all(again.groups_of(one) == ["front"] for one in again.processes.values())


@on_a_loop
async def test_a_group_that_goes_meanwhile_gets_no_members(world: LargeWorld) -> None:
    await world.apply(manifest("one"))
    groups = GroupEditor(world.registry)
    groups.create("front")
    filling = asyncio.create_task(groups.change(["front"], ["*"], add=True))
    await asyncio.sleep(0)
    await groups.delete("front")
    groups.create("other")  # under the same number
    with pytest.raises(PmonError, match="cannot find group 'front'"):
        await filling
    assert {one["name"]: len(one["processes"]) for one in groups.groups()} == {"all": MANY, "other": 0}


@on_a_loop
async def test_of_two_who_delete_a_group_one_is_told_that_there_is_none(world: LargeWorld) -> None:
    await world.apply(manifest("one"))
    groups = GroupEditor(world.registry)
    both = [asyncio.create_task(groups.delete("all")) for _ in range(2)]
    found = await asyncio.gather(*both, return_exceptions=True)
    assert [str(one) for one in found if one is not None] == ["cannot find group 'all': there is none"], found
