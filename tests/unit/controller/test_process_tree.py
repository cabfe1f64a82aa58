"""The processes of an instance, each below the one that has started it."""

from __future__ import annotations

import os
import subprocess
import sys

from pmond.runtime.processes.identity import Identity, boot_id, start_ticks
from pmond.runtime.processes.tree_claims import children
from pmond.runtime.views.process_tree import process_tree

_FORKS = "import os, time; os.fork(); print('there', flush=True); time.sleep(1000)"


def identity(pid: int) -> Identity:
    return Identity(pid, start_ticks(pid) or 0, boot_id())


def test_a_child_stands_below_its_parent() -> None:
    words = [sys.executable, "-I", "-S", "-c", _FORKS]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as main:
        assert main.stdout is not None
        assert [main.stdout.readline(), main.stdout.readline()] == ["there\n", "there\n"]
        (child,) = children(main.pid)
        try:
            found = process_tree(
                main.pid, {identity(main.pid), identity(child), Identity(2**22, 1, boot_id())}
            )
        finally:
            os.kill(child, 9)
            main.kill()
    assert [(one["pid"], one["depth"]) for one in found] == [(main.pid, 0), (child, 1)]
    assert found[1]["parent"] == main.pid and found[1]["memory_bytes"] > 0
    assert found[0]["name"].startswith("python")
