"""One account with a pmond of its own that is killed and started again and again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.chaos.ledger import Ledger
from tests.support.cgroup import end_groups, uuid_in
from tests.support.pmond import end_keepers
from tests.support.waiting import until

from pmon3.client import Client
from pmond.runtime.base import failpoints
from pmond.runtime.processes import tree_claims
from pmond.runtime.processes.identity import read_stat, send_signal
from pmond.runtime.supervise.survivors import Survivor, survivors

WORKER = str(Path(__file__).with_name("worker.py"))
START_LIMIT = 20.0
"""Seconds for pmond to come up on a busy machine."""


class ChaosMachine:
    """Folders, a pmond (or none at the moment), and the ledger of its workers."""

    def __init__(self, folder: Path, around: tuple[str, ...] = (), **environment: str) -> None:
        """`around`: the command that executes each pmond, unless `start` is told of another."""
        self.folder = folder
        self.ledger = Ledger(folder / "ledger")
        self.manifest = folder / "manifest.json"
        self.journal = folder / "journal"
        self.pmond: subprocess.Popen[bytes] | None = None
        self.starts = 0
        self._told = 0
        self.slowest_start = 0.0
        runtime = folder / "run"
        runtime.mkdir(parents=True, mode=0o700)
        self.state = folder / "state" / "pmon3"
        self.socket = runtime / "pmon3" / "pmon3.sock"
        self.client = Client(str(self.socket), timeout=10.0)
        self._around = around
        self._environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "XDG_RUNTIME_DIR": str(runtime),
            "XDG_STATE_HOME": str(folder / "state"),
            "XDG_CONFIG_HOME": str(folder / "config"),
            "PMON3_PROCESS_CONF": str(self.manifest),
            **environment,
        }

    def start(
        self,
        arguments: tuple[str, ...] = (),
        wait: bool = True,
        around: tuple[str, ...] = (),
        fail_point: str = "",
    ) -> None:
        """Start pmond; with `wait`, until its socket answers.

        `around`: the command that executes it. `fail_point`: where it will end.
        """
        armed = {failpoints.VARIABLE: fail_point} if fail_point else {}
        reading, writing = os.pipe()
        began = time.monotonic()
        with self.journal.open("ab") as journal:
            self.pmond = subprocess.Popen(
                [*(around or self._around), sys.executable, "-m", "pmond", "--own", *arguments],
                env=self._environment | {"PMON3_READY_FD": str(writing)} | armed,
                pass_fds=[writing],
                stdin=subprocess.DEVNULL,
                stdout=journal,
                stderr=journal,
            )
        os.close(writing)
        self.starts += 1
        try:
            if wait:
                said = os.read(reading, 4096)
                assert said == b"ready\n", f"pmond did not start: {said!r}"
                self.slowest_start = max(self.slowest_start, time.monotonic() - began)
        finally:
            os.close(reading)

    def kill(self) -> None:
        """SIGKILL, and wait until the kernel has taken pmond down."""
        assert self.pmond is not None
        self.pmond.kill()
        self.pmond.wait()
        self.pmond = None

    @property
    def pid(self) -> int:
        assert self.pmond is not None
        return self.pmond.pid

    def rows(self) -> dict[str, dict[str, Any]]:
        """All processes by name."""
        return {row["name"]: row for row in self.client.get("/v1/processes")}

    def act(self, verb: str, *names: str, **more: Any) -> Any:
        return self.client.post(f"/v1/actions/{verb}", {"refs": list(names), **more})

    def worker(self, name: str, mode: str, **more: Any) -> dict[str, Any]:
        """The spec of a worker."""
        restart = {"delay": "5ms", "max_delay": "20ms", "jitter": 0}
        return {
            "name": name,
            "file": sys.executable,
            "args": ["-I", "-S", WORKER, mode, str(self.ledger.folder)],
            "restart": restart,
            "stop": {"timeout": "300ms"},
            "log": str(self.log(name)),
            **more,
        }

    def log(self, name: str) -> Path:
        """Where a worker's output goes."""
        return self.folder / "logs" / f"{name}.log"

    def write_manifest(self, specs: Mapping[str, Mapping[str, Any]]) -> None:
        """Replace the process config file as an editor does, in one rename."""
        fresh = self.manifest.with_suffix(".new")
        fresh.write_text(json.dumps({"processes": list(specs.values())}))
        fresh.replace(self.manifest)

    def marked(self) -> list[Survivor]:
        """All live processes with the marker of this machine's state."""
        return survivors(uuid) if (uuid := self.uuid()) else []

    def uuid(self) -> str:
        """The name of the state, by which workers know it, or pmond alone; empty before the first of both."""
        beside = self.state / "uuid"
        return self.ledger.uuid() or (beside.read_text().strip() if beside.exists() else "")

    def told(self) -> list[dict[str, Any]]:
        """What pmond wrote to its journal since the last call; a kill may have cut a line short."""
        with self.journal.open("rb") as file:
            file.seek(self._told)
            content = file.read()
        whole = content[: content.rfind(b"\n") + 1]
        self._told += len(whole)
        told = []
        for line in whole.splitlines():
            with suppress(ValueError):
                told.append(json.loads(line))
        return told

    def descriptors(self) -> int:
        """How many pmond has open."""
        return len(list(Path(f"/proc/{self.pid}/fd").iterdir()))

    def zombies(self) -> list[int]:
        """Children of pmond that ended and were not reaped."""
        stats = {pid: read_stat(pid) for pid in tree_claims.children(self.pid)}
        return [pid for pid, stat in stats.items() if stat is not None and stat.state == "Z"]

    def close(self) -> None:
        """End everything that belongs to this machine, by its marker."""
        if self.pmond is not None:
            self.kill()

        def gone() -> bool:
            left = self.marked()
            for survivor in left:
                send_signal(survivor.identity, signal.SIGKILL)
            return not left

        until(gone, "the workers of this machine end", timeout=10.0)
        end_groups(self.uuid() or uuid_in(self.state / "data.db"))
        end_keepers(self.state)
