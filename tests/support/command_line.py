"""Runs `pmon3` command lines inside the test process, and compares screens with recorded ones."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from pmon3.main import main

SCREENS = Path(__file__).parents[1] / "golden" / "screens"


class Ran(NamedTuple):
    """What one command line left behind."""

    code: int
    out: str
    err: str


Run = Callable[..., Ran]


def runner(capsys: pytest.CaptureFixture[str]) -> Run:
    """A function that runs one command line, given as words."""

    def run(*words: str) -> Ran:
        capsys.readouterr()
        code = main(list(words))
        out, err = capsys.readouterr()
        return Ran(code, out, err)

    return run


def assert_screen(name: str, text: str) -> None:
    """`text` is what `tests/golden/screens/NAME.txt` says; RECORD_SCREENS=1 records it anew."""
    file = SCREENS / f"{name}.txt"
    if os.environ.get("RECORD_SCREENS"):
        file.write_text(text, encoding="utf-8")
    assert text == file.read_text(encoding="utf-8")
