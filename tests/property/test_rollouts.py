"""Laws of rollouts, against the planner and the core alone.

Some programs fail at once, some never get ready, and some processes depend on others that take no part or
that nobody starts. Whatever is changed, pmond dies in between as often as it likes: what counts is
in the intents and in the rollout as it is kept.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct, field
from msgspec.structs import replace
from tests.support.declared_world import DeclaredWorld

from pmon3_schema import graph
from pmon3_schema.process import ProcessSpec
from pmon3_schema.reading import read_value
from pmond.core.model import NOTHING_SEEN
from pmond.core.rollout import (
    CONTINUE,
    ROLLBACK,
    STOP,
    Advance,
    Progress,
    Rollout,
    RolloutOptions,
    from_json,
    to_json,
)
from pmond.core.step import CompareOptions

pytestmark = pytest.mark.slow

NAMES = "abcdef"
OWNER = CompareOptions("file:/a.yaml", prune=True, allow_empty=True, prune_limit="100%")
Manifest = tuple[ProcessSpec, ...]


class RolloutStory(Struct, frozen=True):
    """What is declared first, what is rolled out over it, and how."""

    first: Manifest
    second: Manifest
    options: RolloutOptions
    deaths: bool
    """Whether pmond forgets, before each step, all that is not kept."""


class RolloutWorld(DeclaredWorld):
    """Checks each move of a rollout, and keeps how it ended."""

    deaths: bool = False
    ends: list[Advance] = field(default_factory=list)

    def deadlines(self) -> list[float]:
        return [one.overdue_at for one in self.paces.values() if one.progress is Progress.MOVING]

    def roll_out(self) -> bool:
        if self.deaths and self.rollout is not None:
            kept = from_json(to_json(self.rollout))
            assert kept == self.rollout, "nothing of it is lost with pmond"
            self.rollout = kept
        return super().roll_out()

    def moved(self, rollout: Rollout, move: Advance) -> None:
        where = {name: one.progress for name, one in self.paces.items()}
        under_way = {name for name, one in where.items() if one is Progress.MOVING} | {*move.release}
        assert len(under_way & rollout.restarts) <= rollout.parallel, "no more at once than was said"
        if rollout.on_failure != CONTINUE and Progress.FAILED in where.values():
            assert not move.release, "nothing more is let go once something failed"
        for name in move.release:
            for need in graph.reachable(self.needs_of(name), {n: self.needs_of(n) for n in self.intents}):
                assert where.get(need, Progress.READY) is Progress.READY, (
                    f"{name} goes before {need} is ready"
                )
        if move.outcome:
            self.check_end(rollout, move, where)

    def check_end(self, rollout: Rollout, move: Advance, where: dict[str, Progress]) -> None:
        self.ends.append(move)
        assert Progress.MOVING not in where.values()
        assert (move.outcome == "done") == all(one is Progress.READY for one in where.values())
        assert {*move.failed} == {name for name, one in where.items() if one is Progress.FAILED}
        assert {*move.skipped} == {name for name, one in where.items() if one is Progress.HELD}
        assert move.outcome == "done" or move.failed
        for name in where if move.outcome == "done" else ():
            assert self.is_well(name) or not self.intents[name].up, f"{name} was said to be done"
        if rollout.on_failure == CONTINUE:
            for name in move.skipped:
                assert {*move.failed} & {*graph.reachable([name], rollout.needs)}, "skipped without a reason"

    def needs_of(self, name: str) -> tuple[str, ...]:
        one = self.intents.get(name)
        return one.spec.needs if one is not None else ()

    def is_well(self, name: str) -> bool:
        """It runs as it is declared."""
        one, instance = self.intents[name], self.observed.get(name, NOTHING_SEEN).instance
        return instance is not None and (instance.revision, instance.token) == (one.revision, one.token)


@st.composite
def manifests(draw: st.DrawFn, args: list[str]) -> Manifest:
    """Processes that depend on any earlier ones."""
    names = draw(st.lists(st.sampled_from(NAMES), unique=True, min_size=2, max_size=6).map(sorted))
    return tuple(draw(specs(name, [n for n in names if n < name], args)) for name in names)


@st.composite
def specs(draw: st.DrawFn, name: str, earlier: list[str], args: list[str]) -> ProcessSpec:
    word = draw(st.sampled_from(args))
    data: dict[str, Any] = {
        "file": "/bin/sleep",
        "name": name,
        "args": [word],
        "dependencies": draw(st.lists(st.sampled_from(earlier), unique=True, max_size=2)) if earlier else [],
        "autostart": draw(st.sampled_from([True, True, True, True, False])),
        "restart": {"policy": "never"},
    }
    if word == "hang":
        data["ready"] = {"log": "never said", "deadline": "10s"}
    return read_value(ProcessSpec, data)


OPTIONS = st.builds(
    RolloutOptions, st.integers(1, 4), st.sampled_from([STOP, CONTINUE, ROLLBACK]), st.just(60.0)
)
STORIES = st.builds(
    RolloutStory,
    manifests(["1"]),
    manifests(["1", "1", "2", "2", "2", "fail", "hang"]),
    OPTIONS,
    st.booleans(),
)


def told(story: RolloutStory) -> RolloutWorld:
    """The world after a story; every move of it was looked at."""
    world = RolloutWorld()
    world.apply(story.first, OWNER)
    world.rollout_options, world.deaths = story.options, story.deaths
    began = world.now
    world.apply(story.second, OWNER)
    assert world.rollout is None, "it comes to its end"
    # Each stage may take the patience, or 10 s to get ready and the patience.
    assert world.now - began <= 2 * len(NAMES) * (story.options.patience + 10.0)
    check_next(world, story)
    return world


def check_next(world: RolloutWorld, story: RolloutStory) -> None:
    """The next manifest, which has no mistake, brings all that the last one left."""
    mended = tuple(
        replace(spec, args=("2",), autostart=True, ready=type(spec.ready)()) for spec in story.second
    )
    world.apply(mended, OWNER)
    assert all(map(world.is_well, (spec.name for spec in mended))), "nothing is left behind"
    assert world.apply(mended, OWNER).steps == ()


@given(STORIES)
@settings(max_examples=400, deadline=None)
def test_a_rollout_keeps_its_order_its_width_and_its_word(story: RolloutStory) -> None:
    told(story)
