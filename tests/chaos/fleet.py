"""The workers of one machine, what is wanted of each, and what must hold of them at any time.

Theory of operation: what a command acknowledged is kept in `intents` and must still be so after
every kill of pmond; what was not acknowledged may have happened or not, but is one of the two. The
workers and their locks say whether two of one name ever lived.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from msgspec import Struct, field
from tests.chaos.machine import ChaosMachine
from tests.support.waiting import until

SETTLE = 20.0
"""Seconds for everything wanted to be so again; ends of stubborn workers take most of it."""
_LONG_LIVED = ("steady", "stubborn", "tree", "writer")
LEAVERS = ("leaver", "daemon", "late", "jobs")
"""They crash and leave a process behind, each in its own way."""
_ONE_MAIN = ("steady", "stubborn", "writer")


class StormFigures(Struct):
    """What a storm has seen."""

    kills: int = 0
    acknowledged: int = 0
    interrupted: int = 0
    upgrades: int = 0
    ends: int = 0
    """Of pmond with all processes, each of which left nothing."""
    rotations_killed: int = 0
    lines: int = 0
    """Written through all rotations, none lost or repeated."""
    exits: int = 0
    exits_unseen: int = 0
    """Of instances that ran and ended between the last record of one pmond and the next pmond."""
    exits_unknown: int = 0
    """Of recorded instances; only the kernel can be the reason."""
    exits_wrong: list[str] = field(default_factory=list)
    slowest_answer: float = 0.0
    slowest_settling: float = 0.0
    most_descriptors: int = 0


class WorkerFleet:
    """Workers of one machine; `declared` are those of its process config file."""

    def __init__(self, machine: ChaosMachine) -> None:
        self.machine = machine
        self.figures = StormFigures()
        self.modes: dict[str, str] = {}
        self.intents: dict[str, str | None] = {}
        """`up`, `down`, `gone`, or None: in doubt, because pmond died before it answered."""
        self.declared: dict[str, dict[str, Any]] = {}

    # --- commands ----------------------------------------------------------------------------

    def act(self, verb: str, names: list[str]) -> None:
        goal = "down" if verb == "stop" else "up"
        before = {name: self.intents[name] for name in names}
        self.intents.update({name: goal if before[name] == goal else None for name in names})
        self.machine.act(verb, *names)
        self.intents.update(dict.fromkeys(names, goal))

    def stop_and_wait(self, names: list[str]) -> None:
        """Stop them; when pmond answers that they are, nothing of them is left."""
        self.intents.update(dict.fromkeys(names, None))
        targets = self.machine.act("stop", *names)["targets"]
        wish = {"targets": targets, "until": "stopped", "timeout": 10.0}
        assert self.machine.client.post("/v1/wait", wish)["outcome"] == "met"
        self._expect_none(names)
        self.intents.update(dict.fromkeys(names, "down"))

    def end(self) -> None:
        """Have pmond end with all processes; when it has, nothing is left."""
        machine = self.machine
        machine.client.post("/v1/shutdown", {"stop_processes": True})
        assert machine.pmond is not None
        machine.pmond.wait(SETTLE)
        machine.pmond = None
        self._expect_none(list(self.modes))
        self.figures.ends += 1

    def _expect_none(self, names: list[str]) -> None:
        """Asked of the processes themselves: no look at the clock, no patience."""
        left = [one for one in self.machine.marked() if one.name in names]
        assert not left, f"left: {left}"
        held = [name for name in names if self.machine.ledger.is_alive(name)]
        assert not held, f"somebody has the locks of {held}"

    def delete(self, name: str) -> None:
        self.intents[name] = None
        self.machine.act("delete", name)
        self.intents[name] = "gone"

    def submit(self, name: str, mode: str, **more: Any) -> None:
        self.machine.ledger.declared(name)
        self.intents[name], self.modes[name] = None, mode
        spec = self.machine.worker(name, mode, **more)
        self.machine.client.post("/v1/processes", {"spec": spec, "cwd": "/", "replace": True})
        self.intents[name] = "up"

    def declare(self, name: str, mode: str) -> dict[str, Any]:
        self.machine.ledger.declared(name)
        self.modes[name], self.intents[name] = mode, "up"
        self.declared[name] = self.machine.worker(name, mode)
        return self.declared[name]

    # --- invariants --------------------------------------------------------------------------

    def check(self) -> None:
        """I1 to I8 of what can be seen now."""
        began = time.monotonic()
        problem: list[str] = []

        def settled() -> bool:
            problem[:] = self._problems()
            return not problem

        try:
            until(settled, "everything is as it was wanted", SETTLE)
        except AssertionError as error:
            raise AssertionError(f"{error}: {problem}") from None
        self.figures.slowest_settling = max(self.figures.slowest_settling, time.monotonic() - began)
        told, ledger = self.machine.told(), self.machine.ledger
        ledger.read()
        assert not ledger.doubles, f"two of one name: {ledger.doubles}"
        assert not ledger.repeated, f"an instance was started twice: {ledger.repeated}"
        self._note_exits(told, ledger.endings)
        assert not self.figures.exits_wrong, self.figures.exits_wrong
        self.figures.most_descriptors = max(self.figures.most_descriptors, self.machine.descriptors())

    def _resolve_doubts(self, rows: dict[str, dict[str, Any]]) -> None:
        """What a command that was not answered has brought about: all of it, or nothing."""
        for name in [name for name, intent in self.intents.items() if intent is None]:
            row = rows.get(name)
            if row is None:
                self.intents[name] = "gone"
            elif row["hold"] is not None and not row["hold"]["up"]:
                self.intents[name] = "down"
            elif row["status"] not in {"stopping", "stopped"}:  # else it is being deleted
                self.intents[name] = "up"

    def _problems(self) -> list[str]:
        """What is not yet as it must be."""
        asked = time.monotonic()
        rows = self.machine.rows()
        self.figures.slowest_answer = max(self.figures.slowest_answer, time.monotonic() - asked)
        self._resolve_doubts(rows)
        problems = [
            problem for name, intent in self.intents.items() if (problem := self._problem(name, rows))
        ]
        for survivor in self.machine.marked():
            name, pid = survivor.name, survivor.identity.pid
            if self.intents[name] != "up":
                problems.append(f"{name} should be down, {pid} lives")
            elif survivor.leads and self.modes[name] in _ONE_MAIN and name in rows:
                # The socket answers before the manifest is brought in: what that declares comes later.
                known = rows[name]["pid"]
                problems += [f"{name} is {known} and not {pid}"] if pid != known else []
        problems += [f"zombie {pid}" for pid in self.machine.zombies()]
        return problems

    def _problem(self, name: str, rows: dict[str, dict[str, Any]]) -> str:
        row, intent = rows.get(name), self.intents[name]
        if intent == "gone":
            return f"{name} is still there" if row is not None else ""
        if row is None:
            return f"{name} is lost"
        if intent is None:
            return f"{name} is in doubt"
        if intent == "down":
            return "" if row["status"] == "stopped" else f"{name} is {row['status']}, not stopped"
        if self.modes[name] not in _LONG_LIVED:
            return f"{name} is {row['status']}" if row["status"] in {"stopped", "failed", "closed"} else ""
        alive = self.machine.ledger.is_alive(name)
        return "" if row["status"] == "running" and alive else f"{name} is {row['status']}, alive {alive}"

    def _note_exits(self, told: list[dict[str, Any]], announced: Mapping[tuple[str, int], set[int]]) -> None:
        """I6: an exit is recorded with its own code or as unknown, never with another one."""
        for line in told:
            if line["event"] not in {"process.exited", "process.stopped"}:
                continue
            self.figures.exits += 1
            key, code = (line["name"], line["instance"]), line["exit_code"]
            if line["pid"] == 0:
                self.figures.exits_unseen += 1
            elif code is None and line["exit_signal"] is None:
                self.figures.exits_unknown += 1
            elif code is not None and code not in announced.get(key, ()):
                self.figures.exits_wrong.append(f"{key}: recorded {code}, announced {announced.get(key)}")
