"""Whose processes a manifest may take over unasked."""

from __future__ import annotations

from pmon3_schema.process import ProcessSpec
from pmond.core.compare import compare
from pmond.core.step import ADOPT, CompareOptions, Existing


def test_a_successor_takes_what_both_declare_and_leaves_the_rest() -> None:
    web, gone = (ProcessSpec(file="/bin/sleep", name=name) for name in ("web", "gone"))
    present = {spec.name: Existing(spec, "file:/old") for spec in (web, gone)}
    stranger = compare([web], present, CompareOptions("file:/new", prune=True))
    assert [one.name for one in stranger.conflicts] == ["web"]
    heir = compare(
        [web], present, CompareOptions("file:/new", prune=True, predecessors=frozenset({"file:/old"}))
    )
    assert [(step.action, step.name) for step in heir.steps] == [(ADOPT, "web")]
    assert (heir.conflicts, heir.kept) == ((), ())
