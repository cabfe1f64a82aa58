"""The rule for which pmond a command talks to, on a disk that is a value."""

from __future__ import annotations

import errno
import os
import subprocess
import sys

import pytest

from pmon3_schema.paths import SYSTEM_CONFIG, PathError
from pmon3_schema.which_daemon import Disk, own_daemon, which_daemon

HOME = {"HOME": "/home/ana"}
SESSION = {**HOME, "XDG_RUNTIME_DIR": "/run/user/1000"}
NAMED = {**SESSION, "PMON3_CONF": "/x.yml"}
SYSTEM_SOCKET = "/run/pmon3/pmon3.sock"
OWN_SOCKET = "/run/user/1000/pmon3/pmon3.sock"
STATE = "/home/ana/.local/state/pmon3"


class Contents(Disk):
    """A disk with these files; `errors` are what reading a path fails with."""

    def __init__(
        self,
        *sockets: str,
        errors: dict[str, int] | None = None,
        owners: dict[str, int] | None = None,
    ) -> None:
        self._texts: dict[str, str] = dict.fromkeys(sockets, "")
        self._errors = errors or {}
        self._owners = owners or {}

    def file(self, path: str, text: str) -> Contents:
        self._texts[path] = text
        return self

    def exists(self, path: str) -> bool:
        return path in self._texts or path in self._errors

    def read(self, path: str) -> bytes:
        number = self._errors.get(path, 0 if path in self._texts else errno.ENOENT)
        if number:
            raise OSError(number, os.strerror(number), path)
        return self._texts[path].encode()

    def owner(self, path: str) -> int | None:
        return self._owners.get(path, 1000) if self.exists(path) else None


def test_which_pmond_a_command_talks_to() -> None:
    assert which_daemon(SESSION, 1000, Contents(SYSTEM_SOCKET, OWN_SOCKET)).socket == SYSTEM_SOCKET
    assert which_daemon(SESSION, 1000, Contents()).socket == OWN_SOCKET
    assert which_daemon(SESSION, 1000, Contents()).own
    assert which_daemon(HOME, 0, Contents(SYSTEM_CONFIG)).socket == SYSTEM_SOCKET
    assert which_daemon(HOME, 0, Contents()).own
    assert own_daemon(SESSION, 0, Contents(SYSTEM_SOCKET)).socket == OWN_SOCKET


def test_an_explicit_configuration_beats_the_running_system_one() -> None:
    disk = Contents(SYSTEM_SOCKET).file("/x.yml", "message_queue:\n  directory: /q\n  name_suffix: t\n")
    assert which_daemon(NAMED, 1000, disk).socket == "/q/pmon3_t.sock"
    moved = {
        **NAMED, "CONFIGOR_MESSAGEQUEUE_DIRECTORY_SHMEM": "/r", "PMON3_MESSAGEQUEUE_NAMESUFFIX": "u",
    }  # fmt: skip
    assert which_daemon(moved, 1000, disk).socket == "/r/pmon3_u.sock"


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("message_queue: {directory: /q}\nlog_level: [", "2:13"),
        ("log_level: [\n", "2:1"),
        ("message_queue: 5\n", "1:16"),
        ("log_level: info\nmessage_queue:\n  directory: [/q]\n", "3:14"),
        ("a: \0", "1:4"),
        ("- a list\n", "1:1"),
        ("log_level: info\nlog_level: debug\n", "2:1"),
    ],
)
def test_a_named_configuration_that_cannot_be_read_means_no_other_pmond(text: str, place: str) -> None:
    disk = Contents(SYSTEM_SOCKET, OWN_SOCKET).file("/x.yml", text)
    for uid in (0, 1000):
        with pytest.raises(PathError, match=rf"^cannot read /x\.yml:{place}: .*PMON3_CONF, which names it"):
            which_daemon(NAMED, uid, disk)


@pytest.mark.parametrize("number", [errno.ENOENT, errno.EACCES, errno.EISDIR, errno.ELOOP, errno.EIO])
def test_nor_does_one_that_cannot_be_opened(number: int) -> None:
    disk = Contents(SYSTEM_SOCKET, OWN_SOCKET, errors={"/x.yml": number})
    with pytest.raises(PathError, match=r"^cannot read /x\.yml: "):
        which_daemon(NAMED, 0, disk)


def test_nor_one_that_nobody_names_and_that_would_say_where_the_socket_is() -> None:
    broken = "message_queue: {directory: /q\n"
    with pytest.raises(PathError, match="says where pmond's socket is"):
        which_daemon(SESSION, 1000, Contents(OWN_SOCKET).file(SYSTEM_CONFIG, broken))
    with pytest.raises(PathError, match="says where pmond's socket is"):
        which_daemon(SESSION, 1000, Contents().file("/home/ana/.config/pmon3/config.yml", broken))
    # What is not for this caller to read may say anything; the default place stands.
    closed = Contents(OWN_SOCKET, errors={SYSTEM_CONFIG: errno.EACCES})
    assert which_daemon(SESSION, 1000, closed).socket == OWN_SOCKET


def test_a_session_and_a_cron_job_meet_the_same_pmond() -> None:
    for made in (f"{STATE}/pmon3.sock", "/run/user/1000/pmon3/pmon3.sock"):
        for environ in (HOME, SESSION):
            assert own_daemon(environ, 1000, Contents(made)).socket == made


def test_a_pmond_is_found_where_it_says_it_is() -> None:
    made = "/srv/session/pmon3/pmon3.sock"
    disk = Contents(made).file(f"{STATE}/socket", f"{made}\n")
    assert own_daemon(HOME, 1000, disk).socket == made
    assert which_daemon(HOME, 1000, disk).socket == made
    # One that is gone has left what it said, and one of somebody else says nothing here.
    assert own_daemon(HOME, 1000, Contents().file(f"{STATE}/socket", made)).socket == f"{STATE}/pmon3.sock"
    foreign = Contents(made, owners={f"{STATE}/socket": 1001}).file(f"{STATE}/socket", f"{made}\n")
    assert own_daemon(HOME, 1000, foreign).socket == f"{STATE}/pmon3.sock"


def test_also_where_the_configuration_moves_the_state() -> None:
    made = "/srv/session/pmon3/pmon3.sock"
    disk = Contents(made).file("/x.yml", "data: {directory: state}").file("/state/socket", made)
    assert which_daemon({**HOME, "PMON3_CONF": "/x.yml"}, 1000, disk).socket == made


def test_finding_the_socket_imports_nothing_heavy() -> None:
    code = (
        "import sys; from pmon3_schema.which_daemon import which_daemon; which_daemon({'HOME': '/h'}, 1000);"
        "print([m for m in ('pydantic', 'yaml', 'typer', 'asyncio', 'inspect') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30
    )
    assert done.stdout.strip() == "[]"
