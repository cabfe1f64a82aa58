"""Default places."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from pmon3_schema.paths import (
    SYSTEM_CONFIG,
    PathError,
    config_file,
    own_places,
    places,
    socket_path,
)

HOME = {"HOME": "/home/ana"}
SESSION = {**HOME, "XDG_RUNTIME_DIR": "/run/user/1000"}


def test_the_configuration_file() -> None:
    assert config_file(HOME, 0) == SYSTEM_CONFIG
    assert config_file(HOME, 1000) == "/home/ana/.config/pmon3/config.yml"
    assert config_file({"XDG_CONFIG_HOME": "/c", **HOME}, 1000) == "/c/pmon3/config.yml"
    assert config_file({"XDG_CONFIG_HOME": "relative", **HOME}, 1000) == "/home/ana/.config/pmon3/config.yml"
    assert config_file({"PMON3_CONF": "/x.yml"}, 0) == "/x.yml"


def test_default_places() -> None:
    system = places(HOME, 0)
    assert (system.data, system.logs, system.runtime) == ("/etc/pmon3/data", "/var/log/pmond", "/run/pmon3")
    own = places(SESSION, 0, own=True, owner_of=lambda _: 0)
    assert (own.data, own.runtime) == ("/home/ana/.local/state/pmon3", "/run/user/1000/pmon3")
    assert places(HOME, 1000).runtime == "/home/ana/.local/state/pmon3"
    assert places(HOME, 1000).logs == "/home/ana/.local/state/pmon3/logs"


@pytest.mark.parametrize(
    ("owner", "used"), [(1000, True), (0, True), (None, True), (1001, False), (65534, False)]
)
def test_a_runtime_folder_of_somebody_else_is_not_used(owner: int | None, used: bool) -> None:
    found = own_places(SESSION, 1000, lambda _: owner).runtime
    assert found == ("/run/user/1000/pmon3" if used else "/home/ana/.local/state/pmon3")


def test_without_home_the_user_database_knows_one() -> None:
    home = pwd.getpwuid(0).pw_dir
    assert own_places({}, 0).data == f"{home}/.local/state/pmon3"
    assert own_places({"HOME": "relative"}, 0).config_file == f"{home}/.config/pmon3/config.yml"
    with pytest.raises(PathError, match="HOME"):
        own_places({}, 4_000_000_000)


def test_the_socket() -> None:
    assert socket_path("", "", "/run/pmon3") == "/run/pmon3/pmon3.sock"
    assert socket_path("/dev/shm/", "x", "/run/pmon3") == "/run/pmon3/pmon3_x.sock"
    assert socket_path("/srv/q/", "", "/run/pmon3") == "/srv/q/pmon3.sock"
    assert len(socket_path("/" + "a" * 95, "", "")) == 107
    with pytest.raises(PathError, match="107"):
        socket_path("/" + "a" * 96, "", "")


def test_a_relative_name_in_a_folder_that_is_gone_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(PathError, match=r"PMON3_CONF=c\.yml: the current folder does not exist"):
        places({"PMON3_CONF": "c.yml"}, os.getuid())
