"""The plan that callers see: counts, a digest of exactly what would be done, and no secrets."""

from __future__ import annotations

import json

from tests.support.factories import spec

from pmon3_schema.process import ProcessSpec
from pmond.core.compare import Comparison, compare
from pmond.core.step import CompareOptions, Existing
from pmond.runtime.intent.plan_view import plan_digest, plan_json, summary_of, with_entries

OPTIONS = CompareOptions("file:/m.yaml", prune=True)
SECRET = {"PASSWORD": "hunter2"}


def compared(after: list[ProcessSpec], *before: ProcessSpec) -> tuple[Comparison, dict[str, Existing]]:
    existing = {one.name: Existing(one, OPTIONS.owner, runs="r1") for one in before}
    return compare(after, existing, OPTIONS), existing


def test_the_summary_counts_steps_and_what_needs_none() -> None:
    found, _ = compared([spec("new"), spec("same")], spec("same"), spec("old"))
    assert summary_of(found) == {"create": 1, "prune": 1, "unchanged": 1}


def test_no_value_of_the_environment_is_in_a_plan_and_each_makes_another_digest() -> None:
    digests = set()
    for value in ("hunter2", "hunter3"):
        found, existing = compared([spec("web", env_vars={"PASSWORD": value})], spec("web"))
        plan = with_entries(plan_json(found, OPTIONS, 1, "b2:0", ()), found, existing)
        assert "hunter" not in json.dumps(plan)
        digests.add(plan["plan_digest"])
    assert len(digests) == 2


def test_that_a_secret_changes_can_be_seen_although_its_value_cannot() -> None:
    before, after = spec("web", env_vars=SECRET), spec("web", env_vars={"PASSWORD": "other"})
    found, existing = compared([after], before)
    (action,) = with_entries(plan_json(found, OPTIONS, 1, "b2:0", ()), found, existing)["actions"]
    assert action["changes"][0]["before"] != action["changes"][0]["after"]
    assert action["entry_before"] != action["entry_after"]


def test_a_plan_is_for_one_version_of_one_set() -> None:
    found, _ = compared([spec("web")])
    digests = {
        plan_digest(found, OPTIONS, 1),
        plan_digest(found, OPTIONS, 2),
        plan_digest(found, CompareOptions("file:/other.yaml", prune=True), 1),
    }
    assert len(digests) == 3
