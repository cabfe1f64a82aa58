"""A real pmond in a folder of its own, the real command line beside it, and plain HTTP to its socket.

Everything of one `Pmond` lives below one short temporary folder (the path of a socket has at most
107 bytes), which is also in the environment of all that it starts, or else the marker of its instances: so
at the end what is left can be found and killed, however far it has run away.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPConnection
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from tests.support.cgroup import end_groups, uuid_in
from tests.support.waiting import until

from pmond.runtime.processes.environment import MARKER
from pmond.runtime.processes.identity import Identity, send_signal
from pmond.runtime.state.store import UUID_NAME

PATIENCE = 20.0
"""Seconds within which everything here happens on a busy machine, or the test fails."""


class Answer(NamedTuple):
    """Status and decoded body of one answer."""

    status: int
    body: Any


class Pmond:
    """One pmond, not yet started; `config` are lines of config.yml beside the folders."""

    def __init__(self, folder: Path, config: str = "", around: tuple[str, ...] = ()) -> None:
        """`around`: the command that executes it."""
        self.folder = folder
        self._around = around
        self.config_file = folder / "config.yml"
        self.manifest_file = folder / "manifest.yaml"
        self.socket = folder / "run" / "pmon3.sock"
        self.journal_file = folder / "journal"
        self.environment = {
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
            "HOME": str(folder),
            "PMON3_CONF": str(self.config_file),
            "XDG_STATE_HOME": str(folder / "state"),
            "XDG_CONFIG_HOME": str(folder / "xdg"),
            "XDG_RUNTIME_DIR": str(folder / "xdg"),
            "LC_ALL": "C.UTF-8",
            "TZ": "UTC",
        }
        self.daemon: subprocess.Popen[bytes] | None = None
        self.configure(config)

    def configure(self, config: str = "") -> None:
        """Write config.yml."""
        self.config_file.write_text(
            f"process_config_file: {self.manifest_file}\n"
            f"data: {{directory: {self.folder}/data}}\n"
            f"logs: {{directory: {self.folder}/logs}}\n"
            f"message_queue: {{directory: {{shmem: {self.folder}/run}}}}\n"
            + ("" if "\nwait:" in f"\n{config}" else "wait: {dependent_process_enqueued: 50}\n")
            + config
        )

    def declare(self, *processes: dict[str, Any]) -> None:
        """Write the process config file, whole at once as editors do."""
        self.write(json.dumps({"processes": list(processes)}))

    def write(self, text: str) -> None:
        """Make this the text of the process config file."""
        other = self.folder / ".manifest.new"
        other.write_text(text)
        other.replace(self.manifest_file)

    def start(self, *arguments: str) -> Self:
        """Start it and return when its socket answers."""
        said = self.try_start(*arguments)
        assert said == "ready\n", f"pmond is not ready: {said!r}\n{self.journal_file.read_text()}"
        return self

    def try_start(self, *arguments: str) -> str:
        """Start it; what it says on the pipe of whoever waits for it."""
        read_end, write_end = os.pipe()
        try:
            with self.journal_file.open("ab") as journal:
                self.daemon = subprocess.Popen(
                    [*self._around, sys.executable, "-P", "-m", "pmond", *arguments],
                    stdin=subprocess.DEVNULL, stdout=journal, stderr=journal, cwd="/",
                    start_new_session=True, pass_fds=(write_end,),
                    env=self.environment | {"PMON3_READY_FD": str(write_end)},
                )  # fmt: skip
            os.close(write_end)
            assert select.select([read_end], [], [], PATIENCE)[0], "pmond says nothing"
            return os.read(read_end, 4096).decode()
        finally:
            os.close(read_end)

    @property
    def pid(self) -> int:
        assert self.daemon is not None
        return self.daemon.pid

    def signal(self, number: int) -> None:
        assert self.daemon is not None
        self.daemon.send_signal(number)

    def ended(self) -> int:
        """Wait until it has ended; its exit code, or minus its signal."""
        assert self.daemon is not None
        return self.daemon.wait(PATIENCE)

    def kill(self) -> None:
        """SIGKILL, as the worst can come."""
        self.signal(signal.SIGKILL)
        self.ended()

    def run(self, *words: str, stdin: str = "", **more: Any) -> subprocess.CompletedProcess[str]:
        """One command line, to its end."""
        return subprocess.run(
            [sys.executable, "-P", "-m", "pmon3", *words],
            env=self.environment | more.pop("env", {}), capture_output=True, text=True, input=stdin,
            timeout=90, cwd=more.pop("cwd", self.folder), **more,
        )  # fmt: skip

    def ok(self, *words: str, **more: Any) -> str:
        """One command line that must succeed; what it prints."""
        done = self.run(*words, **more)
        assert done.returncode == 0, f"pmon3 {' '.join(words)}: {done.returncode}\n{done.stderr}{self.tail()}"
        return done.stdout

    def begin(self, *words: str) -> subprocess.Popen[str]:
        """One command line that goes on while the test does."""
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "pmon3", *words],
            env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=self.folder,
        )  # fmt: skip

    def ask(self, method: str, target: str, body: Any = None) -> Answer:
        """One HTTP request on a connection of its own."""
        connection = UnixConnection(str(self.socket))
        try:
            content = None if body is None else json.dumps(body)
            connection.request(method, target, content, {"Content-Type": "application/json"})
            response = connection.getresponse()
            text = response.read()
        finally:
            connection.close()
        return Answer(response.status, json.loads(text) if text else None)

    def rows(self) -> dict[str, dict[str, Any]]:
        """All status objects by name."""
        answer = self.ask("GET", "/v1/processes")
        assert answer.status == 200, answer
        return {row["name"]: row for row in answer.body}

    def row(self, name: str) -> dict[str, Any]:
        return self.rows()[name]

    def until(self, name: str, status: str, timeout: float = PATIENCE, **expected: Any) -> dict[str, Any]:
        """Wait until a process has this status (and these values); its status object."""
        last: dict[str, Any] = {}

        def there() -> bool:
            last.clear()
            last.update(self.rows().get(name, {}))
            return last.get("status") == status and all(last.get(k) == v for k, v in expected.items())

        try:
            until(there, f"{name} to be {status}", timeout)
        except AssertionError as error:
            raise AssertionError(f"{error}; it is {last}\n{self.tail()}") from None
        return last

    def events(self, name: str = "") -> list[dict[str, Any]]:
        """What has happened, oldest first; of one process when it is named."""
        found = self.ask("GET", f"/v1/events?limit=1000{f'&ref={name}' if name else ''}")
        assert found.status == 200, found
        return [dict(event) for event in found.body]

    def reasons(self, name: str = "") -> list[str]:
        """The one-word reasons of the events."""
        return [event["reason"] for event in self.events(name)]

    def journal(self) -> list[dict[str, Any]]:
        """The lines of its own log that are JSON."""
        lines = self.journal_file.read_text().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def tail(self) -> str:
        """The end of its own log, for the message of a failed test."""
        if not self.journal_file.exists():
            return ""
        return "--- journal\n" + "\n".join(self.journal_file.read_text().splitlines()[-25:])

    def survivors(self) -> list[int]:
        """Everything alive that was started below this folder, pmond included.

        What runs as somebody else has nothing of the folder in its environment, but a marker.
        """
        marks = [f"={self.folder}".encode()]
        with suppress(OSError):
            marks.append(f"{MARKER}={(self.folder / 'data' / UUID_NAME).read_text().strip()}:".encode())
        return processes_with(*marks)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        if self.daemon is not None and self.daemon.poll() is None:
            self.kill()
        until(self._killed, f"everything below {self.folder} to be gone", PATIENCE)
        end_groups(uuid_in(self.folder / "data" / "data.db"))
        end_keepers(self.folder)

    def _killed(self) -> bool:
        left = self.survivors()
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        return not left


@contextmanager
def temporary_pmond(config: str = "", around: tuple[str, ...] = ()) -> Iterator[Pmond]:
    """A pmond in a folder that is removed at the end, with everything that it started."""
    folder = Path(tempfile.mkdtemp(prefix="pmon3-"))
    folder.chmod(0o755)  # other users are let in, as they are on a real machine
    try:
        with Pmond(folder, config, around) as pmond:
            yield pmond
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def end_keepers(folder: Path) -> None:
    """End what goes on holding exit statuses for a pmond that was killed, of all states below a folder."""
    for file in folder.rglob("keeper"):
        with suppress(OSError, ValueError, TypeError):  # it is just ending, or not a keeper's
            send_signal(Identity(**json.loads(file.read_text())), signal.SIGKILL)


def processes_with(*marks: bytes) -> list[int]:
    """The living processes whose environment has one of these texts."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        try:
            environment = (entry / "environ").read_bytes()
            if any(mark in environment for mark in marks) and state_of(int(entry.name)) not in ("Z", ""):
                found.append(int(entry.name))
        except OSError:
            continue  # it has ended meanwhile, or is not ours to read
    return found


def state_of(pid: int) -> str:
    """The state letter of a process (proc(5)); empty when there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    return stat[stat.rindex(")") + 2]


def alive(pid: int) -> bool:
    """Whether this process lives; a zombie does not."""
    return state_of(pid) not in ("", "Z", "X")


class UnixConnection(HTTPConnection):
    """HTTP over the socket of a pmond."""

    def __init__(self, path: str) -> None:
        super().__init__("pmond", timeout=PATIENCE)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)
