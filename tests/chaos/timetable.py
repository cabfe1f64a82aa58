"""Kills of pmond while schedules fire and replicas come and go: each run is made once, none twice or lost.

Theory of operation: workers with schedules of every kind note their starts, locks and ends in the ledger. At
random instants pmond is killed, and now and then it stays away for longer than a run may be missed. What the
ledger has and what `runs` tells must agree: no number twice, no two of a name at once, every end with its own
code. What catches up runs once pmond is back. Meanwhile a process is scaled up and down: the
number that pmond has acknowledged last is there after each death, and no number twice.
"""

from __future__ import annotations

import random
import sys
import tempfile
import threading
import time
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import asdict
from tests.chaos.invariants import SETTLE, wrong_ends
from tests.chaos.machine import ChaosMachine
from tests.support.waiting import until

from pmon3_schema.errors import PmonError

EVERY = 4.0
"""Seconds between two runs of what catches up."""
PATIENCE = 2.0
"""Seconds by which a run may begin late on a busy machine."""
_KEPT = 100
"""Runs of a process that pmond keeps."""
JOBS: dict[str, tuple[str, dict[str, Any]]] = {
    **{f"often{n}": ("job", {"every": "1s"}) for n in range(3)},
    "shift": ("shift", {"every": "1s", "overlap": "skip"}),
    "queue": ("shift", {"every": "1s", "overlap": "queue"}),
    "replace": ("shift", {"every": "1s", "overlap": "replace"}),
    "caught": ("job", {"every": EVERY, "catch_up": "one"}),
}


_MANY, _MOST = "many", 5
"""The process that is scaled, and to how many at most."""


class TimetableFigures(Struct):
    """What was seen."""

    kills: int = 0
    runs: int = 0
    scaled: int = 0
    """Acknowledged changes of a number of replicas."""
    unknown: int = 0
    """Recorded runs whose end nobody knows: they began and ended with no pmond there, or just then."""
    longest_absence: float = 0.0
    latest: float = 0.0
    """Seconds after pmond's return at which the latest of those began that were missed."""


