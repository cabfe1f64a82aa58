"""pmond is killed while it starts many programs at a time."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from tests.support.pmond import Pmond
from tests.support.waiting import until

pytestmark = pytest.mark.slow

MANY = 16
"""Processes, more than are planned at once."""


def test_few_programs_that_run_once_are_in_doubt(stopped_pmond: Pmond, tmp_path: Path) -> None:
    """What was noted and not started counts as run, so no more may be noted than are being started."""
    pmond = stopped_pmond
    names = [f"once{number:02}" for number in range(MANY)]
    pmond.declare(
        *(
            {
                "name": name, "file": "/bin/sh", "args": ["-c", f"echo >>{tmp_path}/{name}"],
                "restart": {"policy": "never"},
            }
            for name in names
        )
    )  # fmt: skip
    pmond.environment["PMON3_FAILPOINT"] = f"start_noted:{MANY}"
    pmond.try_start()
    assert pmond.ended() == -signal.SIGKILL
    del pmond.environment["PMON3_FAILPOINT"]
    pmond.start()
    over = {"completed", "failed"}
    until(
        lambda: [row["status"] in over for row in pmond.rows().values()] == [True] * MANY,
        "all to end",
    )
    ran = [name for name in names if (tmp_path / name).exists()]
    assert MANY - len(ran) <= len(os.sched_getaffinity(0))
    assert all((tmp_path / name).read_text() == "\n" for name in ran), "none ran twice"
