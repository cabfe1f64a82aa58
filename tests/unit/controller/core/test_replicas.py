"""Several of one entry, from values: which processes there are to be, what becomes of those there are."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.declared_world import DeclaredWorld, Rejected

from pmon3_schema.process import ProcessSpec
from pmon3_schema.reading import read_value
from pmond.core.model import Hold
from pmond.core.rollout import RolloutOptions
from pmond.core.step import PRUNE, CompareOptions

OPTIONS = CompareOptions("file:/srv/p", prune=True, allow_empty=True)
KEPT = CompareOptions("file:/srv/p")


def web(replicas: int | None = None, **more: Any) -> ProcessSpec:
    said = {} if replicas is None else {"replicas": replicas}
    return read_value(ProcessSpec, {"name": "web", "file": "/bin/web", **said, **more})


def world(*entries: ProcessSpec) -> DeclaredWorld:
    made = DeclaredWorld()
    made.apply(entries, OPTIONS)
    return made


def pids(one: DeclaredWorld) -> dict[str, int]:
    return {name: one.pid_of(name) for name in sorted(one.intents)}


def test_each_has_its_own_values() -> None:
    entry = web(
        2,
        args=["-p", "${REPLICA+8000}", "$${REPLICA}"],
        log="/l/${REPLICA}.log",
        ready={"tcp": "${REPLICA+8000}"},
        hooks={"pre_start": [["/bin/prepare", "${REPLICA}"]]},
        env_vars={"N": "${REPLICA}"},
    )
    made = DeclaredWorld()
    made.begin([entry], OPTIONS)
    first, second = made.intents["web@0"].spec, made.intents["web@1"].spec
    assert first.args == ("-p", "8000", "${REPLICA}") and second.args == ("-p", "8001", "${REPLICA}")
    assert (second.log, second.ready.tcp, second.env_vars["N"]) == ("/l/1.log", "8001", "1")
    assert second.hooks.pre_start == (("/bin/prepare", "1"),)
    assert made.entries() == [entry]


@pytest.mark.parametrize("many", [1, 2, 5])
def test_one_becomes_the_first_of_many_and_back_and_runs_on(many: int) -> None:
    one = world(web())
    alone = one.pid_of("web")
    one.apply([web(many)], KEPT)
    assert sorted(one.intents) == [f"web@{index}" for index in range(many)]
    assert one.pid_of("web@0") == alone
    one.apply([web()], KEPT)
    assert pids(one) == {"web": alone}


def test_fewer_end_from_the_highest_number_on_without_prune_and_though_they_are_protected() -> None:
    one = world(web(5, prune=False))
    before = pids(one)
    comparison = one.apply([web(2, prune=False)], KEPT)
    assert pids(one) == {name: before[name] for name in ("web@0", "web@1")}
    assert [step.name for step in comparison.steps if step.action == PRUNE] == ["web@2", "web@3", "web@4"]
    assert comparison.pruned == 0


def test_another_number_restarts_nobody_and_is_no_difference_of_the_others() -> None:
    one = world(web(2))
    before = pids(one)
    comparison = one.apply([web(3)], KEPT)
    assert [step.name for step in comparison.steps] == ["web@2"]
    assert {name: pid for name, pid in pids(one).items() if name != "web@2"} == before
    assert {intent.replica.count for intent in one.intents.values() if intent.replica} == {3}


def test_none_is_one_row_that_is_not_to_run_and_comes_back_as_the_first() -> None:
    one = world(web(0))
    assert pids(one) == {"web": 0} and not one.intents["web"].up
    one.apply([web(2)], KEPT)
    assert all(pids(one).values()) and sorted(one.intents) == ["web@0", "web@1"]
    one.apply([web(0)], KEPT)
    assert pids(one) == {"web": 0}


def test_what_is_no_longer_declared_is_pruned_whole_and_counts_once() -> None:
    base = read_value(ProcessSpec, {"name": "base", "file": "/bin/base"})
    one = world(base, web(20))
    comparison = one.apply([base], CompareOptions("file:/srv/p", prune=True))
    assert comparison.pruned == 1 and sorted(one.intents) == ["base"]


def test_protection_is_that_of_the_entry() -> None:
    base = read_value(ProcessSpec, {"name": "base", "file": "/bin/base"})
    one = world(base, web(2, prune=False))
    comparison = one.apply([base], OPTIONS)
    assert comparison.kept == ("web@0", "web@1") and sorted(one.intents) == ["base", "web@0", "web@1"]


def test_another_name_of_the_entry_keeps_all_that_run() -> None:
    one = world(web(3))
    before = list(pids(one).values())
    renamed = read_value(
        ProcessSpec, {"name": "site", "file": "/bin/web", "replicas": 3, "renamed_from": "web"}
    )
    one.apply([renamed], KEPT)
    assert pids(one) == {f"site@{index}": pid for index, pid in enumerate(before)}


def test_a_name_of_several_means_nothing_of_anybody_else() -> None:
    one = world(web(2))
    other = CompareOptions("file:/srv/other")
    with pytest.raises(Rejected):
        one.apply([web()], other)
    alone = world(web())
    with pytest.raises(Rejected):
        alone.apply([web(2)], other)


def test_who_depends_on_several_waits_for_all_and_is_stopped_before_none_of_them() -> None:
    front = read_value(ProcessSpec, {"name": "front", "file": "/bin/front", "dependencies": ["web"]})
    one = world(web(2), front)
    assert one.log.index("+front") > max(one.log.index("+web@0"), one.log.index("+web@1"))
    waiting = world(web(2, args=["fail"], restart={"policy": "never"}), front)
    assert not waiting.pid_of("front")


def test_who_depends_on_none_waits() -> None:
    front = read_value(ProcessSpec, {"name": "front", "file": "/bin/front", "dependencies": ["web"]})
    one = world(web(0), front)
    assert not one.pid_of("front")
    one.apply([web(1), front], KEPT)
    assert one.pid_of("front")


def test_a_hold_is_of_one_of_them() -> None:
    one = world(web(3))
    one.hold("web@1", Hold(up=False, by="ana", at=""))
    one.apply([web(3, args=["x"])], KEPT)
    assert [bool(pid) for pid in pids(one).values()] == [True, False, True]


@given(st.integers(1, 6), st.integers(1, 8))
def test_never_more_are_being_replaced_than_is_said(at_once: int, count: int) -> None:
    one = world(web(count, rollout={"max_parallel": at_once}))
    one.rollout_options = RolloutOptions(parallel=100)
    one.log.clear()
    one.apply([web(count, rollout={"max_parallel": at_once}, args=["new"])], KEPT)
    away, most = 0, 0
    for word in one.log:
        away += 1 if word.startswith("-") else -1
        most = max(most, away)
    assert len(one.log) == 2 * count and most <= at_once


def test_a_bad_new_one_stops_the_rest() -> None:
    one = world(web(3))
    before = pids(one)
    one.rollout_options = RolloutOptions(parallel=100)
    one.apply([web(3, args=["fail"], restart={"policy": "never"})], KEPT)
    left = {name: pid for name, pid in pids(one).items() if pid}
    assert left == {name: before[name] for name in ("web@1", "web@2")}


counts = st.one_of(st.none(), st.integers(0, 4))


@given(st.lists(counts, min_size=1, max_size=6))
def test_whatever_the_number_was_a_fixed_point_is_reached_and_no_name_is_lost(
    numbers: list[int | None],
) -> None:
    one = DeclaredWorld()
    for number in numbers:
        before = pids(one)
        one.apply([web(number)], KEPT)
        names = ["web"] if number in (None, 0) else [f"web@{index}" for index in range(number or 0)]
        assert sorted(one.intents) == names
        counts = {intent.replica.count if intent.replica else None for intent in one.intents.values()}
        assert counts == {number}
        assert all(bool(pid) is (number != 0) for pid in pids(one).values())
        assert one.begin([web(number)], KEPT).steps == ()
        staying = set(before) & set(names) if number else set()
        assert all(pids(one)[name] == before[name] for name in staying if before[name])
