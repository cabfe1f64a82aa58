"""SIGKILL of pmond while schedules fire: the short form of `timetable.py`."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.chaos.machine import ChaosMachine
from tests.chaos.timetable import EVERY, Timetable

pytestmark = pytest.mark.slow

KILLS = 4


def test_no_run_is_made_twice_and_none_that_was_promised_is_lost(tmp_path: Path) -> None:
    machine = ChaosMachine(tmp_path)
    timetable = Timetable(machine, seed=1)
    try:
        timetable.begin()
        timetable.round(absence=1.2 * EVERY)
        while timetable.figures.kills < KILLS:
            timetable.round()
    finally:
        machine.close()
