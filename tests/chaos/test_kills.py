"""SIGKILL of pmond at random instants (faults 2 and 3): the short form of `long.py`, also on poorer hosts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.chaos.hosts import AS_ORDINARY, WITHOUT_GROUPS, WITHOUT_PIDFDS, needs, prepared
from tests.chaos.machine import ChaosMachine
from tests.chaos.storm import Storm

from pmond.runtime.processes.adopted_exits import tells_exits

pytestmark = pytest.mark.slow

KILLS = 15
KILLS_OF_A_VARIANT = 10


def test_2_3_nothing_is_lost_and_nothing_runs_twice(tmp_path: Path) -> None:
    storm = Storm(ChaosMachine(tmp_path), seed=1)
    with raging(storm):
        while storm.figures.kills < KILLS:
            storm.round()
    assert storm.figures.exits_unknown == 0 or not tells_exits()


@contextmanager
def raging(storm: Storm) -> Iterator[None]:
    """The storm with everything up, and at last everything given back."""
    try:
        storm.begin()
        yield
    finally:
        storm.end()


def without_pidfds(folder: Path) -> ChaosMachine:
    return prepared(folder, WITHOUT_PIDFDS.format(name="ENOSYS"))


def without_groups(folder: Path) -> ChaosMachine:
    needs(*WITHOUT_GROUPS)
    return ChaosMachine(folder / "machine", WITHOUT_GROUPS)


def with_nothing(folder: Path) -> ChaosMachine:
    around = (*WITHOUT_GROUPS, *AS_ORDINARY)
    needs(*around)
    return prepared(folder, WITHOUT_PIDFDS.format(name="EPERM"), around)


LIMITED = {"adopted exits": "looking every second", "exits without pmond": "none"}
"""What doctor says without pidfds; nothing else allows an exit to be unknown."""
SEARCHED = {"process trees": "subreaper"}


@pytest.mark.parametrize(
    ("poor", "said"),
    [
        (without_pidfds, LIMITED),
        (without_groups, SEARCHED),
        (with_nothing, LIMITED | SEARCHED),
    ],
)
def test_56_invariants_hold_but_for_what_doctor_says(
    poor: Callable[[Path], ChaosMachine], said: dict[str, str], tmp_path: Path
) -> None:
    machine = poor(tmp_path)
    storm = Storm(machine, seed=2)
    with raging(storm):
        checks = {check["name"]: check["in_use"] for check in machine.client.get("/v1/doctor")["checks"]}
        assert said.items() <= checks.items()
        while storm.figures.kills < KILLS_OF_A_VARIANT:
            storm.round()
    assert storm.figures.exits_unknown == 0 or "exits without pmond" in said or not tells_exits()
