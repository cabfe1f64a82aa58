"""Every command, other name, flag and argument that a user of the Go pmon3 knows, on a real pmond.

The rows are those of its README and of what it really accepts; where the two differ, both. Each row
runs on processes of its own, so the order does not matter.
"""

from __future__ import annotations

import getpass
import json
import shlex
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import pytest
from tests.support.command_line import Run, runner
from tests.support.pmond import Pmond, temporary_pmond

from pmon3 import command_tree
from pmon3.verbs import ALIASES, VERB_OF

pytestmark = pytest.mark.slow

TABLE = "║Name"
PROPERTIES = "│property"
ME = getpass.getuser()
_numbers = count(1)


@pytest.fixture(scope="module")
def running() -> Iterator[Pmond]:
    """One pmond for all rows."""
    with temporary_pmond() as pmond:
        pmond.declare()
        yield pmond.start()


@pytest.fixture
def run(running: Pmond, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    for name, value in running.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(running.folder)
    return runner(capsys)


@pytest.fixture
def names(run: Run) -> dict[str, str]:
    """`p` and `q`: two new running processes; `g`: a new group with `p` in it; `new`: nothing yet."""
    number = next(_numbers)
    made = {"p": f"p{number}", "q": f"q{number}", "g": f"g{number}", "new": f"new{number}"}
    for name in ("p", "q"):
        assert run("exec", "/bin/sleep", "--name", made[name], "-a", "1000", "--no-wait").code == 0
    assert run("group", "create", made["g"]).code == 0
    assert run("group", "assign", made["g"], made["p"]).code == 0
    row = json.loads(run("ls", made["p"], "-o", "json").out)[0]
    group = json.loads(run("group", "desc", made["g"], "-o", "json").out)
    return made | {"pid": str(row["id"]), "gid": str(group["id"])}


def described(run: Run, name: str) -> dict[str, Any]:
    """The whole description of a process."""
    found: dict[str, Any] = json.loads(run("desc", name, "-o", "json").out)
    return found


ROWS = [
    # creating
    ("exec /bin/sleep --name {new} --args 1000", TABLE),
    ("run /bin/sleep --name {new} -a 1000", TABLE),
    # listing
    ("ls", TABLE),
    ("list", TABLE),
    # starting again
    ("restart {p}", TABLE),
    ("restart {pid}", TABLE),
    ("start {p}", TABLE),
    ("start {pid}", TABLE),
    # stopping
    ("stop {p}", TABLE),
    ("stop {pid}", TABLE),
    ("stop --force {p}", TABLE),
    ("stop {p} -f", TABLE),
    # deleting
    ("del {p}", TABLE),
    ("delete {p}", TABLE),
    ("del {pid} --force", TABLE),
    ("del -f {p}", TABLE),
    # describing
    ("desc {p}", PROPERTIES),
    ("show {p}", PROPERTIES),
    ("show {pid}", PROPERTIES),
    # all of them
    ("init", TABLE),
    ("init --process-config-only", TABLE),
    ("init -c", TABLE),
    ("init --blocking", TABLE),
    ("init -b -c", TABLE),
    ("kill", TABLE),
    ("kill --force", TABLE),
    ("kill -f", TABLE),
    ("drop", TABLE),
    ("drop --force", TABLE),
    ("drop -f", TABLE),
    ("reset", TABLE),
    ("reset {p}", TABLE),
    ("reset {pid}", TABLE),
    # logs
    ("log {p}", ""),
    ("log {pid}", ""),
    ("log -a {p}", ""),
    ("log --all {p}", ""),
    ("log -n 5 {p}", ""),
    ("log --lines +3 {p}", ""),
    # the queue order
    ("dgraph", "{p}"),
    ("order", "{p}"),
    ("dgraph --process-config-only", ""),
    ("dgraph -c", ""),
    # exporting
    ("export", '"processes": ['),
    ("export json", '"processes": ['),
    ("export toml", "[[Processes]]"),
    ("export yaml", "processes:"),
    ("export yaml -o name", "processes:"),
    ("export --order name", '"processes": ['),
    # groups
    ("group ls", TABLE),
    ("group list", TABLE),
    ("groups ls", TABLE),
    ("group create {new}", TABLE),
    ("group desc {g}", PROPERTIES),
    ("group show {g}", PROPERTIES),
    ("group desc {gid}", PROPERTIES),
    ("group assign {g} {p},{q}", PROPERTIES),
    ("group assign {gid} {pid}", PROPERTIES),
    ("group remove {g} {p}", PROPERTIES),
    ("group remove {gid} {pid}", PROPERTIES),
    ("group stop {g}", TABLE),
    ("group stop {gid}", TABLE),
    ("group restart {g}", TABLE),
    ("group restart {gid}", TABLE),
    ("group drop {g}", TABLE),
    ("group drop {g} --force", TABLE),
    ("group drop -f {gid}", TABLE),
    ("group del {g}", TABLE),
    ("group delete {g}", TABLE),
    # about itself
    ("completion bash", "complete -F"),
    ("completion zsh", "#compdef pmon3"),
    ("completion fish", "complete -c pmon3"),
    ("version", "pmond version"),
    ("--version", "pmon3 version"),
    ("-v", "pmon3 version"),
    ("help", "Commands"),
    ("help exec", "--args"),
    ("--help", "Commands"),
    ("-h", "Commands"),
    ("group", "assign"),
    ("groups --help", "assign"),
]


@pytest.mark.parametrize(("line", "shown"), ROWS, ids=[line for line, _ in ROWS])
def test_a_row_of_the_table(run: Run, names: dict[str, str], line: str, shown: str) -> None:
    ran = run(*line.format(**names).split())
    assert ran.code == 0, ran.err
    assert shown.replace("{p}", names["p"]) in ran.out
    assert "rror" not in ran.err


EXEC_FLAGS: list[tuple[str, Callable[[dict[str, Any], str], object], object]] = [
    ("--args '1000 2000'", lambda p, _: p["args"], ["1000", "2000"]),
    ("-a 1000", lambda p, _: p["args"], ["1000"]),
    (
        "--env-vars 'A=1 B=two'",
        lambda p, _: (p["spec"]["env_vars"], p["env_keys"]),
        ("A=1 B=two", ["A", "B"]),
    ),
    ("-e A=1", lambda p, _: p["env_keys"], ["A"]),
    (f"--user {ME}", lambda p, _: p["user"], ME),
    (f"-u {ME}", lambda p, _: p["user"], ME),
    ("--log own.log", lambda p, folder: p["log"].removeprefix(folder), "/own.log"),
    ("-l own.log", lambda p, folder: p["log"].removeprefix(folder), "/own.log"),
    ("--log-dir other", lambda p, folder: p["log"].removeprefix(folder).rpartition("/")[0], "/other"),
    ("--log_dir other", lambda p, folder: p["log"].removeprefix(folder).rpartition("/")[0], "/other"),
    ("--no-autorestart", lambda p, _: p["spec"]["no_auto_restart"], True),
    ("-n", lambda p, _: p["spec"]["no_auto_restart"], True),
]
"""Flags that `exec`, `restart` and `start` share: how written, where it shows, what it is then."""


@pytest.mark.parametrize(("flag", "seen", "expected"), EXEC_FLAGS, ids=[row[0] for row in EXEC_FLAGS])
@pytest.mark.parametrize("verb", ["exec", "restart", "start", "group restart"])
def test_a_flag_changes_what_it_says(
    run: Run, running: Pmond, names: dict[str, str], verb: str, flag: str, seen: Any, expected: object
) -> None:
    if verb == "exec":
        seconds = [] if flag.startswith(("-a", "--args")) else ["-a", "1000"]
        words = ["exec", "/bin/sleep", "--name", names["new"], *seconds]
    else:
        words = [*verb.split(), names["g" if verb.startswith("group") else "p"]]
    ran = run(*words, *shlex.split(flag), "--no-wait")
    assert ran.code == 0, ran.err
    found = described(run, names["new" if verb == "exec" else "p"])
    assert seen(found, str(running.folder)) == expected


@pytest.mark.parametrize("flag", ["--dependencies", "-d"])
@pytest.mark.parametrize("verb", ["exec", "restart", "start"])
def test_dependencies_can_be_repeated_and_separated(
    run: Run, names: dict[str, str], verb: str, flag: str
) -> None:
    assert run("exec", "/bin/sleep", "--name", names["new"], "-a", "1000", "--no-wait").code == 0
    name = f"{names['new']}b"
    first = ["exec", "/bin/sleep", "--name", name, "-a", "1000"]
    if verb != "exec":
        assert run(*first, "--no-wait").code == 0
        first = [verb, name]
    ran = run(*first, flag, f"{names['p']},{names['q']}", flag, names["new"], "--no-wait")
    assert ran.code == 0, ran.err
    assert set(described(run, name)["dependencies"]) == {names["p"], names["q"], names["new"]}


@pytest.mark.parametrize("flag", ["--groups", "-g"])
def test_groups_of_a_new_process(run: Run, names: dict[str, str], flag: str) -> None:
    other = f"{names['g']}b"
    ran = run(
        "exec", "/bin/sleep", "--name", names["new"], "-a", "9", flag, f"{names['g']},{other}", "--no-wait"
    )
    assert ran.code == 0, ran.err
    assert set(described(run, names["new"])["groups"]) == {names["g"], other}


def test_groups_of_a_process_that_is_there(run: Run, names: dict[str, str]) -> None:
    assert run("restart", names["p"], "--groups", f"{names['g']}b", "--no-wait").code == 0
    assert described(run, names["p"])["groups"] == [f"{names['g']}b"]


def test_automatic_restart_can_be_given_back(run: Run, names: dict[str, str]) -> None:
    assert run("restart", names["p"], "-n", "--no-wait").code == 0
    assert described(run, names["p"])["spec"]["no_auto_restart"] is True
    assert run("restart", names["p"], "--autorestart", "--no-wait").code == 0
    assert not described(run, names["p"])["spec"].get("no_auto_restart")


@pytest.mark.parametrize("verb", ["start", "restart"])
def test_a_process_known_only_from_the_config_file(run: Run, running: Pmond, verb: str) -> None:
    name = f"declared-{verb}"
    running.declare({"name": name, "file": "/bin/sleep", "args": ["1000"], "autostart": False})
    running.until(name, "stopped")
    assert run("del", name).code == 0
    ran = run(verb, name)
    assert ran.code == 0, ran.err
    assert described(run, name)["status"] == "running"


def test_the_name_is_the_base_name_of_the_file(run: Run) -> None:
    assert run("exec", "/bin/true", "-n", "--no-wait").code == 0
    assert described(run, "true")["file"].endswith("/true")


@pytest.mark.parametrize("verb", ["desc", "log", "stop", "restart", "start", "del", "reset", "group desc"])
def test_what_is_unknown_is_said_and_is_exit_code_1(run: Run, verb: str) -> None:
    ran = run(*verb.split(), "nobody")
    assert ran.code == 1
    assert ran.err.startswith("pmon3: cannot ")
    assert "nobody" in ran.err


@pytest.mark.parametrize("line", ["nonsense", "ls --nonsense", "stop", "completion csh", "export xml", "del"])
def test_wrong_usage_is_exit_code_2(run: Run, line: str) -> None:
    ran = run(*line.split())
    assert ran.code == 2
    assert ran.err.startswith("pmon3: cannot ")


def every_command() -> list[tuple[str, command_tree.Command]]:
    found = []
    for verb in ALIASES:
        command = command_tree.command(verb)
        found += [(f"{verb} {one.name}", one) for one in command.commands] or [(verb, command)]
    return found


@pytest.mark.parametrize(("name", "command"), every_command(), ids=[name for name, _ in every_command()])
def test_help_says_what_everything_is_for(run: Run, name: str, command: command_tree.Command) -> None:
    ran = run(*name.split(), "--help")
    assert ran.code == 0
    assert command.summary.rstrip(".") in " ".join(ran.out.split())  # it wraps long lines
    for option in command.options:
        assert option.help, f"{name} {option.spellings} has no help"
        assert option.main_spellings[0] in ran.out
    assert all(argument.help for argument in command.arguments), name


@pytest.mark.parametrize("alias", sorted(set(VERB_OF) - set(ALIASES)))
def test_another_name_is_the_same_command(run: Run, alias: str) -> None:
    own, other = run(VERB_OF[alias], "--help").out, run(alias, "--help").out
    assert own == other and f"pmon3 {alias}" in own
