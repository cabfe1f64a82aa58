"""M (priority): nice values, limits and the worth of memory are not raised with root's rights."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from tests.support.other_users import ask_as
from tests.support.pmond import Pmond
from tests.support.programs import NICER, SLEEP
from tests.support.stranger import needs_strangers
from tests.support.waiting import until

NICEST = 19

pytestmark = [needs_strangers, pytest.mark.slow]


def ask(pmond: Pmond, verb: str, **spec: Any) -> tuple[int, object]:
    """As nobody."""
    if verb == "exec":
        return ask_as("nobody", pmond, "POST", "/v1/processes", {"spec": SLEEP | spec, "cwd": "/"})
    text = {"processes": [SLEEP | spec]}
    documents = [{"path": "/tmp/alice.json", "text": json.dumps(text)}]
    return ask_as("nobody", pmond, "POST", "/v1/apply", {"documents": documents, "set": "alice"})


def nice_of(pmond: Pmond, name: str) -> int:
    return os.getpriority(os.PRIO_PROCESS, pmond.until(name, "running")["pid"])


def test_a_start_gives_nobody_a_better_nice_value(pmond: Pmond) -> None:
    status, _ = ask(pmond, "exec", name="fast", priority=-19)
    if status == 200:
        assert "its priority cannot be set" in pmond.until("fast", "backoff")["reason"]
    assert ask(pmond, "exec", name="slow", priority=NICER)[0] == 200
    assert nice_of(pmond, "slow") == NICER


def test_nor_does_a_change_of_what_runs(pmond: Pmond) -> None:
    assert ask(pmond, "apply", name="web", priority=NICER)[0] == 200
    pid = pmond.until("web", "running")["pid"]
    own = os.getpriority(os.PRIO_PROCESS, pmond.pid)
    status, _ = ask(pmond, "apply", name="web", priority=-19)
    if status == 200:
        until(lambda: "TuningFailed" in pmond.reasons("web"), "it to be refused")
    assert os.getpriority(os.PRIO_PROCESS, pid) == NICER
    # What a start would give is given.
    assert ask(pmond, "apply", name="web")[0] == 200
    until(lambda: os.getpriority(os.PRIO_PROCESS, pid) == own, "pmond's own value")
    assert ask(pmond, "apply", name="web", priority=NICEST)[0] == 200
    until(lambda: os.getpriority(os.PRIO_PROCESS, pid) == NICEST, "a nicer one")


def open_files(pid: int) -> list[str]:
    """The soft and the hard limit of open files."""
    lines = Path(f"/proc/{pid}/limits").read_text().splitlines()
    (line,) = [line for line in lines if line.startswith("Max open files")]
    return line.split()[3:5]


def test_limits_can_be_lowered_and_not_raised(pmond: Pmond) -> None:
    hard = int(open_files(pmond.pid)[1])
    assert ask(pmond, "exec", name="low", limits={"nofile": 100})[0] == 200
    assert open_files(pmond.until("low", "running")["pid"]) == ["100", "100"]
    status, _ = ask(pmond, "exec", name="high", limits={"nofile": hard + 1})
    if status == 200:
        assert "its limits cannot be set" in pmond.until("high", "backoff")["reason"]
    assert ask(pmond, "apply", name="web")[0] == 200
    pid = pmond.until("web", "running")["pid"]
    status, _ = ask(pmond, "apply", name="web", limits={"nofile": hard + 1})
    if status == 200:
        until(lambda: "TuningFailed" in pmond.reasons("web"), "it to be refused")
    assert int(open_files(pid)[1]) <= hard


def test_nobody_inherits_what_pmond_is_worth(stopped_pmond: Pmond) -> None:
    """An oom_score_adj that pmond gives itself is no child's, nor can a child of it go back to it."""
    pmond = stopped_pmond.start()
    worth = Path(f"/proc/{pmond.pid}/oom_score_adj")
    before = worth.read_text()
    assert ask(pmond, "exec", name="web")[0] == 200
    pid = pmond.until("web", "running")["pid"]
    assert Path(f"/proc/{pid}/oom_score_adj").read_text() == before
