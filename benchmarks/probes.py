"""What probes cost, and how soon one that hangs is replaced: `python benchmarks/probes.py`.

Three figures of a pmond with so many `sleep`s:

* the share of a core that it uses while a web server is asked for each of them every ten seconds, and
  without any probe, in the same run;
* what a command costs as a probe of some of them, processor time of pmond and of the commands, beside the
  bare posix_spawn and waitpid of the same command;
* the time from SIGSTOP of a program whose probe asks it to the start of the next one, beside what was
  declared: the time limits of the failures that count, and the grace.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import procfs
from benchmarks.adoption import BenchedPmond
from benchmarks.fleet import FleetError, become_subreaper, temporary_fleet
from benchmarks.systems.pmon3 import Pmon3

_TIMEOUT = 120.0
_INTERVAL = 10.0
"""Seconds between two tries of each probe, as declared by default."""
_TICK = os.sysconf("SC_CLK_TCK")
_SERVER = (
    "import http.server\n"
    "class Handler(http.server.BaseHTTPRequestHandler):\n"
    "    def do_GET(self):\n"
    "        self.send_response(200)\n"
    "        self.end_headers()\n"
    "    def log_message(self, *words): pass\n"
    "server = http.server.ThreadingHTTPServer(('127.0.0.1', {port}), Handler)\n"
    "server.serve_forever()\n"
)
_HANGS: dict[str, Any] = {"interval": "500ms", "timeout": "500ms", "failures": 2, "start_period": 0}
_GRACE = 1.0
_BOUND = 2 * (0.5 + 0.5) + _GRACE
"""Seconds: each failure takes its interval and its time limit, and the program its grace."""


class ProbedFleet:
    """A pmond and what is declared to it."""

    def __init__(self, pmond: BenchedPmond, folder: Path) -> None:
        self._pmond = pmond
        self._path = str(folder / "loaded.json")
        pmond.start()

    @property
    def pid(self) -> int:
        return self._pmond.pid

    def declare(self, processes: list[dict[str, Any]], wait: bool = True) -> None:
        """Have these and no others, and wait until they run."""
        document = {"path": self._path, "text": json.dumps({"processes": processes})}
        body = {"documents": [document], "set": f"file:{self._path}", "prune": True, "prune_limit": "100%"}
        self._pmond.client.post("/v1/apply", {**body, "allow_empty": True}, _TIMEOUT)
        deadline = time.monotonic() + _TIMEOUT
        while wait and len(self._pmond.running()) != len(processes):
            if time.monotonic() > deadline:
                raise FleetError(f"{len(self._pmond.running())} of {len(processes)} processes run")
            time.sleep(0.1)

    def pid_of(self, name: str, ready: bool = False) -> int:
        """0 while there is none, or none that is ready."""
        row = self._pmond.client.get(f"/v1/processes/{name}")
        return 0 if ready and not row["ready"] else int(row["pid"])


def sleepers(count: int, live: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    """So many processes that do nothing, each with this probe."""
    probe = {} if live is None else {"live": {"interval": _INTERVAL, "start_period": 0, **live}}
    one = {"file": "/bin/sleep", "args": ["infinity"], "stop": {"timeout": "1s"}}
    return [{"name": f"p{number}", **one, **probe} for number in range(count)]


@contextmanager
def answering() -> Iterator[int]:
    """The port of a web server that answers everybody."""
    with subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("answering.py"))],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as server:  # fmt: skip
        assert server.stdout is not None
        yield int(server.stdout.readline())
        server.communicate()


def share(pid: int, seconds: float) -> float:
    """Of a core, in percent, over the next seconds."""
    before = procfs.activity(pid).cpu
    began = time.monotonic()
    time.sleep(seconds)
    return (procfs.activity(pid).cpu - before) / (time.monotonic() - began) / 1e7


def with_children(pid: int) -> float:
    """Seconds of processor time of a process and of its children that have ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / _TICK


def bare(command: list[str], times: int) -> float:
    """Seconds of processor time of one posix_spawn and waitpid."""

    def used() -> float:
        return sum(
            one.ru_utime + one.ru_stime
            for one in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        )

    before = used()
    for _ in range(times):
        os.waitpid(os.posix_spawn(command[0], command, dict(os.environ)), 0)
    return (used() - before) / times


def hang(fleet: ProbedFleet, times: int) -> list[float]:
    """Seconds from SIGSTOP to the start of the next one."""
    with answering() as port:
        free = port  # of a server that has ended by the time that ours is started
    live = {"http": f"http://127.0.0.1:{free}/", **_HANGS}
    program = {"file": sys.executable, "args": ["-c", _SERVER.format(port=free)]}
    ready = {"tcp": free, "interval": "50ms"}
    # Each hangs again at once, which delays would be the answer to.
    more = {"stop": {"timeout": _GRACE}, "restart": {"delay": "1ms", "max_delay": "1ms", "jitter": 0}}
    fleet.declare([{"name": "web", **program, "ready": ready, "live": live, **more}])
    found = []
    for _ in range(times):
        pid = fleet.pid_of("web", ready=True)
        began = time.monotonic()
        os.kill(pid, signal.SIGSTOP)
        while fleet.pid_of("web") in (0, pid):
            if time.monotonic() > began + _TIMEOUT:
                raise FleetError("one that hangs was not replaced")
            time.sleep(0.01)
        found.append(time.monotonic() - began)
        while not fleet.pid_of("web", ready=True):
            time.sleep(0.1)
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="benchmarks/probes.py", description=__doc__)
    parser.add_argument("--size", type=int, default=1000, help="processes that a web server is asked for")
    parser.add_argument("--commands", type=int, default=200, help="processes that a command is run for")
    parser.add_argument("--seconds", type=float, default=30.0, help="how long each is looked at")
    parser.add_argument("--times", type=int, default=9, help="programs that are stopped")
    options = parser.parse_args()
    become_subreaper()
    system = Pmon3()
    with temporary_fleet(system, ("/bin/sleep",), 0) as started:
        system.write_empty(started.declaration)
        pmond = BenchedPmond(started)
        fleet = ProbedFleet(pmond, started.declaration.folder)
        fleet.declare(sleepers(options.size))
        idle = share(fleet.pid, options.seconds)
        with answering() as port:
            fleet.declare(sleepers(options.size, {"http": f"http://127.0.0.1:{port}/"}))
            asked = share(fleet.pid, options.seconds)
        command = ["/bin/true"]
        fleet.declare(sleepers(options.commands, {"exec": command}))
        before, tries = with_children(fleet.pid), options.commands * options.seconds / _INTERVAL
        time.sleep(options.seconds)
        probed = (with_children(fleet.pid) - before) / tries
        floor = bare(command, options.commands)
        hung = hang(fleet, options.times)
        pmond.kill()
    print("| probes | | |")
    print("|---|---:|---|")
    every = f"every {_INTERVAL:g} s"
    print(f"| {options.size} processes, http {every} | {asked:.2f} % of a core | {idle:.2f} % without |")
    print(
        f"| {options.commands} processes, a command {every} | {probed * 1e3:.2f} ms each |"
        f" {floor * 1e3:.2f} ms of a bare fork + exec |"
    )
    print(
        f"| SIGSTOP to the next one | {statistics.median(hung):.2f} s, {max(hung):.2f} s at most |"
        f" {_BOUND:g} s is declared |"
    )


if __name__ == "__main__":
    main()
