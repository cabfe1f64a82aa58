"""One connection to the pmond of another host, through ssh and `pmon3 dial-stdio`.

Theory of operation: each request is a channel of its own; ssh keeps one connection per host open for a while
and shares it (ControlMaster, ssh_config(5)), so that only the first one logs in. Whom to trust is ssh's: its
keys, its known hosts. What goes wrong on the way is told in ssh's own words.
"""

from __future__ import annotations

import os
import socket
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from pmon3.hosts.hosts_file import RemoteHost
from pmon3_schema.errors import ErrorCode, PmonError

API = 1
"""What both sides have to speak."""
_LONGEST_FOLDER = 107 - len("/ssh-") - 40 - 17
"""Bytes: the path of a socket has at most 107 (unix(7)); %C is 40, and ssh adds 17 while it makes it."""
_KEPT = 30
"""Seconds for which ssh keeps an idle connection."""


class SshConnection:
    """What a `socket` is to the client."""

    def __init__(self, host: RemoteHost, timeout: float | None) -> None:
        self._host = host
        self._told: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - as long as the connection
        self._answered = False
        self._socket, theirs = socket.socketpair()
        try:
            command = [*ssh_command(host), f"pmon3 dial-stdio --api {API}"]
            self._ssh = subprocess.Popen(
                command, stdin=theirs.fileno(), stdout=theirs.fileno(), stderr=self._told
            )
        except OSError as error:
            self._socket.close()
            why = f"cannot reach {host.name}: ssh cannot be run: {error.strerror}"
            raise PmonError(ErrorCode.UNREACHABLE, why, "install OpenSSH's client") from None
        finally:
            theirs.close()
        self.settimeout(timeout)

    def settimeout(self, seconds: float | None) -> None:
        self._socket.settimeout(seconds)

    def gettimeout(self) -> float | None:
        return self._socket.gettimeout()

    def fileno(self) -> int:
        return self._socket.fileno()

    def sendall(self, data: bytes) -> None:
        self._socket.sendall(data)

    def recv(self, size: int) -> bytes:
        """As a socket's. Raises PmonError `unreachable` where ssh ended before there was any answer."""
        try:
            data = self._socket.recv(size)
        except ConnectionResetError:  # ssh ended before it had read the request
            data = b""
        if not data and not self._answered:
            to = " ".join(word for word in _destination(self._host) if word != "--")
            why = f"cannot reach pmond of {self._host.name}: {self._why()}"
            raise PmonError(ErrorCode.UNREACHABLE, why, f"try: ssh {to} pmon3 version")
        self._answered = True
        return data

    def close(self) -> None:
        self._socket.close()
        self._told.close()
        if self._ssh.poll() is None:
            self._ssh.terminate()
        self._ssh.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self.close()

    def _why(self) -> str:
        """The last words of ssh, or of who was dialled."""
        self._ssh.wait()
        self._told.seek(0)
        lines = self._told.read().decode("utf-8", "replace").strip().splitlines()
        return (
            lines[-1].removeprefix("pmon3: ").strip() if lines else f"ssh ended with {self._ssh.returncode}"
        )


def ssh_command(host: RemoteHost, *, terminal: bool = False) -> list[str]:
    """How ssh is called; the command for the other side comes after it."""
    folder = _control_folder()
    shared = ["ControlMaster=auto", f"ControlPath={folder}/ssh-%C", f"ControlPersist={_KEPT}"]
    if len(os.fsencode(folder)) > _LONGEST_FOLDER:
        shared = []  # each request logs in, which takes longer and does the same
    options = [word for option in shared for word in ("-o", option)]
    return ["ssh", "-t" if terminal else "-T", *options, *_destination(host)]


def _destination(host: RemoteHost) -> list[str]:
    address = host.address
    port = ["-p", str(address.port)] if address.port is not None else []
    return [*port, "--", f"{address.user}@{address.host}" if address.user else address.host]


def _control_folder() -> Path:
    """A folder for sockets that nobody else may use. Its path is short, as a socket's has to be."""
    base = os.environ.get("XDG_RUNTIME_DIR") or Path("~/.ssh").expanduser()
    folder = Path(base) / "pmon3-ssh"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder
