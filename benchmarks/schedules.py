"""What schedules cost: `python benchmarks/schedules.py`.

The share of a core that a pmond uses which has so many processes with a schedule of their own each, none of
which is due in the time that is looked at, beside the same number without one that are not started; and what
one run costs of a process that is due all the time, processor time of pmond and of the program, beside the
bare posix_spawn and waitpid of the same program.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import procfs
from benchmarks.adoption import BenchedPmond
from benchmarks.fleet import become_subreaper, temporary_fleet
from benchmarks.probes import ProbedFleet, bare, share, with_children
from benchmarks.systems.pmon3 import Pmon3

_EVERY = 1.0
"""Seconds between two runs of what is due all the time."""
_SETTLED_WITHIN = 60.0
"""Seconds that a large change may be worked at after it was taken."""
_RESTS = 1.0
"""Percent of a core below which nothing is worked at."""
_PROGRAM = "/bin/true"


def nightly(count: int, scheduled: bool) -> list[dict[str, Any]]:
    """So many processes, each with its own minute of the day."""
    away = time.gmtime(time.time() + 12 * 3600).tm_hour  # none is due while it is looked at
    return [
        {
            "name": f"p{number}",
            "file": _PROGRAM,
            **(
                {"schedule": {"cron": f"{number % 60} {away} {number % 28 + 1} * *", "timezone": "UTC"}}
                if scheduled
                else {"autostart": False}
            ),
        }
        for number in range(count)
    ]


def due(count: int) -> list[dict[str, Any]]:
    """So many processes that run all the time."""
    return [
        {"name": f"p{number}", "file": _PROGRAM, "schedule": {"every": _EVERY}} for number in range(count)
    ]


def at_rest(fleet: ProbedFleet, seconds: float) -> float:
    """The share of a core once what was declared has been dealt with."""
    deadline = time.monotonic() + _SETTLED_WITHIN
    while share(fleet.pid, 1.0) > _RESTS and time.monotonic() < deadline:
        pass
    return share(fleet.pid, seconds)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="benchmarks/schedules.py", description=__doc__)
    parser.add_argument("--size", type=int, default=10_000, help="processes that wait for their time")
    parser.add_argument("--due", type=int, default=50, help="processes that run every second")
    parser.add_argument("--seconds", type=float, default=30.0, help="how long each is looked at")
    options = parser.parse_args()
    become_subreaper()
    system = Pmon3()
    with temporary_fleet(system, (_PROGRAM,), 0) as started:
        system.write_empty(started.declaration)
        pmond = BenchedPmond(started)
        fleet = ProbedFleet(pmond, started.declaration.folder)
        fleet.declare(nightly(options.size, scheduled=False), wait=False)
        idle = at_rest(fleet, options.seconds)
        fleet.declare(nightly(options.size, scheduled=True), wait=False)
        waiting = at_rest(fleet, options.seconds)
        memory = procfs.memory([fleet.pid])[0] / 2**20
        fleet.declare(due(options.due), wait=False)
        time.sleep(2 * _EVERY)  # until all have begun
        before, began = with_children(fleet.pid), time.monotonic()
        time.sleep(options.seconds)
        runs = options.due * (time.monotonic() - began) / _EVERY
        run = (with_children(fleet.pid) - before) / runs
        floor = bare([_PROGRAM], options.due)
        pmond.kill()
    print("| schedules | | |")
    print("|---|---:|---|")
    print(f"| {options.size} that wait for their time | {waiting:.3f} % of a core | {idle:.3f} % without |")
    print(f"| memory of that pmond, PSS | {memory:.0f} MB | |")
    print(
        f"| {options.due} run every {_EVERY:g} s | {run * 1e3:.2f} ms each |"
        f" {floor * 1e3:.2f} ms of a bare fork + exec |"
    )


if __name__ == "__main__":
    main()
