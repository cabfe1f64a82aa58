"""From an edit of the manifest to what follows from it: `python benchmarks/reload.py`.

A pmond follows a manifest with 20 processes. Each edit declares one more; measured is the time
from just before the edit to the first instruction of the new process. The ways of editing are
those of editors and deployments: a new file renamed over the old one (the budget is about this one),
the same file written again, the file removed and written, and a symbolic link that is swapped.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from msgspec.structs import replace

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import measures, programs
from benchmarks.fleet import Fleet, become_subreaper, temporary_fleet
from benchmarks.systems.pmon3 import Pmon3, processes

_DECLARED = 20
_TIMEOUT = 30.0

Edit = Callable[[Path, str], None]


def _rename(path: Path, text: str) -> None:
    new = path.with_name("new")
    new.write_text(text)
    new.rename(path)


def _in_place(path: Path, text: str) -> None:
    path.write_text(text)


def _remove_and_write(path: Path, text: str) -> None:
    path.unlink()
    path.write_text(text)


def _swap_link(path: Path, text: str) -> None:
    version = path.with_name(f"version-{time.monotonic_ns()}")
    version.write_text(text)
    link = path.with_name("link")
    link.symlink_to(version)
    link.rename(path)


_EDITS: dict[str, Edit] = {
    "rename": _rename,
    "in place": _in_place,
    "remove and write": _remove_and_write,
    "link swapped": _swap_link,
}


def measure(fleet: Fleet, edit: Edit, times: int) -> list[float]:
    """Milliseconds from each edit to the first instruction of the process that it adds."""
    found = []
    for _ in range(times):
        declaration = replace(fleet.declaration, count=fleet.declaration.count + 1)
        text = json.dumps({"processes": processes(declaration)})
        before = time.monotonic_ns()
        edit(declaration.folder / "processes.json", text)
        fleet.declaration = declaration
        fleet.wait_first(declaration.count - 1, _TIMEOUT)
        found.append((fleet.latest[declaration.count - 1].began - before) / 1e6)
        # The next edit must not fall into the settling of this one.
        time.sleep(0.6)
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="benchmarks/reload.py", description=__doc__)
    parser.add_argument("--times", type=int, default=20)
    times = parser.parse_args().times
    become_subreaper()
    print("| edit | p50 | greatest |\n|---|---:|---:|")
    with tempfile.TemporaryDirectory(prefix="pmon3-bench-") as folder:
        worker = programs.worker(Path(folder))
        with temporary_fleet(Pmon3(), worker, _DECLARED) as fleet:
            measures.bring_up(fleet)
            time.sleep(1)
            for name, edit in _EDITS.items():
                found = measure(fleet, edit, times)
                print(f"| {name} | {statistics.median(found):.0f} ms | {max(found):.0f} ms |")


if __name__ == "__main__":
    main()
