"""What an edit of one process among many costs: `python benchmarks/plan.py --size 10000`.

Part one, in this process: reading the manifest (YAML), comparing it with what is declared, and the
decision on one process and on all. Part two, with a real pmond: the requests plan and apply, each as
a whole, and meanwhile how long the daemon's loop let another caller wait (a short request again
and again; the longest answer). The processes are declared with `autostart: false`: what is
measured is deciding, not starting.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.fleet import become_subreaper, temporary_fleet
from benchmarks.measures import wait_answering
from benchmarks.systems.pmon3 import Pmon3

from pmon3.client import Client
from pmon3_schema.manifest import Document, read
from pmon3_schema.process import ProcessSpec
from pmon3_schema.revision import revision
from pmond.core.compare import Existing, Options, compare
from pmond.core.model import Desired, Policy, Wanted
from pmond.core.plan import plan

_REPEAT = 5
_TIMEOUT = 300.0
_OWNER = "file:/srv/processes.yaml"


def manifest(size: int, edited: bool = False) -> str:
    """Processes with a few fields each; `edited`: the middle one has another argument."""
    lines = ["processes:"]
    for index in range(size):
        word = "edited" if edited and index == size // 2 else "declared"
        lines += [
            f"  - name: worker-{index:05d}",
            "    file: /usr/bin/sleep",
            f"    args: [infinity, {word}]",
            "    autostart: false",
            f"    env_vars: {{NUMBER: '{index}'}}",
            f"    groups: [group-{index % 20}]",
        ]
    return "\n".join(lines) + "\n"


def in_process(size: int) -> dict[str, float]:
    """Milliseconds of the steps, median."""
    documents = [Document("/srv/processes.yaml", manifest(size, edited=True).encode())]
    before = [
        entry.spec for entry in read([Document("/srv/processes.yaml", manifest(size).encode())]).entries
    ]
    after = [entry.spec for entry in read(documents).entries]
    existing = {spec.name: Existing(spec, _OWNER) for spec in before}
    desired = Desired({spec.name: Wanted(spec, revision(spec)) for spec in after})
    name = after[size // 2].name
    assert len(compare(after, existing, Options(_OWNER, prune=True)).steps) == 1
    return {
        "parse": _median(lambda: read(documents)),
        "compare": _median(lambda: compare(after, existing, Options(_OWNER, prune=True))),
        "decide one": _median(lambda: plan(desired, {}, 0.0, Policy(), [name])),
        "decide all": _median(lambda: plan(desired, {}, 0.0, Policy())),
        "validate alone": _median(lambda: [ProcessSpec.model_validate(_plain(spec)) for spec in after]),
    }


def _plain(spec: ProcessSpec) -> dict[str, Any]:
    return {"name": spec.name, "file": spec.file, "args": list(spec.args), "autostart": False}


def _median(work: Callable[[], object]) -> float:
    times = []
    for _ in range(_REPEAT):
        before = time.perf_counter()
        work()
        times.append((time.perf_counter() - before) * 1e3)
    return statistics.median(times)


def with_daemon(size: int) -> dict[str, tuple[float, float]]:
    """For each request its whole time and the longest wait of another caller, in milliseconds."""
    system = Pmon3()
    with temporary_fleet(system, ("/usr/bin/sleep",), 0) as fleet:
        system.write_empty(fleet.declaration)
        fleet.start()
        wait_answering(fleet)
        client = Client(_socket(fleet.declaration.folder))
        found = {"idle": _observed(client, lambda: time.sleep(1))}
        path = str(fleet.declaration.folder / "many.yaml")
        for step, edited, request in (
            ("apply all", False, "/v1/apply"),
            ("plan, nothing edited", False, "/v1/plan"),
            ("plan, one edited", True, "/v1/plan"),
            ("apply, one edited", True, "/v1/apply"),
        ):
            body = {"documents": [{"path": path, "text": manifest(size, edited)}], "set": f"file:{path}"}
            found[step] = _observed(client, _request(client, request, body))
        found["list"] = _observed(client, lambda: client.get("/v1/processes"))
        return found


def _request(client: Client, path: str, body: dict[str, Any]) -> Callable[[], object]:
    return lambda: client.post(path, body, _TIMEOUT)


def _socket(folder: Path) -> str:
    return str(next((folder / "run").glob("*.sock*")))


def _observed(client: Client, work: Callable[[], object]) -> tuple[float, float]:
    with _prober(client.path) as waits:
        before = time.perf_counter()
        work()
        elapsed = (time.perf_counter() - before) * 1e3
        # What the request left for the next turns counts as well.
        time.sleep(0.3)
    return elapsed, max(waits)


@contextmanager
def _prober(path: str) -> Iterator[list[float]]:
    """Ask for the version all the time; the list gets the milliseconds that each answer took."""
    client, waits, ended = Client(path, _TIMEOUT), [0.0], threading.Event()

    def probe() -> None:
        while not ended.wait(0.002):
            before = time.perf_counter()
            client.get("/v1/version")
            waits.append((time.perf_counter() - before) * 1e3)

    thread = threading.Thread(target=probe)
    thread.start()
    try:
        yield waits
    finally:
        ended.set()
        thread.join()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="benchmarks/plan.py", description=__doc__)
    parser.add_argument("--size", type=int, default=10_000)
    size = parser.parse_args().size
    become_subreaper()
    print(f"{size} processes; milliseconds\n\n| step in this process | time |\n|---|---:|")
    for name, milliseconds in in_process(size).items():
        print(f"| {name} | {milliseconds:.2f} |")
    print("\n| request to a pmond | time | longest wait of another caller |\n|---|---:|---:|")
    for name, (whole, stall) in with_daemon(size).items():
        print(f"| {name} | {whole:.0f} | {stall:.1f} |")


if __name__ == "__main__":
    main()
