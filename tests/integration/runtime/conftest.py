"""Every test here begins without children: what it starts is real, and so is what others left behind."""

from __future__ import annotations

import os
import signal

import pytest
from tests.support.waiting import until

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
