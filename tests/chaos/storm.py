"""Kills of pmond at random instants, in the middle of everything, and what must hold after each.

Theory of operation: a round picks a scene (a command in flight, a burst of restarts, a bring-up),
lets it run for a random time, kills pmond with SIGKILL and starts the next one. What a command
acknowledged is kept in `intents` and must still be so; what it did not may have happened or not,
but is one of the two. The workers and their locks say whether two of one name ever lived.
"""

from __future__ import annotations

import random
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct, field
from tests.chaos.machine import Machine
from tests.support.waiting import until

from pmon3_schema.errors import PmonError

SETTLE = 20.0
"""Seconds for everything wanted to be so again; ends of stubborn workers take most of it."""
_LONG_LIVED = ("steady", "stubborn", "tree")


class Figures(Struct):
    """What a storm has seen."""

    kills: int = 0
    acknowledged: int = 0
    interrupted: int = 0
    exits: int = 0
    exits_unseen: int = 0
    """Of instances that ran and ended between the last record of one pmond and the next pmond."""
    exits_unknown: int = 0
    """Of recorded instances; only the kernel can be the reason."""
    exits_wrong: list[str] = field(default_factory=list)
    slowest_answer: float = 0.0
    slowest_settling: float = 0.0
    most_descriptors: int = 0


class Storm:
    """Drives one machine."""

    def __init__(self, machine: Machine, seed: int) -> None:
        self.machine = machine
        self.random = random.Random(seed)
        self.figures = Figures()
        self.modes: dict[str, str] = {}
        self.intents: dict[str, str | None] = {}
        """`up`, `down`, `gone`, or None: in doubt, because pmond died before it answered."""
        self.declared: dict[str, dict[str, Any]] = {}
        self._stranger = subprocess.Popen(["/bin/sleep", "100000"], start_new_session=True)
        self._scenes: list[Callable[[], None]] = [
            self._commands,
            self._restart_storm,
            self._bring_up,
            self._hot_reload,
            self._delete_and_submit,
            self._idle,
        ]

    def begin(self) -> None:
        """The first pmond, with all workers up."""
        self.machine.write_manifest({})
        self.machine.start()
        for mode, count in (("steady", 4), ("crash", 4), ("stubborn", 1), ("tree", 2), ("quick", 2)):
            for number in range(count):
                self._submit(f"{mode}{number}", mode)
        for number in range(3):
            self._declare(f"file{number}", "steady")
        self.machine.write_manifest(self.declared)
        self.check()

    def round(self) -> None:
        """One scene, one kill, one recovery, all invariants."""
        self.random.choice(self._scenes)()
        if self.machine.pmond is not None:
            self._kill()
        self.machine.start()
        self.check()

    def end(self) -> None:
        """Give everything back; the stranger must have lived through it all."""
        alive = self._stranger.poll() is None
        self._stranger.kill()
        self._stranger.wait()
        self.machine.close()
        assert alive, "a stranger was signalled"

    # --- scenes ------------------------------------------------------------------------------

    def _commands(self) -> None:
        names = self.random.sample(sorted(self.modes), self.random.randint(1, 4))
        names = [name for name in names if self.intents[name] != "gone"]
        verb = self.random.choice(["stop", "start", "restart"])
        if names:
            self._during(lambda: self._act(verb, names), 0.1)

    def _restart_storm(self) -> None:
        names = [name for name, mode in self.modes.items() if self.intents[name] != "gone"]
        self._during(lambda: self._act("restart", names), 0.5)

    def _bring_up(self) -> None:
        """Several pmonds that die while they come up."""
        self._kill()
        for _ in range(self.random.randint(1, 3)):
            self.machine.start(wait=False)
            self._wait(0.6)
            self._kill()

    def _hot_reload(self) -> None:
        name = self.random.choice(sorted(self.declared))
        if self.random.random() < 0.5:
            self.declared[name]["env_vars"] = {"EDITION": str(self.random.random())}
        elif self.intents[name] == "gone":
            self._declare(name, "steady")
        else:
            self.intents[name] = "gone"
        present = {name: spec for name, spec in self.declared.items() if self.intents[name] != "gone"}
        # The file is the intent here; pmond may die before it sees it.
        self.machine.write_manifest(present or {"file0": self._declare("file0", "steady")})
        self._wait(0.4)

    def _delete_and_submit(self) -> None:
        name = self.random.choice([name for name in sorted(self.modes) if name not in self.declared])
        if self.intents[name] == "gone":
            self._during(lambda: self._submit(name, self.modes[name]), 0.1)
        else:
            self._during(lambda: self._delete(name), 0.4)

    def _idle(self) -> None:
        self._wait(0.3)

    # --- commands ----------------------------------------------------------------------------

    def _act(self, verb: str, names: list[str]) -> None:
        goal = "down" if verb == "stop" else "up"
        before = {name: self.intents[name] for name in names}
        self.intents.update({name: goal if before[name] == goal else None for name in names})
        self.machine.act(verb, *names)
        self.intents.update(dict.fromkeys(names, goal))

    def _delete(self, name: str) -> None:
        self.intents[name] = None
        self.machine.act("delete", name)
        self.intents[name] = "gone"

    def _submit(self, name: str, mode: str) -> None:
        self.machine.ledger.declared(name)
        self.intents[name], self.modes[name] = None, mode
        self.machine.client.post(
            "/v1/processes", {"spec": self.machine.worker(name, mode), "cwd": "/", "replace": True}
        )
        self.intents[name] = "up"

    def _declare(self, name: str, mode: str) -> dict[str, Any]:
        self.machine.ledger.declared(name)
        self.modes[name], self.intents[name] = mode, "up"
        self.declared[name] = self.machine.worker(name, mode)
        return self.declared[name]

    def _during(self, command: Callable[[], None], longest: float) -> None:
        """Run a command, and kill pmond at a random moment of it or shortly after."""
        thread = threading.Thread(target=self._attempt, args=(command,))
        thread.start()
        self._wait(longest)
        self._kill()
        thread.join()

    def _attempt(self, command: Callable[[], None]) -> None:
        try:
            command()
            self.figures.acknowledged += 1
        except PmonError:
            self.figures.interrupted += 1

    def _wait(self, longest: float) -> None:
        # Not a wait for something: the length of the fuse.
        time.sleep(self.random.random() * self.random.choice((0.02, 0.2, 1.0)) * longest)

    def _kill(self) -> None:
        self.machine.kill()
        self.figures.kills += 1

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
            elif survivor.leads and self.modes[name] in {"steady", "stubborn"} and pid != rows[name]["pid"]:
                problems.append(f"{name} is {rows[name]['pid']} and not {pid}")
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
