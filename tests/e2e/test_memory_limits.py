"""What has grown too large (restart.above_memory) is replaced, gracefully, whatever its policy says."""

from __future__ import annotations

import sys

import pytest
from tests.support.pmond import Pmond
from tests.support.waiting import until

pytestmark = pytest.mark.slow

GROWS = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: (print("asked", flush=True), sys.exit(0)))
child = os.fork()
if child == 0:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    held = bytearray(os.urandom(80 << 20))
time.sleep(1000)
"""
"""Its child holds the memory: what counts is the whole tree."""


def grows(**more: object) -> dict[str, object]:
    return {"name": "leak", "file": sys.executable, "args": ["-c", GROWS], "log": "/dev/null", **more}


def test_a_tree_above_its_memory_is_asked_to_end_and_started_anew(pmond: Pmond) -> None:
    restart = {"above_memory": "60MiB", "policy": "never"}
    small = {"name": "small", "file": "/bin/sleep", "args": ["1000"], "restart": {"above_memory": "60MiB"}}
    pmond.declare(grows(restart=restart), small)
    pmond.ok("init")
    first = pmond.until("leak", "running")["pid"]
    until(lambda: pmond.row("leak")["pid"] not in (0, first), "it to be replaced", 20)
    (event, *_) = [one for one in pmond.events() if one["reason"] == "MemoryExceeded"]
    assert event["name"] == "leak"
    assert "asked to end, to be started anew: it holds " in event["message"]
    assert event["message"].endswith(" MiB of memory, more than 60 MiB")
    stopped = next(one for one in pmond.events() if one["name"] == "leak" and one["reason"] == "Stopped")
    assert stopped["fields"]["exit_code"] == 0, "it was asked, not killed"
    assert pmond.row("leak")["restart_count"] >= 1
    assert pmond.row("small")["restart_count"] == 0


def test_a_limit_that_is_lifted_in_time_leaves_it_alone(pmond: Pmond) -> None:
    pmond.declare(grows(restart={"above_memory": "60MiB"}))
    pmond.ok("init")
    until(lambda: "MemoryExceeded" in pmond.reasons("leak"), "it to be replaced once", 20)
    pmond.declare(grows(restart={"above_memory": "1GiB"}))
    pmond.ok("init")
    pmond.until("leak", "running")
    pid = pmond.row("leak")["pid"]
    pmond.declare(
        grows(restart={"above_memory": "1GiB"}),
        {
            "name": "witness",
            "file": sys.executable,
            "args": ["-c", GROWS],
            "log": "/dev/null",
            "restart": {"above_memory": "60MiB"},
        },
    )
    pmond.ok("init")
    until(lambda: "MemoryExceeded" in pmond.reasons("witness"), "the witness to be looked at twice", 20)
    assert pmond.row("leak")["pid"] == pid
