"""What a manifest of many processes costs, and whom it holds up: `python benchmarks/large.py`.

A pmond is told of 10,000 processes in YAML (`autostart: false`: what is measured is deciding, not
starting), then of changes to them. While it is at work another caller asks a short question again and
again. Shown is how long each step took, how long that caller had to wait for an answer (median,
greatest), and the longest that pmond's loop was busy without a break, as seen from inside
(`watched.py`): elapsed, and of that processor time, which other programs on the machine do not change.
Each figure is the least of some rounds, each with a pmond of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import stat
import statistics
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import watched
from benchmarks.fleet import become_subreaper, temporary_fleet
from benchmarks.measures import wait_answering
from benchmarks.plan import in_process, manifest
from benchmarks.prober import probing
from benchmarks.results import machine
from benchmarks.systems.base import Declaration
from benchmarks.systems.pmon3 import Pmon3
from msgspec import Struct

from pmon3.client import Client

_TIMEOUT = 300.0
_HEADING = """\
# A manifest of {} processes

Written by `benchmarks/large.py`; [README.md](README.md) says what is measured.
Each figure is the least of {} rounds.
"""
_NOBODY = 65534
_PMON3 = Path(sys.executable).parent / "pmon3"


_WITHOUT_QUOTA = {"PMON3_ACCESS_QUOTA_PROCESSES": "1000000", "PMON3_ACCESS_QUOTA_BYTES": "1GiB"}
"""Another user asks for as many processes as root."""


class Watched(Pmon3):
    """pmond with a watch on its loop, which follows a YAML file."""

    def environment(self, declaration: Declaration) -> Mapping[str, str]:
        turns = declaration.folder / "turns"
        return {**super().environment(declaration), watched.VARIABLE: str(turns), **_WITHOUT_QUOTA}

    def write(self, declaration: Declaration) -> None:
        super().write(declaration)
        (declaration.folder / "processes.json").unlink()
        (declaration.folder / "processes.yaml").write_text("processes: []\n")
        config = declaration.folder / "config.yml"
        config.write_text(config.read_text().replace("processes.json", "processes.yaml"))

    def start_command(self, declaration: Declaration) -> list[str]:
        return [sys.executable, watched.__file__]


class Turn(Struct, frozen=True):
    """A line of `watched`. Seconds."""

    ended: float
    seconds: float
    cpu: float
    callback: str


class Cost(Struct, frozen=True):
    """Of one step, in milliseconds."""

    whole: float
    median_wait: float
    longest_wait: float
    longest_turn: float
    longest_turn_cpu: float
    what: str = ""
    """The callback that was the longest."""

    def least(self, other: Cost) -> Cost:
        longest = min(self, other, key=lambda cost: cost.longest_turn)
        return Cost(
            min(self.whole, other.whole),
            min(self.median_wait, other.median_wait),
            min(self.longest_wait, other.longest_wait),
            longest.longest_turn,
            min(self.longest_turn_cpu, other.longest_turn_cpu),
            longest.what,
        )


class LargeBench:
    """One pmond and the steps it is taken through."""

    def __init__(self, folder: Path, size: int) -> None:
        self._folder = folder
        self._size = size
        self._client = Client(str(next((folder / "run").glob("*.sock*"))), _TIMEOUT)
        self._path = folder / "many.yaml"

    def steps(self) -> dict[str, Cost]:
        """All steps, in an order in which each finds what it needs."""
        text, changed = manifest(self._size), manifest(self._size, edited=True)
        policy = changed.replace("autostart: false", "autostart: false\n    restart: {policy: never}")
        return {
            "nothing": self._cost(lambda: time.sleep(0.5)),
            "first apply": self._cost(lambda: self._post("/v1/apply", text)),
            "apply, nothing edited": self._cost(lambda: self._post("/v1/apply", text)),
            "diff, nothing edited": self._cost(lambda: self._post("/v1/plan", text)),
            "diff, one edited": self._cost(lambda: self._post("/v1/plan", changed)),
            "apply, one edited": self._cost(lambda: self._post("/v1/apply", changed)),
            "diff, all edited": self._cost(lambda: self._post("/v1/plan", policy)),
            "apply, all edited": self._cost(lambda: self._post("/v1/apply", policy)),
            "list": self._cost(lambda: self._client.get("/v1/processes")),
            "export": self._cost(lambda: self._client.get("/v1/export")),
            "sets": self._cost(lambda: self._client.get("/v1/sets")),
            "graph": self._cost(lambda: self._client.get("/v1/graph")),
            "list, as a command": self._cost(lambda: self._command("ls", "-o", "json")),
            **self._of_another_user(text.replace("worker", "other")),
            "stop all": self._cost(lambda: self._post_all("/v1/actions/stop", "stopped")),
            "delete all": self._cost(lambda: self._post_all("/v1/actions/delete", "deleted")),
        }

    def followed(self) -> dict[str, Cost]:
        """The process config file says all of it, then one thing differently."""
        text, changed = manifest(self._size), manifest(self._size, edited=True)
        return {
            "hot reload of all": self._cost(lambda: self._save(text, 1)),
            "hot reload, one edited": self._cost(lambda: self._save(changed, 2)),
            "hot reload, a line more": self._cost(lambda: self._save(f"# moved\n{text}", 3)),
            "init": self._cost(lambda: self._client.post("/v1/init", {}, _TIMEOUT)),
            "describe one": self._cost(lambda: self._client.get("/v1/processes/worker-00000")),
        }

    def _of_another_user(self, text: str) -> dict[str, Cost]:
        """What callers get to see who may not see secrets: only where root is, and is pmond."""
        if os.geteuid() != 0:
            return {}
        for folder in Path(self._client.path).parents[:-2]:
            folder.chmod(folder.stat().st_mode | stat.S_IXOTH)
        Path(self._client.path).chmod(0o666)
        path = str(self._path.with_name("other.yaml"))
        body = {"documents": [{"path": path, "text": text}], "set": "another user's"}
        return {
            "diff, of another user": self._cost(
                lambda: _as_nobody(lambda: self._client.post("/v1/plan", body, _TIMEOUT))
            ),
            "export, of another user": self._cost(lambda: _as_nobody(lambda: self._client.get("/v1/export"))),
        }

    def _post_all(self, path: str, until: str) -> None:
        """Do something to all processes, and wait for what comes of it."""
        targets = self._client.post(path, {"all": True}, _TIMEOUT)["targets"]
        wait = {"targets": targets, "until": until, "timeout": _TIMEOUT}
        assert self._client.post("/v1/wait", wait, _TIMEOUT)["outcome"] == "met"

    def _post(self, path: str, text: str) -> None:
        document = {"path": str(self._path), "text": text}
        self._client.post(path, {"documents": [document], "set": f"file:{self._path}"}, _TIMEOUT)

    def _save(self, text: str, version: int) -> None:
        new = self._folder / "new"
        new.write_text(text)
        new.rename(self._folder / "processes.yaml")
        deadline = time.monotonic() + _TIMEOUT
        while time.monotonic() < deadline:
            found = self._client.get("/v1/history?limit=1")
            if found and found[0]["revision"] >= version:
                return
            time.sleep(0.01)
        raise TimeoutError("the process config file was not brought in")

    def _command(self, *arguments: str) -> None:
        subprocess.run(
            [str(_PMON3), *arguments],
            env={"PMON3_CONF": str(self._folder / "config.yml"), "PATH": "/usr/bin:/bin"},
            stdout=subprocess.DEVNULL,
            check=True,
        )

    def _cost(self, work: Callable[[], object]) -> Cost:
        with probing(self._client.path) as waits:
            before = time.monotonic()
            work()
            whole = time.monotonic() - before
            # What the step left for the next turns counts as well.
            time.sleep(0.3)
        turns = [turn for turn in self._turns() if turn.ended >= before]
        longest = max(turns, key=lambda turn: turn.seconds, default=Turn(0.0, 0.0, 0.0, ""))
        return Cost(
            whole * 1e3,
            statistics.median(waits) * 1e3,
            max(waits) * 1e3,
            longest.seconds * 1e3,
            max((turn.cpu for turn in turns), default=0.0) * 1e3,
            longest.callback,
        )

    def _turns(self) -> list[Turn]:
        return [Turn(**json.loads(line)) for line in (self._folder / "turns").read_text().splitlines()]


def _as_nobody(work: Callable[[], object]) -> None:
    """Do it in a child that is nobody; AssertionError if it fails there."""
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(_NOBODY)
            os.setuid(_NOBODY)
            work()
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def one_round(size: int) -> dict[str, Cost]:
    """All steps with a new pmond."""
    with temporary_fleet(Watched(), ("/usr/bin/sleep",), 0) as fleet:
        fleet.system.write(fleet.declaration)
        fleet.start()
        wait_answering(fleet)
        bench = LargeBench(fleet.declaration.folder, size)
        found = bench.steps()
    with temporary_fleet(Watched(), ("/usr/bin/sleep",), 0) as fleet:
        fleet.system.write(fleet.declaration)
        fleet.start()
        wait_answering(fleet)
        return {**found, **LargeBench(fleet.declaration.folder, size).followed()}


def validate(size: int, rounds: int) -> tuple[float, float]:
    """The whole command `pmon3 validate`: least seconds elapsed, and of processor time."""
    elapsed, used = [], []
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "many.yaml"
        file.write_text(manifest(size))
        for _ in range(rounds):
            before, children = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
            subprocess.run([str(_PMON3), "validate", str(file)], stdout=subprocess.DEVNULL, check=True)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            elapsed.append(time.monotonic() - before)
            used.append(after.ru_utime + after.ru_stime - children.ru_utime - children.ru_stime)
    return min(elapsed), min(used)


def report(size: int, rounds: int, verbose: bool) -> Iterator[str]:
    """The lines of both tables, as they are found."""
    yield "| by itself | elapsed | processor |"
    yield "|---|---:|---:|"
    for some in (size // 10, size):
        elapsed, used = validate(some, rounds)
        yield f"| `pmon3 validate`, {some} processes, whole command | {elapsed:.2f} s | {used:.2f} s |"
    for name, (passed, worked) in in_process(size).items():
        if name in {"parse", "plan, once parsed"}:
            yield f"| {name}, {size} processes | {passed:.0f} ms | {worked:.0f} ms |"
    costs: dict[str, Cost] = {}
    for _ in range(rounds):
        for name, cost in one_round(size).items():
            costs[name] = cost.least(costs.get(name, cost))
    yield ""
    yield "| milliseconds | whole | another caller waits: median | greatest | loop busy | of that processor |"
    yield "|---|---:|---:|---:|---:|---:|"
    for name, cost in costs.items():
        waits = f"{cost.median_wait:.1f} | {cost.longest_wait:.1f}"
        turns = f"{cost.longest_turn:.1f} | {cost.longest_turn_cpu:.1f}"
        yield f"| {name} | {cost.whole:.0f} | {waits} | {turns} |" + (f" {cost.what}" if verbose else "")


def main() -> None:
    """Measure, print and perhaps write."""
    parser = argparse.ArgumentParser(prog="benchmarks/large.py", description=__doc__)
    parser.add_argument("--size", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--verbose", action="store_true", help="name the callback that was the longest")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the tables there")
    options = parser.parse_args()
    become_subreaper()
    lines = []
    for line in report(options.size, options.rounds, options.verbose):
        print(line, flush=True)
        lines.append(line)
    if options.markdown:
        about = ", ".join(f"{key} {value}" for key, value in machine().items())
        lines = [_HEADING.format(options.size, options.rounds), *lines, "", f"Machine: {about}.", ""]
        options.markdown.write_text("\n".join(lines))


if __name__ == "__main__":
    main()
