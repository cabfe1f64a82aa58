"""SIGKILL of pmond at random instants (faults 2 and 3): the short form of `long.py`."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.chaos.machine import Machine
from tests.chaos.storm import Storm

from pmond.runtime.processes.foreign_exits import tells_exits

KILLS = 15


@pytest.mark.slow
def test_2_3_nothing_is_lost_and_nothing_runs_twice(tmp_path: Path) -> None:
    storm = Storm(Machine(tmp_path), seed=1)
    try:
        storm.begin()
        while storm.figures.kills < KILLS:
            storm.round()
        assert storm.figures.exits_unknown == 0 or not tells_exits()
    finally:
        storm.end()
