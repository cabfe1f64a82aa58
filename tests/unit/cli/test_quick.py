"""The quick `ls`: what it understands, what it imports, and that it prints what Typer's prints."""

from __future__ import annotations

import subprocess
import sys

import pytest
from tests.support.command_line import Run
from tests.support.fake_daemon import FakeDaemon

from pmon3 import application, quick

HEAVY = (
    "typer",
    "click",
    "pydantic",
    "rich",
    "http",
    "asyncio",
    "email",
    "subprocess",
    "yaml",
    "dataclasses",
)


@pytest.mark.parametrize(
    ("words", "parsed"),
    [
        (["ls"], ([], "table")),
        (["list", "web*", "2"], (["web*", "2"], "table")),
        (["ls", "-o", "json", "web"], (["web"], "json")),
        (["ls", "-ojson"], ([], "json")),
        (["ls", "--output=name"], ([], "name")),
        (["ls", "-o", "yaml"], None),
        (["ls", "-o"], None),
        (["ls", "--help"], None),
        (["ls", "-g", "front"], None),
        (["stop", "web"], None),
        ([], None),
    ],
)
def test_plain_forms_are_understood_and_others_left_to_the_parser(
    words: list[str], parsed: tuple[list[str], str] | None
) -> None:
    assert quick.parse(words) == parsed


@pytest.mark.parametrize("words", [["ls"], ["ls", "-o", "json"], ["list", "-o", "name"], ["ls", "w*"]])
def test_both_ways_ask_and_print_the_same(
    daemon: FakeDaemon, run: Run, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    quickly = run(*words)
    assert application.run(words) == quickly.code == 0
    assert capsys.readouterr().out == quickly.out
    assert daemon.requests[0] == daemon.requests[1]


def test_nothing_heavy_is_imported(daemon: FakeDaemon) -> None:
    program = (
        "import sys; from pmon3.main import main; code = main(['ls']);"
        "print(*sys.modules, file=sys.stderr); sys.exit(code)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=True
    )
    assert "web" in ran.stdout
    assert not {name.partition(".")[0] for name in ran.stderr.split()} & set(HEAVY)
