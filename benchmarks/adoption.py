"""What it costs a pmond to take over the processes of one that was killed: `python benchmarks/adoption.py`.

A pmond starts so many `sleep`s and is killed with SIGKILL. Measured is the time from the start of the next
one to the moment that its socket answers, when all that live are adopted; beside it the same of a
pmond with an empty state. The difference is the price of adoption. The two take turns.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import procfs
from benchmarks.fleet import Fleet, FleetError, become_subreaper, temporary_fleet
from benchmarks.systems.pmon3 import Pmon3, processes

from pmon3.client import Client

_TIMEOUT = 120.0
_WORKER = ("/bin/sh", "-c", "exec sleep infinity")
"""It is also given a number and a place for reports, of which it makes nothing."""


class MeasuredStart(NamedTuple):
    """One start of a pmond, in milliseconds."""

    elapsed: float
    processor: float
    """What it used of the processors, all threads; on a busy machine the steadier figure."""


class BenchedPmond:
    """A pmond on the folders of a fleet, which is started and killed again and again."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._daemon: subprocess.Popen[bytes] | None = None
        self.client = Client(str(fleet.declaration.folder / "run" / "pmon3.sock"), _TIMEOUT)

    def start(self) -> MeasuredStart:
        """What it takes until the socket answers. Raises FleetError when it does not come up."""
        reading, writing = os.pipe()
        folder = self._fleet.declaration.folder
        settings = Pmon3().environment(self._fleet.declaration)
        with (folder / "daemon.output").open("ab") as log, os.fdopen(reading, "rb") as ready:
            before = time.perf_counter()
            self._daemon = subprocess.Popen(
                [sys.executable, "-m", "pmond"],
                env={**os.environ, **settings, "PMON3_READY_FD": str(writing)},
                pass_fds=[writing],
                stdout=log,
                stderr=log,
            )
            os.close(writing)
            if ready.read() != b"ready\n":
                raise FleetError(f"pmond did not come up: {folder / 'daemon.output'}")
            elapsed = (time.perf_counter() - before) * 1e3
            return MeasuredStart(elapsed, procfs.activity(self._daemon.pid).cpu / 1e6)

    @property
    def pid(self) -> int:
        assert self._daemon is not None
        return self._daemon.pid

    def kill(self) -> None:
        assert self._daemon is not None
        self._daemon.kill()
        self._daemon.wait()

    def running(self) -> dict[str, int]:
        """The pids of what runs, by name."""
        rows = self.client.get("/v1/processes?usage=0")
        return {row["name"]: row["pid"] for row in rows if row["status"] == "running"}


@contextmanager
def pmond(count: int) -> Iterator[BenchedPmond]:
    """A killed pmond, and as many living processes of it."""
    system = Pmon3()
    with temporary_fleet(system, _WORKER, count) as fleet:
        system.write_empty(fleet.declaration)
        one = BenchedPmond(fleet)
        one.start()
        declared = {"processes": processes(fleet.declaration)}
        path = str(fleet.declaration.folder / "loaded.json")
        body = {"documents": [{"path": path, "text": _json(declared)}], "set": f"file:{path}"}
        one.client.post("/v1/apply", body, _TIMEOUT)
        deadline = time.monotonic() + _TIMEOUT
        while len(one.running()) < count:
            if time.monotonic() > deadline:
                raise FleetError(f"{len(one.running())} of {count} processes run")
            time.sleep(0.1)
        yield one


def _json(value: object) -> str:
    import json

    return json.dumps(value)


def measure(count: int, times: int) -> tuple[list[MeasuredStart], list[MeasuredStart]]:
    """Starts with an empty state and with so many processes to adopt."""
    with ExitStack() as stack:
        bare, full = stack.enter_context(pmond(0)), stack.enter_context(pmond(count))
        pids = full.running()
        found: tuple[list[MeasuredStart], list[MeasuredStart]] = [], []
        for _ in range(times):
            for one, times_found in zip((bare, full), found, strict=True):
                one.kill()
                times_found.append(one.start())
        if full.running() != pids:
            raise FleetError("not all processes were adopted")
        return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="benchmarks/adoption.py", description=__doc__)
    parser.add_argument("--size", type=int, default=1000)
    parser.add_argument("--times", type=int, default=9)
    options = parser.parse_args()
    become_subreaper()
    bare, full = measure(options.size, options.times)
    print(f"{options.size} processes, {options.times} starts each; milliseconds, median and least\n")
    print("| start of pmond until it answers | time | least | processor time | least |")
    print("|---|---:|---:|---:|---:|")
    empty, adopting = _figures(bare), _figures(full)
    rows = {"empty state": empty, "with processes to adopt": adopting}
    rows["adoption"] = [after - before for before, after in zip(empty, adopting, strict=True)]
    for name, figures in rows.items():
        print(f"| {name} | {' | '.join(f'{figure:.0f}' for figure in figures)} |")


def _figures(starts: list[MeasuredStart]) -> list[float]:
    columns = [one.elapsed for one in starts], [one.processor for one in starts]
    return [figure for column in columns for figure in (statistics.median(column), min(column))]


if __name__ == "__main__":
    main()
