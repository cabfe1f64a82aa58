"""`desc` shows where the logs of a process are, and how they end."""

from __future__ import annotations

import re

import pytest
from tests.support.pmond import Pmond
from tests.support.waiting import until


@pytest.mark.slow
def test_desc_shows_both_logs_and_their_last_lines(pmond: Pmond) -> None:
    script = "seq 5; echo wrong >&2; exec sleep 1000"
    pmond.declare(
        {"name": "web", "file": "/bin/sh", "args": ["-c", script], "stderr_log": "web.err"},
        {"name": "db", "file": "/bin/sh", "args": ["-c", script]},
    )
    shown = {}
    for name in ("web", "db"):
        pmond.until(name, "running")
        until(lambda name=name: re.search(r"line +║wrong", pmond.ok("desc", name)), "it to have written")  # type: ignore[misc]
        lines = pmond.ok("desc", name).splitlines()
        shown[name] = [tuple(cell.strip() for cell in line.strip("│").split("║")) for line in lines]
    web, db = shown["web"], shown["db"]
    assert ("stderr_log", str(pmond.folder / "web.err")) in web
    assert web[-5:-1] == [("log line", str(number)) for number in (3, 4, 5)] + [("stderr line", "wrong")]
    assert db[-4:-1] == [("log line", "4"), ("log line", "5"), ("log line", "wrong")]
