"""Two "hosts": pmonds of this machine, each behind a way of ssh of its own.

Either a real sshd on loopback, with a key and a port for each, or where there is none a program called ssh
that runs the command at once. Only what the command line runs as `ssh` differs.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from tests.support.pmond import Pmond, temporary_pmond
from tests.support.waiting import until

SSHD = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:/usr/bin")
_STAND_IN = """#!/bin/sh
# The last word is the command, the one before it the host.
for word; do host=$command; command=$word; done
case $host in
{cases}
*) echo "ssh: Could not resolve hostname $host: Name or service not known" >&2; exit 255 ;;
esac
exec /bin/sh -c "$command"
"""


class Hosts:
    """Some pmonds by the names of their hosts, and a command line that reaches them by ssh alone."""

    def __init__(self, folder: Path, pmonds: Mapping[str, Pmond]) -> None:
        self.folder = folder
        self.pmonds = pmonds
        self.environment = {
            "PATH": f"{folder}/bin:{os.environ['PATH']}", "HOME": str(folder), "LC_ALL": "C.UTF-8",
            "XDG_CONFIG_HOME": str(folder), "XDG_RUNTIME_DIR": str(folder / "run"), "TZ": "UTC",
            "XDG_STATE_HOME": str(folder),
        }  # fmt: skip

    def run(self, *words: str, text: str | None = None, **more: str) -> subprocess.CompletedProcess[str]:
        """Run one command line on this machine, where no pmond is."""
        return subprocess.run(
            [sys.executable, "-P", "-m", "pmon3", *words], env=self.environment | more, cwd=self.folder,
            capture_output=True, text=True, input=text, timeout=60, check=False,
        )  # fmt: skip

    def ok(self, *words: str, **more: str) -> str:
        """The same, and what it prints; it must succeed."""
        done = self.run(*words, **more)
        assert done.returncode == 0, f"pmon3 {' '.join(words)}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout


@contextmanager
def hosts(folder: Path, names: tuple[str, ...], *, real: bool) -> Iterator[Hosts]:
    """The hosts, until the end of the `with` block. `real`: by sshd; without one the test is skipped."""
    if real and SSHD is None:
        pytest.skip("there is no sshd on this machine (Debian: openssh-server)")
    with ExitStack() as stack:
        found = {name: stack.enter_context(temporary_pmond()) for name in names}
        made = Hosts(folder, found)
        (folder / "bin").mkdir()
        (folder / "run").mkdir(mode=0o700)
        if real:
            stack.enter_context(_sshd(folder, found))
        else:
            _stand_in(folder, found)
        yield made


def _stand_in(folder: Path, pmonds: Mapping[str, Pmond]) -> None:
    cases = "\n".join(
        f"{name}) export {' '.join(f'{key}={value}' for key, value in _there(pmond).items())} ;;"
        for name, pmond in pmonds.items()
    )
    _program(folder / "bin" / "ssh", _STAND_IN.format(cases=cases))


def _there(pmond: Pmond) -> dict[str, str]:
    """The environment of who logs in: `pmon3` is on its PATH, and means that pmond."""
    return pmond.environment | {
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "PMON3_HOST": "",
    }  # fmt: skip


@contextmanager
def _sshd(folder: Path, pmonds: Mapping[str, Pmond]) -> Iterator[None]:
    """One real server for each, on a port of its own."""
    for key in ("host", "user"):
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / key)], check=True, timeout=20
        )
    shutil.copy(folder / "user.pub", folder / "authorized")
    servers, client = [], ["Host *", f"  IdentityFile {folder}/user", f"  UserKnownHostsFile {folder}/known",
        "  StrictHostKeyChecking accept-new", "  BatchMode yes"]  # fmt: skip
    try:
        for name, pmond in pmonds.items():
            port = _free_port()
            words = " ".join(f'"{key}={value}"' for key, value in _there(pmond).items())
            file = folder / f"sshd-{name}"
            file.write_text(
                f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\nPidFile none\nUsePAM no\n"
                f"StrictModes no\nAuthorizedKeysFile {folder}/authorized\nPermitRootLogin yes\n"
                f"SetEnv {words}\n"
            )
            Path("/run/sshd").mkdir(exist_ok=True)
            assert SSHD is not None
            servers.append(subprocess.Popen([SSHD, "-D", "-e", "-f", str(file)], stderr=subprocess.DEVNULL))
            client += [f"Host {name}", "  HostName 127.0.0.1", f"  Port {port}"]
        config = folder / "ssh_config"
        config.write_text("\n".join([*client[5:], *client[:5]]) + "\n")
        _program(folder / "bin" / "ssh", f'#!/bin/sh\nexec /usr/bin/ssh -F {config} "$@"\n')
        for name in pmonds:
            command = [str(folder / "bin" / "ssh"), name, "true"]
            until(
                lambda command=command: subprocess.run(command, capture_output=True).returncode == 0,  # type: ignore[misc]
                f"sshd of {name} to let us in",
                10,
            )
        yield
    finally:
        for name in pmonds:
            control = [
                str(folder / "bin" / "ssh"),
                "-O",
                "exit",
                "-o",
                f"ControlPath={folder}/run/pmon3-ssh/ssh-%C",
                name,
            ]
            subprocess.run(control, capture_output=True, check=False, timeout=10)
        for server in servers:
            server.kill()
            server.wait()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _program(file: Path, text: str) -> None:
    file.write_text(text)
    file.chmod(0o755)
