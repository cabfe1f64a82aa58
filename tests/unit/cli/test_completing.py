"""What a word can become: by the tables, by the command tree, by what pmond says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.fake_daemon import CannedAnswer, FakeDaemon, process

from pmon3 import command_tree, completing
from pmon3.main import main
from pmon3.verbs import ALIASES, POSITIONALS, PROCESS, SCALED, SUBCOMMAND_OF


def words(*typed: str) -> list[str]:
    return [candidate.word for candidate in completing.complete(list(typed))]


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("dg", ["dgraph"]),
        ("stop|", ["web", "db"]),
        ("stop|w", ["web"]),
        ("show|web|", ["db"]),
        ("help|sto", ["stop"]),
        ("nonsense|", []),
        ("group|de", ["del", "desc"]),
        ("group|show|", ["front"]),
        ("groups|assign|front|web,", ["web,db"]),
        ("group|assign|front|web|", []),
        ("group|nonsense|", []),
        ("group|ls|", []),
        ("group|create|", []),
        ("stop|--grou", ["--group"]),
        ("stop|-g|", ["front"]),
        ("stop|--group=f", ["--group=front"]),
        ("stop|--timeout|5s|d", ["db"]),
        ("stop|--timeout|", []),
        ("stop|--|d", ["db"]),
        ("stop|--|--gr", []),
        ("start|--no-a", ["--no-autorestart"]),
        ("start|--auto", ["--autorestart"]),
        ("ls|-o|j", ["json"]),
        (
            "ls|--output=",
            ["--output=table", "--output=wide", "--output=json", "--output=yaml", "--output=name"],
        ),
        ("export|", ["json", "toml", "yaml"]),
        ("export|json|w", ["web"]),
        ("exec|", [":files"]),
        ("exec|./", [":files"]),
        ("exec|env", ["env", ":files"]),
        ("ru", ["run", "runs"]),
        ("sho", ["show"]),
        ("de", ["desc", "del", "delete"]),
        ("status|", ["/srv/app.yaml", "cli-set"]),
        ("history|/s", ["/srv/app.yaml"]),
        ("rollback|--set|c", ["cli-set"]),
        ("wait|--set|c", ["cli-set"]),
        ("suspend|c", ["cli-set"]),
        ("explain|restart.max_d", ["restart.max_delay"]),
        ("set|", ["web", "db"]),
        ("set|web|auto", ["autostart="]),
        ("set|web|stop.ti", ["stop.timeout="]),
        ("wait|web|--for|ex", ["exited", "exited="]),
        ("wait|web|--for|cond", ["condition="]),
        ("up|-f|PROFILES|--profile|", ["dev", "prod", "none"]),
        ("apply|--file|PROFILES|--profile|p", ["prod"]),
        ("exec|--log-dir|", [":folders"]),
        ("exec|--user|roo", ["root"]),
        ("exec|--stop-signal|SIGTER", ["SIGTERM"]),
        ("exec|--dependencies|web,", ["web,db"]),
        ("version|", []),
    ],
)
def test_candidates(daemon: FakeDaemon, typed: str, expected: list[str], manifest: str) -> None:
    Path(manifest).write_text("profiles: {prod: {}, dev: {}}\nprocesses: []\n")
    daemon.answers["GET", "/v1/sets"] = CannedAnswer(
        [{"name": name, "sync": "Synced", "health": "Healthy"} for name in ("file:/srv/app.yaml", "cli-set")]
    )
    found = words(*typed.replace("PROFILES", manifest).split("|"))
    assert [word for word in found if word in expected or "env" not in typed] == expected


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("stop|", ["db", "web", "web@0", "web@1"]),
        ("stop|web|web@", ["web@0", "web@1"]),
        ("signal|w", ["web", "web@0", "web@1"]),
        ("group|assign|front|db,web", ["db,web", "db,web@0", "db,web@1"]),
        ("scale|", ["db=", "web="]),
        ("scale|web=3|", ["db="]),
        ("scale|--write|w", ["web="]),
        ("scale|web=", ["web="]),
    ],
)
def test_the_name_of_an_entry_stands_for_all_its_replicas(
    daemon: FakeDaemon, typed: str, expected: list[str]
) -> None:
    place = {"of": "web", "count": 2, "declared": 2}
    replicas = [process(n + 2, f"web@{n}", replica={**place, "index": n}) for n in (0, 1)]
    daemon.answers["GET", "/v1/processes"] = CannedAnswer([process(1, "db"), *replicas])
    assert words(*typed.split("|")) == expected


def test_the_tables_agree_with_the_command_tree() -> None:
    for verb in ALIASES:
        command = command_tree.command(verb)
        assert command.aliases == ALIASES[verb]
        for one in command.commands or (command,):
            name = f"group {one.name}" if command.commands else one.name
            known = tuple(a.value.kind for a in one.arguments if a.value.kind in command_tree.KNOWN_TO_PMOND)
            if name in POSITIONALS:
                assert POSITIONALS[name] == known, name
                assert one.arguments[-1].repeated == (POSITIONALS[name] in ((PROCESS,), (SCALED,))), name
            else:
                assert not known or verb in ("export", "set", "signal", "shell", "runs"), name
            for other in one.aliases if command.commands else ():
                assert SUBCOMMAND_OF[other] == one.name


def test_names_need_neither_typer_nor_pydantic(daemon: FakeDaemon) -> None:
    code = (
        "import sys; from pmon3.main import main; main(['__complete', 'stop', '']); "
        "sys.stderr.write(','.join({'typer', 'pydantic', 'asyncio', 'psutil'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=20
    )
    assert (done.stderr, done.stdout) == ("", "web\trunning\ndb\tstopped\n")


def test_without_pmond_nothing_is_said(folders: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["__complete", "stop", ""]) == 0
    assert main(["__complete", "status", ""]) == 0
    assert main(["__complete", "up", "-f", "/no/such", "--profile", ""]) == 0
    assert capsys.readouterr() == ("", "")


def test_a_name_cannot_move_the_cursor(daemon: FakeDaemon, capsys: pytest.CaptureFixture[str]) -> None:
    daemon.answers["GET", "/v1/processes"] = CannedAnswer([process(1, "a\x1b[2Jb\nc")])
    assert main(["__complete", "stop", ""]) == 0
    assert capsys.readouterr().out == "a\\x1b[2Jb\\nc\trunning\n"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("pmon3 stop we", ["stop", "we"]),
        ("pmon3 stop ", ["stop", ""]),
        ("pmon3 exec 'a b' --na", ["exec", "a b", "--na"]),
        ("pmon3 exec 'a b", ["exec", "'a", "b"]),
        ("", [""]),
    ],
)
def test_a_line_is_split_as_a_shell_does(line: str, expected: list[str]) -> None:
    assert completing.split(line) == expected


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_has_a_script(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    assert "__complete" in capsys.readouterr().out
    assert main(["completion", "csh"]) == 2
