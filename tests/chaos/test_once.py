"""pmond ends at every point between a hook, a start and an end: each command is run once for one start.

Theory of operation: a one-shot and its hooks write a line each, with the number of the run. Pmond is
killed at a point, for the first or a later time that it is reached, and started again until the one-shot
is settled. No line may be there twice: a start that was cut short is made again under another number.
"""

from __future__ import annotations

import json
from collections import Counter
from contextlib import suppress
from pathlib import Path
from subprocess import TimeoutExpired

import pytest
from tests.chaos.machine import ChaosMachine
from tests.support.waiting import until

from pmond.runtime.base.failpoints import FailPoint

pytestmark = pytest.mark.slow

SAY = 'n=${PMON3_INSTANCE##*:}; echo "%s $n" >> %s'
POINTS = (
    *((FailPoint.HOOK_NOTED, count) for count in (1, 2, 3, 4)),
    *((FailPoint.HOOK_SPAWNED, count) for count in (1, 2, 3, 4)),
    *((FailPoint.START_NOTED, count) for count in (1,)),
    *((FailPoint.START_SPAWNED, count) for count in (1,)),
    *((FailPoint.EXIT_SEEN, count) for count in (1, 2, 3)),
    *((FailPoint.EXIT_TOLD, count) for count in (1, 2, 3)),
    *((FailPoint.EXIT_REAPED, count) for count in (1, 2, 3)),
    *((FailPoint.FACTS_WRITTEN, count) for count in (2, 3, 4, 5)),
    *((FailPoint.FACTS_COMMITTED, count) for count in (2, 3, 4, 5)),
)  # fmt: skip


def declare(machine: ChaosMachine, told: Path) -> None:
    def say(word: str) -> list[str]:
        return ["/bin/sh", "-c", SAY % (word, told)]

    hooks = {
        "pre_start": [say("before"), say("again")],
        "post_stop": [say("after")],
        "on_failure": [say("failed")],
    }
    spec = {
        "name": "job", "file": "/bin/sh", "args": ["-c", SAY % ("run", told) + "; exit 3"], "type": "oneshot",
        "hooks": hooks, "log": str(machine.log("job")),
    }  # fmt: skip
    machine.manifest.write_text(json.dumps({"processes": [spec]}))


def live_on(machine: ChaosMachine) -> None:
    """Start pmond anew, until the one-shot is settled."""
    machine.start()
    until(lambda: machine.rows().get("job", {}).get("status_code") in (4, 10), "an end")


@pytest.mark.parametrize(("point", "count"), POINTS, ids=lambda value: str(value))
def test_nothing_is_run_twice_for_one_start(point: FailPoint, count: int, tmp_path: Path) -> None:
    machine = ChaosMachine(tmp_path / "machine")
    told = tmp_path / "told"
    declare(machine, told)
    try:
        machine.start(wait=False, fail_point=f"{point}:{count}")
        assert machine.pmond is not None
        with suppress(TimeoutExpired):
            machine.pmond.wait(5)
        assert machine.pmond.poll() is not None, f"{point} was not reached {count} times"
        machine.pmond = None
        live_on(machine)
        lines = told.read_text().splitlines()
        assert not [line for line, times in Counter(lines).items() if times > 1], lines
        runs = [line for line in lines if line.startswith("run ")]
        assert len(runs) <= 1, lines
        if runs:
            number = runs[0].split()[1]
            assert lines[: lines.index(runs[0])][-2:] == [f"before {number}", f"again {number}"], lines
    finally:
        machine.close()