class Timetable:
    """Drives one machine."""

    def __init__(self, machine: ChaosMachine, seed: int) -> None:
        self.machine = machine
        self.random = random.Random(seed)
        self.figures = TimetableFigures()
        self._ends: dict[str, dict[int, dict[str, Any]]] = {name: {} for name in JOBS}
        self._counts = {3}
        """How many replicas there may be: one number that was acknowledged, and what was asked for since."""

    def begin(self) -> None:
        """The first pmond, which is told all schedules."""
        machine = self.machine
        specs = {
            name: machine.worker(name, mode, type="oneshot", schedule=schedule, restart={"policy": "never"})
            for name, (mode, schedule) in JOBS.items()
        }
        specs[_MANY] = machine.worker(_MANY, "steady", replicas=3)
        specs[_MANY].pop("log")
        machine.write_manifest(specs)
        machine.start()
        until(lambda: all(self._runs(name) for name in JOBS), "each has run once", EVERY + 3 * PATIENCE)

    def round(self, absence: float | None = None) -> None:
        """A life of pmond, its death, an absence of so many seconds or of any, and what must hold then."""
        self._fuse((0.05, 0.5, 3.0))
        self._take()
        scaling = threading.Thread(target=self._scale)
        scaling.start()
        self._fuse((0.0, 0.02, 0.2))
        self.machine.kill()
        scaling.join()
        self.figures.kills += 1
        died = time.time()
        if absence is None:
            self._fuse((0.0, 0.1, 1.5 * EVERY))
        else:
            time.sleep(absence)
        self.machine.start()
        back = time.time()
        self.figures.longest_absence = max(self.figures.longest_absence, back - died)
        if back - died > EVERY:
            self._expect_caught_up(died, back)
        self._expect_replicas()
        self.check()

    def _scale(self) -> None:
        """Another number of replicas, while pmond dies perhaps."""
        count = self.random.randint(0, _MOST)
        for index in range(_MOST):  # those that come are new ones
            self.machine.ledger.declared(f"{_MANY}@{index}")
        self._counts = {*self._counts, count}
        with suppress(PmonError):
            self.machine.client.post("/v1/scale", {"counts": {_MANY: count}})
            self._counts = {count}
            self.figures.scaled += 1

    def _expect_replicas(self) -> None:
        def there() -> int | None:
            rows = [row for row in self.machine.rows().values() if row["replica"]]
            count = sum(row["status"] == "running" for row in rows)
            names = {f"{_MANY}@{index}" for index in range(count)} or {_MANY}
            settled = {row["name"] for row in rows} == names and count in self._counts
            return count if settled else None

        until(lambda: there() is not None, f"there are {self._counts} replicas", SETTLE)
        living = [one for one in self.machine.marked() if one.name.startswith(_MANY)]
        assert len(living) in self._counts, living

    def check(self) -> None:
        """What must hold at any time."""
        ledger = self.machine.ledger
        ledger.read()  # first: what begins meanwhile is listed, and not expected
        self._take()
        assert not ledger.doubles, f"two of one name: {ledger.doubles}"
        assert not ledger.repeated, f"a run was made twice: {ledger.repeated}"
        wrong = list(wrong_ends(self.machine.told(), ledger.endings))
        for name, runs in self._ends.items():
            unlisted = self.machine.ledger.numbers(name) - set(runs) - self._going_on(name)
            assert not unlisted, f"{name}: runs that are not listed: {unlisted}"
            for number, run in runs.items():
                announced = ledger.endings.get((name, number))
                if run["exit_code"] is not None and announced and run["exit_code"] not in announced:
                    wrong.append(f"{name} {number}: {run} and not {announced}")
        assert not wrong, wrong
        self.figures.runs = sum(map(len, self._ends.values()))
        self.figures.unknown = sum(
            run["exit_code"] is None and run["exit_signal"] is None
            for runs in self._ends.values()
            for run in runs.values()
        )

    def _expect_caught_up(self, died: float, back: float) -> None:
        """One run for those missed begins at once, perhaps before pmond answers."""

        def begun() -> list[float]:
            moments = [_moment(run["started_at"]) for run in self._runs("caught")]
            return [moment for moment in moments if moment > died]

        until(lambda: bool(begun()), "what was missed is caught up", SETTLE)
        self.figures.latest = max(self.figures.latest, begun()[0] - back)

    def _take(self) -> None:
        """Take in the runs that have ended; pmond keeps a limited number of them."""
        for name in JOBS:
            listed = self._runs(name)
            numbers = [run["number"] for run in listed]
            assert numbers == sorted(set(numbers)), f"{name}: {numbers}"
            self._ends[name] |= {run["number"]: run for run in listed if run["ended_at"]}

    def _going_on(self, name: str) -> set[int]:
        return {run["number"] for run in self._runs(name)} - set(self._ends[name])

    def _runs(self, name: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.machine.client.get(f"/v1/runs?ref={name}&limit={_KEPT}")
        return found

    def _fuse(self, lengths: tuple[float, ...]) -> None:
        # Not a wait for something: the length of a life, or of an absence.
        time.sleep(self.random.random() * self.random.choice(lengths))


def _moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def main(kills: int, seed: int) -> None:
    """The long form: `python -m tests.chaos.timetable KILLS SEED`; AssertionError at the first violation."""
    with tempfile.TemporaryDirectory(prefix="chaos-", ignore_cleanup_errors=True) as folder:
        machine = ChaosMachine(Path(folder))
        timetable = Timetable(machine, seed)
        try:
            timetable.begin()
            while timetable.figures.kills < kills:
                timetable.round()
        except BaseException:
            print(machine.journal.read_text()[-20000:], flush=True)
            raise
        finally:
            for name, value in asdict(timetable.figures).items():
                print(f"{name:18} {value}")
            machine.close()


if __name__ == "__main__":
    main(*(int(text) for text in (*sys.argv[1:], *("500", "1")[len(sys.argv) - 1 :])))
