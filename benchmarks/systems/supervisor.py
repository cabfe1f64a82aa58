"""supervisord, from PyPI."""

from __future__ import annotations

import getpass
import shlex
import subprocess

from benchmarks.systems.base import PEERS, Declaration, Defaults, missing_program

_CONFIG = """\
[supervisord]
nodaemon=true
user={user}
logfile={folder}/supervisord.log
pidfile={folder}/supervisord.pid
childlogdir={folder}
minfds=20000
silent=true

[unix_http_server]
file={folder}/socket

[supervisorctl]
serverurl=unix://{folder}/socket

[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
"""

_PROGRAM = """
[program:{name}]
command={command}
autorestart=true
startsecs=0
stdout_logfile=NONE
stderr_logfile=NONE
"""


class Supervisor(Defaults):
    name = "supervisor"
    settings = (
        "`startsecs=0` (running at once), `autorestart=true`, no logs (`stdout_logfile=NONE`), "
        "`minfds=20000`; its loop looks at ended processes once a second, which no setting changes."
    )

    def missing(self) -> str | None:
        return missing_program(str(PEERS / "supervisord"), "benchmarks/install_peers.sh")

    def version(self) -> str:
        return subprocess.check_output([PEERS / "supervisord", "--version"], text=True).strip()

    def write(self, declaration: Declaration) -> None:
        parts = [_CONFIG.format(folder=declaration.folder, user=getpass.getuser())]
        for index in range(declaration.count):
            command = shlex.join(declaration.command(index))
            parts.append(_PROGRAM.format(name=declaration.name(index), command=command))
        (declaration.folder / "supervisord.conf").write_text("".join(parts))

    def start_command(self, declaration: Declaration) -> list[str]:
        return [str(PEERS / "supervisord"), "-c", str(declaration.folder / "supervisord.conf")]

    def list_command(self, declaration: Declaration) -> list[str] | None:
        return [str(PEERS / "supervisorctl"), "-c", str(declaration.folder / "supervisord.conf"), "status"]
