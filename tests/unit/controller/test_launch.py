"""What a start is given: decided by the spec and its surroundings, before anything is done."""

from __future__ import annotations

import os
import pwd

import pytest
from msgspec.structs import replace
from tests.support.factories import spec

from pmon3_schema.equivalence import log_paths
from pmond.runtime.processes.environment import MARKER
from pmond.runtime.processes.failures import SpawnError
from pmond.runtime.processes.launch import Launch, SpawnContext, prepare

CONTEXT = SpawnContext(environment={"PATH": "/bin:/usr/bin", "TOKEN": "pmond's"}, log_dir="/var/log/pmon3")


def launch(**values: object) -> Launch:
    return prepare(spec("sh", **{"file": "/bin/sh", **values}), context=CONTEXT, marker="state:sh:1")


@pytest.mark.parametrize(
    ("values", "paths"),
    [
        ({}, ("/var/log/pmon3/web.log", "/var/log/pmon3/web.log")),
        ({"log_dir": "/srv"}, ("/srv/web.log", "/srv/web.log")),
        ({"log": "/tmp/x.log"}, ("/tmp/x.log", "/tmp/x.log")),
        ({"stderr_log": "/tmp/e.log"}, ("/var/log/pmon3/web.log", "/tmp/e.log")),
    ],
)
def test_where_output_goes(values: dict[str, str], paths: tuple[str, str]) -> None:
    assert log_paths(spec("web", **values), CONTEXT.log_dir) == paths


def test_what_the_spec_says_wins_over_what_is_inherited_and_the_marker_over_both() -> None:
    found = launch(env_vars={"TOKEN": "its own", "PMON3_PROCESS": "forged"}).environment
    assert found["TOKEN"] == "its own" and "state:sh:1" in found.values()
    assert "TOKEN" not in launch(env_inherit=False).environment


@pytest.mark.skipif(os.geteuid() != 0, reason="only root starts programs as somebody else")
def test_another_user_gets_nothing_of_pmonds_environment_but_what_concerns_the_machine() -> None:
    """H2: root's pmond had its tokens from whoever started it, and anybody could have it tell them."""
    of_the_machine = {"PATH": "/bin", "LANG": "C.UTF-8", "LC_ALL": "C", "LC_TIME": "C", "TZ": "Europe/Berlin"}
    secrets = {"TOKEN": "x", "LC_": "x", "PATHS": "x", "LANGUAGE": "x", "HOME": "/root", "SUDO_USER": "x"}
    context = replace(CONTEXT, environment={**of_the_machine, **secrets})
    for trusted in (True, False):
        wanted = spec("sh", file="/bin/sh", user="nobody", env_inherit=True)
        found = prepare(wanted, context=context, marker="state:sh:1", trusted=trusted).environment
        nobody = pwd.getpwnam("nobody")
        own = {"USER": "nobody", "LOGNAME": "nobody", "HOME": nobody.pw_dir, "SHELL": nobody.pw_shell}
        assert found == {**of_the_machine, **own, MARKER: "state:sh:1"}
    assert prepare(spec("sh", file="/bin/sh", user="root"), context=context, marker="s:sh:1").environment[
        "TOKEN"
    ]


def test_only_what_posix_spawn_cannot_do_takes_the_way_over_the_launcher() -> None:
    assert launch().direct
    for values in ({"umask": "0022"}, {"priority": 5}, {"limits": {"nofile": 64}}):
        assert not launch(**values).direct


def test_the_first_argument_is_the_file_unless_said_otherwise_and_the_folder_is_the_files() -> None:
    found = launch(args=["-c", "true"])
    assert (found.argv, found.cwd) == (("/bin/sh", "-c", "true"), "/bin")
    assert launch(argv0="-sh", cwd="/srv").argv[0] == "-sh"


def test_a_log_whose_place_pmond_chose_is_told_from_one_that_the_spec_names() -> None:
    assert launch().chosen_log == "/var/log/pmon3/sh.log"
    assert launch(log="/tmp/x.log").chosen_log == ""


def test_a_user_that_does_not_exist_is_an_error_before_anything_is_done() -> None:
    with pytest.raises(SpawnError) as caught:
        launch(user=f"nobody-{os.getpid()}")
    assert caught.value.reason == "UnknownUser"
