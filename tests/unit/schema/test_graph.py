"""Dependency order and cycles."""

from __future__ import annotations

from pmon3_schema.graph import cycles, dependents, layers, reachable


def test_layers_follow_needs_and_then_the_order_of_declaration() -> None:
    edges = {"web": ["api", "db"], "api": ["db"], "cron": ["db"]}
    assert layers(["web", "cron", "api", "db", "log"], edges) == [["db", "log"], ["cron", "api"], ["web"]]


def test_needs_outside_the_set_are_taken_for_granted() -> None:
    assert layers(["a"], {"a": ["elsewhere"]}) == [["a"]]


def test_a_cycle_and_what_needs_it_is_in_no_layer() -> None:
    edges = {"a": ["b"], "b": ["a"], "c": ["a"]}
    assert layers(["a", "b", "c", "d"], edges) == [["d"]]
    assert cycles(["a", "b", "c", "d"], edges) == [["a", "b", "a"]]


def test_each_group_gives_one_whole_cycle() -> None:
    edges = {"a": ["a"], "b": ["c"], "c": ["d", "x"], "d": ["b"], "x": []}
    assert cycles(edges, edges) == [["a", "a"], ["b", "c", "d", "b"]]


def test_ten_thousand_in_a_row_are_no_problem() -> None:
    names = [str(i) for i in range(10_000)]
    edges = {str(i): [str(i + 1)] for i in range(10_000)}
    assert len(layers(names, edges)) == 10_000
    edges["9999"] = ["0"]
    assert len(cycles(names, edges)[0]) == 10_001


def test_dependents_and_reachable() -> None:
    edges = {"web": ["api", "db"], "api": ["db"]}
    assert dependents(edges) == {"api": ["web"], "db": ["web", "api"]}
    assert reachable(["web"], edges) == ["web", "api", "db"]
