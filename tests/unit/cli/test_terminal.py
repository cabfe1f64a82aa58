"""What is known of a terminal, and what is shown on one that has nothing but ASCII."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

import pytest
from tests.support.fake_daemon import FakeDaemon
from tests.support.terminal import Terminal

from pmon3 import terminal


@pytest.mark.parametrize(
    ("environ", "only"),
    [
        ({"LC_ALL": "C"}, True), ({"LANG": "POSIX"}, True), ({"LC_ALL": "", "LANG": "C"}, True),
        ({"TERM": "dumb"}, True), ({"LC_ALL": "de_DE.UTF-8", "LANG": "C"}, False),
        ({"LANG": "C.UTF-8"}, False), ({}, False),
    ],
)  # fmt: skip
def test_where_there_is_only_ascii(environ: dict[str, str], only: bool) -> None:
    assert terminal.only_ascii(environ) is only


def test_all_our_signs_have_one_in_ascii() -> None:
    """Whatever is drawn anywhere in the command line."""
    folder = Path(terminal.__file__).parent
    signs = {c for file in folder.glob("*.py") if file.name != "terminal.py"
             for c in file.read_text("utf-8") if "─" <= c <= "╿" or c in "…⟳▾▴"}  # fmt: skip
    assert signs and terminal.in_ascii("".join(signs)).isascii()


def test_a_terminal_that_does_not_know_its_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """Black-box finding 8: `top` drew nothing on a fresh pty, in docker exec, on a serial console."""
    for name in ("COLUMNS", "LINES"):
        monkeypatch.delenv(name, raising=False)
    nothing = io.StringIO()
    assert terminal.size(nothing) == (80, 24)
    monkeypatch.setenv("COLUMNS", "132")
    monkeypatch.setenv("LINES", "0")
    assert terminal.size(nothing) == (132, 24)
    master, slave = os.openpty()
    with os.fdopen(master, "wb", buffering=0), os.fdopen(slave, "wb", buffering=0) as stream:
        assert terminal.size(stream) == (132, 24)


@pytest.mark.slow
@pytest.mark.parametrize("words", [("ls",), ("desc", "web"), ("top",)])
def test_tables_have_borders_that_it_can_show(daemon: FakeDaemon, words: tuple[str, ...]) -> None:
    command = [sys.executable, "-P", "-m", "pmon3", *words]
    with Terminal(command, os.environ | {"LC_ALL": "C"}, columns=80) as shown:
        if words == ("top",):
            shown.until("web")
            shown.type("q")
        assert shown.ended() == 0
        assert shown.written.isascii() and "web" in shown.written


@pytest.mark.slow
def test_top_draws_on_a_terminal_of_no_size(daemon: FakeDaemon) -> None:
    with Terminal([sys.executable, "-P", "-m", "pmon3", "top"], os.environ, columns=0, lines=0) as shown:
        assert "NAME" in shown.until("web")
        shown.type("q")
        assert shown.ended() == 0
