"""Default places and the rule for which pmond a command talks to."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pmon3_schema.paths import (
    SYSTEM_CONFIG,
    PathError,
    _queue_settings_in_full,
    config_file,
    own_daemon,
    places,
    queue_settings,
    socket_path,
    which_daemon,
)

HOME = {"HOME": "/home/ana"}
SESSION = {**HOME, "XDG_RUNTIME_DIR": "/run/user/1000"}
SYSTEM_SOCKET = "/run/pmon3/pmon3.sock"


def nothing(path: str) -> None:
    return None


def test_the_configuration_file() -> None:
    assert config_file(HOME, 0) == SYSTEM_CONFIG
    assert config_file(HOME, 1000) == "/home/ana/.config/pmon3/config.yml"
    assert config_file({"XDG_CONFIG_HOME": "/c", **HOME}, 1000) == "/c/pmon3/config.yml"
    assert config_file({"XDG_CONFIG_HOME": "relative", **HOME}, 1000) == "/home/ana/.config/pmon3/config.yml"
    assert config_file({"PMON3_CONF": "/x.yml"}, 0) == "/x.yml"


def test_default_places() -> None:
    system = places(HOME, 0)
    assert (system.data, system.logs, system.runtime) == ("/etc/pmon3/data", "/var/log/pmond", "/run/pmon3")
    own = places(SESSION, 0, own=True)
    assert (own.data, own.runtime) == ("/home/ana/.local/state/pmon3", "/run/user/1000/pmon3")
    assert places(HOME, 1000).runtime == "/home/ana/.local/state/pmon3"
    assert places(HOME, 1000).logs == "/home/ana/.local/state/pmon3/logs"
    with pytest.raises(PathError, match="HOME"):
        places({}, 1000)


def test_the_socket() -> None:
    assert socket_path("", "", "/run/pmon3") == SYSTEM_SOCKET
    assert socket_path("/dev/shm/", "x", "/run/pmon3") == "/run/pmon3/pmon3_x.sock"
    assert socket_path("/srv/q/", "", "/run/pmon3") == "/srv/q/pmon3.sock"
    assert len(socket_path("/" + "a" * 95, "", "")) == 107
    with pytest.raises(PathError, match="107"):
        socket_path("/" + "a" * 96, "", "")


def test_which_pmond_a_command_talks_to() -> None:
    own = "/run/user/1000/pmon3/pmon3.sock"
    assert which_daemon(SESSION, 1000, {SYSTEM_SOCKET, own}.__contains__, nothing).socket == SYSTEM_SOCKET
    assert which_daemon(SESSION, 1000, set().__contains__, nothing).socket == own
    assert which_daemon(SESSION, 1000, set().__contains__, nothing).own
    assert which_daemon(HOME, 0, {SYSTEM_CONFIG}.__contains__, nothing).socket == SYSTEM_SOCKET
    assert which_daemon(HOME, 0, set().__contains__, nothing).own
    assert own_daemon(SESSION, 0, {SYSTEM_SOCKET}.__contains__, nothing).socket == own


def test_an_explicit_configuration_beats_the_running_system_one() -> None:
    environ = {**SESSION, "PMON3_CONF": "/x.yml"}
    read = {"/x.yml": "message_queue:\n  directory: /q\n  name_suffix: t\n"}.get
    assert which_daemon(environ, 1000, {SYSTEM_SOCKET}.__contains__, read).socket == "/q/pmon3_t.sock"
    environ["CONFIGOR_MESSAGEQUEUE_DIRECTORY_SHMEM"] = "/r"
    environ["PMON3_MESSAGEQUEUE_NAMESUFFIX"] = "u"
    assert which_daemon(environ, 1000, set().__contains__, read).socket == "/r/pmon3_u.sock"


def test_a_session_and_a_cron_job_meet_the_same_pmond() -> None:
    made_without_session = "/home/ana/.local/state/pmon3/pmon3.sock"
    assert (
        own_daemon(SESSION, 1000, {made_without_session}.__contains__, nothing).socket == made_without_session
    )
    made_in_session = "/run/user/1000/pmon3/pmon3.sock"
    assert own_daemon(HOME, 1000, {made_in_session}.__contains__, nothing).socket == made_in_session


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ("", "")),
        ("log_level: info\n", ("", "")),
        (
            "message_queue:\n  directory:\n    shmem: /q/ # c\n    posix_mq: /m\n  name_suffix: 'a'\nx: 1",
            ("/q/", "a"),
        ),
        ("message_queue: {directory: /q, name_suffix: b}", ("/q", "b")),
        ("message_queue:\n  directory: &a /q\n", ("/q", "")),
        ("message_queue:\n  name_suffix:\n  directory: null\n", ("", "")),
        ("# message_queue:\nmessage_queue:\r\n  directory: /q\r\n", ("/q", "")),
        ("message_queue: [", ("", "")),
        ("message_queue:\n  directory:\n  user:\n    shmem: /q", ("", "")),
    ],
)
def test_the_two_settings_that_move_the_socket(text: str, expected: tuple[str, str]) -> None:
    assert queue_settings(text) == expected


LINES = st.sampled_from(
    [
        "message_queue:", "  directory:",
        "    shmem: /q", "    shmem: 'a b'", "  directory: /q", "  name_suffix: x",
        "  name_suffix: null",
        "  user:", "log_level: info", "", "# c", "  # c", '  name_suffix: "y"',
        "  file_mode: 0666",
    ]
)  # fmt: skip


@given(st.lists(LINES, unique=True, max_size=8))
def test_the_line_scanner_agrees_with_yaml_wherever_that_can_read_it(lines: list[str]) -> None:
    from pmon3_schema.formats import yaml
    from pmon3_schema.formats.source import Unreadable

    text = "\n".join(lines)
    try:
        readable = not yaml.load(text, typed=False).problems
    except Unreadable:
        readable = False
    if readable:
        assert queue_settings(text) == _queue_settings_in_full(text)


def test_finding_the_socket_imports_nothing_heavy() -> None:
    code = (
        "import sys; from pmon3_schema.paths import which_daemon; which_daemon({'HOME': '/h'}, 1000);"
        "print([m for m in ('pydantic', 'yaml', 'typer', 'asyncio', 'inspect') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30
    )
    assert done.stdout.strip() == "[]"
