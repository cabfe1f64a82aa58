"""Kills of pmond at random instants, in the middle of everything, and what must hold after each.

Theory of operation: a round picks a scene (a command in flight, a burst of restarts, a bring-up, a
rotation, an upgrade), lets it run for a random time, kills pmond with SIGKILL and starts the next one.
`WorkerFleet` knows what must then be so.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from tests.chaos import numbered
from tests.chaos.fleet import LEAVERS, StormFigures, WorkerFleet
from tests.chaos.machine import ChaosMachine
from tests.support.waiting import until

from pmon3_schema.errors import PmonError
from pmond.runtime.processes import tree_claims

WORKERS = (
    *(("steady", 4), ("crash", 4), ("stubborn", 1), ("tree", 2), ("quick", 2)),
    *((mode, 1) for mode in LEAVERS),
)
_ROTATED = {"log_rotate": {"size": "32KiB", "keep": 1_000_000}}
"""About half a second's lines, so that each pmond has something to rotate soon after it came up."""


class Storm:
    """Drives one machine."""

    def __init__(self, machine: ChaosMachine, seed: int) -> None:
        self.machine = machine
        self.random = random.Random(seed)
        self.fleet = WorkerFleet(machine)
        self._rotates = numbered.can_rotate(machine.folder)
        self._stranger = subprocess.Popen(["/bin/sleep", "100000"], start_new_session=True)
        self._scenes: list[Callable[[], None]] = [
            self._commands,
            self._restart_storm,
            self._bring_up,
            self._hot_reload,
            self._delete_and_submit,
            self._rotation,
            self._upgrade,
            self._stop_in_peace,
            self._end_in_peace,
            self._idle,
        ]

    @property
    def figures(self) -> StormFigures:
        return self.fleet.figures

    def begin(self) -> None:
        """The first pmond, with all workers up."""
        fleet = self.fleet
        self.machine.write_manifest({})
        self.machine.start()
        for mode, count in WORKERS:
            for number in range(count):
                fleet.submit(f"{mode}{number}", mode)
        fleet.submit("writer0", "writer", **(_ROTATED if self._rotates else {}))
        for number in range(3):
            fleet.declare(f"file{number}", "steady")
        self.machine.write_manifest(fleet.declared)
        fleet.check()

    def round(self) -> None:
        """One scene, one kill, one recovery, all invariants."""
        self.random.choice(self._scenes)()
        if self.machine.pmond is not None:
            self._kill()
        self.machine.start()
        self.fleet.check()

    def end(self) -> None:
        """Give everything back; the stranger must have lived through it all."""
        alive = self._stranger.poll() is None
        self._stranger.kill()
        self._stranger.wait()
        self.machine.close()
        assert alive, "a stranger was signalled"
        if self._rotates:
            self.machine.ledger.read()
            self.figures.lines = numbered.count(self.machine.log("writer0"), self.machine.ledger.wrote)

    # --- scenes ------------------------------------------------------------------------------

    def _commands(self) -> None:
        fleet = self.fleet
        names = self.random.sample(sorted(fleet.modes), self.random.randint(1, 4))
        names = [name for name in names if fleet.intents[name] != "gone"]
        verb = self.random.choice(["stop", "start", "restart"])
        if names:
            self._during(lambda: fleet.act(verb, names), 0.1)

    def _stop_in_peace(self) -> None:
        """Nobody kills pmond before it says that they are stopped."""
        fleet = self.fleet
        leavers = [f"{mode}0" for mode in LEAVERS]
        names = [name for name in self.random.sample(leavers, 2) if fleet.intents[name] != "gone"]
        if names:
            fleet.stop_and_wait(names)
            fleet.act("start", names)
            self._wait(0.2)

    def _end_in_peace(self) -> None:
        self.fleet.end()

    def _restart_storm(self) -> None:
        fleet = self.fleet
        names = [name for name in fleet.modes if fleet.intents[name] != "gone"]
        self._during(lambda: fleet.act("restart", names), 0.5)

    def _bring_up(self) -> None:
        """Several pmonds that die while they come up."""
        self._kill()
        for _ in range(self.random.randint(1, 3)):
            self.machine.start(wait=False)
            self._wait(0.6)
            self._kill()

    def _hot_reload(self) -> None:
        fleet = self.fleet
        name = self.random.choice(sorted(fleet.declared))
        others = [other for other in fleet.declared if other != name and fleet.intents[other] != "gone"]
        if self.random.random() < 0.5 or not others:  # what an empty manifest means is another story
            fleet.declared[name]["env_vars"] = {"EDITION": str(self.random.random())}
        elif fleet.intents[name] == "gone":
            fleet.declare(name, "steady")
        else:
            fleet.intents[name] = "gone"
        # The file is the intent here; pmond may die before it sees it.
        present = {name: spec for name, spec in fleet.declared.items() if fleet.intents[name] != "gone"}
        self.machine.write_manifest(present)
        self._wait(0.4)

    def _delete_and_submit(self) -> None:
        fleet = self.fleet
        names = [name for name in sorted(fleet.modes) if name not in fleet.declared and name != "writer0"]
        name = self.random.choice(names)
        if fleet.intents[name] == "gone":
            self._during(lambda: fleet.submit(name, fleet.modes[name]), 0.1)
        else:
            self._during(lambda: fleet.delete(name), 0.4)

    def _rotation(self) -> None:
        """pmond dies while a log is rotated, and now and then what rotates it dies with it."""
        with suppress(AssertionError):  # the writer may be stopped
            until(self._rotations, "a log is rotated", 1.5)
        self._wait(0.15)
        rotations = self._rotations() if self.random.random() < 0.5 else []
        self._kill()
        for pid in rotations:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.figures.rotations_killed += len(rotations)

    def _rotations(self) -> list[int]:
        """The programs that rotate a log just now; they are children of pmond."""
        found = []
        for pid in tree_claims.children(self.machine.pid):
            with suppress(OSError):
                if b"pmond.runtime.files import rotate" in Path(f"/proc/{pid}/cmdline").read_bytes():
                    found.append(pid)
        return found

    def _upgrade(self) -> None:
        """pmond dies while it becomes the installed code, or soon after."""
        self._during(self._become, 2.0)

    def _become(self) -> None:
        self.machine.client.post("/v1/upgrade", {})
        self.figures.upgrades += 1

    def _idle(self) -> None:
        self._wait(0.3)

    # --- what they have in common --------------------------------------------------------------

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
