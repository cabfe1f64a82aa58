"""circusd, from PyPI."""

from __future__ import annotations

import shlex
import subprocess

from benchmarks.systems.base import PEERS, Declaration, Defaults, missing_program

_CONFIG = """\
[circus]
check_delay = 1
endpoint = ipc://{folder}/endpoint
pubsub_endpoint = ipc://{folder}/pubsub
statsd = false
httpd = false
warmup_delay = 0
"""

_WATCHER = """
[watcher:{name}]
cmd = {command}
numprocesses = 1
warmup_delay = 0
max_retry = -1
copy_env = true
"""


class Circus(Defaults):
    name = "circus"
    settings = (
        "`check_delay = 1` (default 5; the longest that a restart may wait), no warm-up delay, no plugins, "
        "endpoints on Unix sockets, one watcher per worker."
    )

    def missing(self) -> str | None:
        return missing_program(str(PEERS / "circusd"), "benchmarks/install_peers.sh")

    def version(self) -> str:
        return subprocess.check_output([PEERS / "circusd", "--version"], text=True).strip()

    def write(self, declaration: Declaration) -> None:
        parts = [_CONFIG.format(folder=declaration.folder)]
        for index in range(declaration.count):
            command = shlex.join(declaration.command(index))
            parts.append(_WATCHER.format(name=declaration.name(index), command=command))
        (declaration.folder / "circus.ini").write_text("".join(parts))

    def start_command(self, declaration: Declaration) -> list[str]:
        return [str(PEERS / "circusd"), "--log-level", "error", str(declaration.folder / "circus.ini")]

    def list_command(self, declaration: Declaration) -> list[str] | None:
        return [str(PEERS / "circusctl"), "--endpoint", f"ipc://{declaration.folder}/endpoint", "status"]
