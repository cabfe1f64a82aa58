"""Every test here begins without children: what it starts is real, and so is what others left behind."""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest
from tests.support.waiting import until

from pmond.runtime.processes import compiled_launcher
from pmond.runtime.processes.tree_claims import own_children


@pytest.fixture(autouse=True)
def _no_children_of_earlier_tests() -> None:
    """What an earlier test left behind may have become ours (a test of trees makes us a subreaper)."""

    def ended() -> bool:
        for pid in own_children():
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        return not own_children()

    until(ended, "the children of earlier tests to end")


@pytest.fixture(params=["compiled launcher", "launcher in Python"])
def launcher(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of the two programs that set something up before they become the program of a process."""
    if request.param == "launcher in Python":
        monkeypatch.setattr(compiled_launcher, "program", lambda: None)
    elif compiled_launcher.program() is None:
        pytest.skip("pmon3 was installed without a C compiler")


@pytest.fixture(params=["direct", "compiled launcher", "launcher in Python"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Fields by which a start takes each of the ways that there are."""
    if request.param == "direct":
        return {}
    if request.param == "launcher in Python":
        monkeypatch.setattr(compiled_launcher, "program", lambda: None)
    # It has this priority anyway, so that it changes nothing but makes a launcher necessary.
    return {"priority": os.nice(0)}
