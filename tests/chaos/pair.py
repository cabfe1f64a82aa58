"""Two steady processes under one pmond: `one` meets the fault, `two` is to notice nothing of it."""

from __future__ import annotations

from typing import Any

from tests.chaos.machine import ChaosMachine
from tests.support.waiting import until

PATIENCE = 20.0
"""Seconds within which pmond is to have recovered."""


def fleet(machine: ChaosMachine, *around: str, **more: Any) -> dict[str, int]:
    """Both up; their pids."""
    # Two failures would be enough to give up: what the system refuses is no failure of the program.
    restart = {"delay": "5ms", "max_delay": "20ms", "jitter": 0, "max_failures": 2, "stable_after": "1ms"}
    more = {"restart": restart, **more}
    machine.write_manifest({name: machine.worker(name, "steady", **more) for name in ("one", "two")})
    machine.start(around=around)
    until(lambda: len(pids(machine)) == 2, "both run", PATIENCE)
    return pids(machine)


def pids(machine: ChaosMachine) -> dict[str, int]:
    return {row["name"]: row["pid"] for row in machine.rows().values() if row["status"] == "running"}


def is_refused(machine: ChaosMachine, name: str, words: str) -> None:
    """Wait until it is said why the process cannot be started."""
    until(lambda: words in machine.rows()[name]["reason"], f"{name}: {words}", PATIENCE)
    assert machine.rows()[name]["status"] in {"backoff", "restarting", "queued"}


def recovers(machine: ChaosMachine, before: dict[str, int]) -> None:
    """`one` runs again, `two` never noticed anything."""
    seen = {None, before["one"]}
    until(lambda: pids(machine).get("one") not in seen, "it is started again by itself", PATIENCE)
    assert pids(machine)["two"] == before["two"]


def stop(machine: ChaosMachine, name: str) -> None:
    machine.act("stop", name)
    until(lambda: machine.rows()[name]["status"] == "stopped", f"{name} is stopped", PATIENCE)


def submit(machine: ChaosMachine, **spec: Any) -> None:
    machine.client.post("/v1/processes", {"spec": spec, "cwd": "/"})


def checks(machine: ChaosMachine) -> dict[str, dict[str, Any]]:
    """What doctor says, by name."""
    return {check["name"]: check for check in machine.client.get("/v1/doctor")["checks"]}
