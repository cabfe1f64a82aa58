"""The measures. Each takes a fleet and returns named figures; README.md says what they mean and why.

All limits of time and number are constants here.
"""

from __future__ import annotations

import itertools
import os
import random
import signal
import statistics
import time
from collections.abc import Callable

from benchmarks import procfs
from benchmarks.fleet import Fleet, FleetError, temporary_fleet
from benchmarks.systems.base import System

SETTLE = 2.0
"""Seconds between the last worker's start and the first measure."""
IDLE = 8.0
"""Seconds of watching an idle supervisor."""
LISTS = 7
"""Runs of the list command."""
STABLE_RUN = 1.5
"""Seconds that a worker has run before it is killed: longer than the one second below which runit waits."""
KILLS_MOST = 200
KILLS_FEWEST = 10
KILL_SECONDS = 8.0
"""Kill until KILLS_MOST, or until this time is over and KILLS_FEWEST are done."""
PAUSE = 0.01
"""Seconds, at most, between a restart and the next kill (see `_pause`)."""
RESTART_TIMEOUT = 30.0

Figures = dict[str, float]


def start_timeout(count: int) -> float:
    """Seconds until bring-up counts as failed: ten times the slowest peer."""
    return 30 + count * 0.2


def bring_up(fleet: Fleet) -> Figures:
    """Seconds from the start of the daemon to the first instruction of the last worker."""
    fleet.system.write(fleet.declaration)
    before = fleet.start()
    return {"bringup": (fleet.wait_all_up(start_timeout(fleet.declaration.count)) - before) / 1e9}


def load(system: System, worker: tuple[str, ...], count: int) -> Figures:
    """The same with a daemon that is up and has no workers: from the start of the command that loads them."""
    with temporary_fleet(system, worker, count) as fleet:
        command = system.write_empty(fleet.declaration)
        if command is None:
            return {}
        fleet.start()
        wait_answering(fleet)
        before = time.monotonic_ns()
        fleet.run(command)
        return {"load": (fleet.wait_all_up(start_timeout(count)) - before) / 1e9}


def wait_answering(fleet: Fleet) -> None:
    """Return when the list command succeeds."""
    command = fleet.system.list_command(fleet.declaration)
    assert command is not None
    deadline = time.monotonic() + start_timeout(0)
    while True:
        try:
            fleet.run(command)
            return
        except FleetError:
            if time.monotonic() > deadline:
                raise


def idle(fleet: Fleet) -> Figures:
    """Processor time of the supervisor, as a percentage of one core, and its wake-ups per second."""
    before = {pid: procfs.activity(pid) for pid in fleet.supervisor_pids()}
    started = time.monotonic()
    time.sleep(IDLE)
    after = {pid: procfs.activity(pid) for pid in before}
    elapsed = time.monotonic() - started
    cpu = sum(max(after[pid].cpu - before[pid].cpu, 0) for pid in before)
    sleeps = sum(max(after[pid].sleeps - before[pid].sleeps, 0) for pid in before)
    return {"idle_cpu": cpu / (elapsed * 1e9) * 100, "wakeups": sleeps / elapsed}


def memory(fleet: Fleet) -> Figures:
    """Memory of the supervisor's own processes, in MB (10^6 bytes)."""
    pss, rss = procfs.memory(fleet.supervisor_pids())
    return {"pss": pss / 1e6, "rss": rss / 1e6}


def listing(fleet: Fleet) -> Figures:
    """Wall time of the whole list command in milliseconds, median."""
    command = fleet.system.list_command(fleet.declaration)
    if command is None:
        return {}
    return {"list": statistics.median(fleet.run(command) for _ in range(LISTS)) * 1e3}


def restart(fleet: Fleet) -> Figures:
    """Milliseconds from kill(2) with SIGKILL to the first instruction of the replacement."""
    chance = random.Random(fleet.declaration.count)
    order = chance.sample(range(fleet.declaration.count), fleet.declaration.count)
    latencies: list[float] = []
    deadline = time.monotonic() + KILL_SECONDS
    for index in itertools.cycle(order):
        if len(latencies) >= KILLS_MOST or (len(latencies) >= KILLS_FEWEST and time.monotonic() > deadline):
            break
        latencies.append(_kill_one(fleet, index))
        _pause(chance, latencies[-1])
    milliseconds = sorted(latency * 1e3 for latency in latencies)
    return {
        "restart_p50": _percentile(milliseconds, 50),
        "restart_p99": _percentile(milliseconds, 99),
        "kills": len(milliseconds),
    }


def _kill_one(fleet: Fleet, index: int) -> float:
    """Kill a worker that has run long enough to be no crash loop; returns its restart latency in seconds."""
    worker = fleet.latest[index]
    age = (time.monotonic_ns() - worker.began) / 1e9
    time.sleep(max(STABLE_RUN - age, 0))
    killed = time.monotonic_ns()
    os.kill(worker.pid, signal.SIGKILL)
    return (fleet.wait_restarted(index, killed, RESTART_TIMEOUT).began - killed) / 1e9


def _pause(chance: random.Random, latency: float) -> None:
    """A random pause, as long as a restart takes at most: else a supervisor that looks once a second
    would be killed always just after it has looked, and show its worst case as its median."""
    time.sleep(chance.uniform(0, min(max(latency, PAUSE), 1.0)))


def _percentile(ordered: list[float], percent: int) -> float:
    """Nearest rank; of fewer than a hundred values the 99th percentile is the greatest."""
    return ordered[max(-(-len(ordered) * percent // 100) - 1, 0)]


WHEN_UP: dict[str, Callable[[Fleet], Figures]] = {
    "idle": idle,
    "memory": memory,
    "list": listing,
    "restart": restart,
}
"""In this order: restarts come last, since they disturb what the others look at."""
NAMES = ("bringup", *WHEN_UP)
