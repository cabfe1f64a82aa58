"""The queue order and its waves."""

from __future__ import annotations

import random

from pmond.core.order import order


def test_what_is_needed_comes_first_and_strangers_last() -> None:
    found = order({"web": ("api", "db"), "log": (), "api": ("db",), "db": ()})
    assert found.waves == (("db",), ("api",), ("web",))
    assert found.dependent == ("db", "api", "web")
    assert found.independent == ("log",)
    assert found.queue == ("db", "api", "web", "log")
    assert found.cycles == ()


def test_inside_a_wave_the_order_of_declaration_counts() -> None:
    found = order({"z": (), "b": ("z",), "a": ("z",), "y": (), "c": ("y",)})
    assert found.waves == (("z", "y"), ("b", "a", "c"))


def test_without_dependencies_all_are_independent() -> None:
    assert order({"b": (), "a": ()}).queue == ("b", "a")
    assert order({"b": (), "a": ()}).dependent == ()


def test_a_dependency_that_does_not_exist_relates_nobody() -> None:
    assert order({"web": ("ghost",)}).independent == ("web",)


def test_a_cycle_is_named_and_starts_nothing_that_needs_it() -> None:
    found = order({"a": ("b",), "b": ("a",), "c": ("a",), "d": ("e",), "e": (), "f": ("f",)})
    assert found.cycles == (("a", "b", "a"), ("f", "f"))
    assert found.dependent == ("e", "d")
    assert found.independent == ()


def test_in_every_acyclic_graph_each_name_follows_what_it_needs() -> None:
    chance = random.Random(5)
    for _ in range(100):
        names = [f"p{i}" for i in range(12)]
        needs = {n: tuple(m for m in names[:i] if chance.random() < 0.2) for i, n in enumerate(names)}
        declared = chance.sample(names, len(names))
        queue = order({name: needs[name] for name in declared}).queue
        assert sorted(queue) == sorted(names)
        assert all(queue.index(need) < queue.index(name) for name in names for need in needs[name])
