"""Planning many: order, neighbours, what is left out."""

from __future__ import annotations

from tests.support.factories import desired, wanted

from pmond.core.actions import Forget
from pmond.core.model import History, Policy, State
from pmond.core.plan import dependants_of, neighbours, plan

SHOP = desired(wanted("web", dependencies=["api", "db"]), wanted("api", dependencies=["db"]), wanted("db"))


def test_a_plan_of_everything_follows_the_order_of_declaration() -> None:
    names = [f"p{number}" for number in range(50)]
    planned = plan(desired(*(wanted(name) for name in names)), {}, 0.0, Policy())
    assert [action.name for action in planned.actions] == names


def test_what_is_seen_but_not_wanted_is_looked_at_too() -> None:
    planned = plan(SHOP, {"ghost": State(None, History(number=3))}, 0.0, Policy())
    assert planned.actions[-1] == Forget("ghost")


def test_only_the_names_asked_for_are_planned() -> None:
    assert plan(SHOP, {}, 0.0, Policy(), ["api"]).wake_at.keys() == {"api"}


def test_neighbours_are_those_that_it_needs_and_those_that_need_it() -> None:
    assert neighbours(SHOP, "api") == {"web", "api", "db"}
    assert neighbours(SHOP, "ghost") == {"ghost"}
    assert dependants_of([("a", ("c",)), ("b", ("c", "a"))]) == {"c": ("a", "b"), "a": ("b",)}
