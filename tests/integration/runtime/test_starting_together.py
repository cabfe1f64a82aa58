"""Many programs started at a time: each gets what is its own, and none stands in for another."""

from __future__ import annotations

import json
import os
import sys
import threading
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.support.starting import context, ended, open_descriptors, opened_since, reap, report_of
from tests.support.waiting import until

from pmon3_schema.process import ProcessSpec
from pmond.runtime.processes.spawn import (
    Child,
    Launch,
    SpawnError,
    native,
    prepare,
    seal_descriptors,
    spawn,
)
from pmond.runtime.processes.spawn_threads import SpawnThreads

MANY = 40
REPORT = """
import json, os
folder = "/proc/self/fd/"
open = {n: os.readlink(folder + n) for n in os.listdir(folder) if os.path.exists(folder + n)}
print(json.dumps({"open": open, "cwd": os.getcwd(), "name": os.environ["NAME"], "session": os.getsid(0)}))
"""


@pytest.fixture
def threads() -> SpawnThreads[Child]:
    threads = SpawnThreads[Child]()
    assert threads.begin()
    return threads


def launch(logs: Path, name: str, **fields: Any) -> Launch:
    folder = logs / f"folder of {name}"
    folder.mkdir()
    written = {
        "name": name, "file": sys.executable, "args": ["-I", "-S", "-c", REPORT], "cwd": str(folder),
        "env_vars": {"NAME": name}, **fields,
    }  # fmt: skip
    return prepare(ProcessSpec.read(written), context=context(logs), marker=f"test:{name}:1")


def test_each_gets_its_own_and_nothing_of_the_others(threads: SpawnThreads[Child], tmp_path: Path) -> None:
    """Every third needs the launcher, whose orders are secrets of one program."""
    seal_descriptors()
    before = open_descriptors()
    launches = [
        launch(tmp_path, f"p{number}", **({"priority": 0} if number % 3 == 0 else {}))
        for number in range(MANY)
    ]
    results = [threads.run(partial(spawn, one, hand_over=False)) for one in launches]
    for one, result in zip(launches, results, strict=True):
        child = result.result(10)
        assert report_of(child) is None
        assert reap(child.pid) == 0
        log = tmp_path / f"{one.name}.log"
        seen = json.loads(log.read_text())
        assert seen["name"] == one.name
        assert seen["cwd"] == one.cwd
        assert seen["session"] == child.pid
        assert seen["open"] == {"0": "/dev/null", "1": str(log), "2": str(log)}
    assert not opened_since(before), "descriptors are left open"


def test_what_cannot_be_started_is_said_of_that_one_alone(
    threads: SpawnThreads[Child], tmp_path: Path
) -> None:
    good = launch(tmp_path, "good", file="/bin/true", args=[])
    bad = launch(tmp_path, "bad", file="/etc/passwd", args=[])
    results = [threads.run(partial(spawn, one)) for one in (good, bad, good, bad)]
    for result in results[::2]:
        assert reap(result.result(10).pid) == 0
    for result in results[1::2]:
        with pytest.raises(SpawnError, match="cannot start bad"):
            result.result(10)


def test_without_a_thread_to_be_had_there_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    threads = SpawnThreads[Child]()
    assert not threads.begin()
    monkeypatch.undo()
    assert threads.begin(), "they are made when the system has some again"


def test_a_child_of_a_thread_is_one_of_the_process(threads: SpawnThreads[Child], tmp_path: Path) -> None:
    """Whichever thread started it: any of them may wait for it."""
    child = threads.run(partial(spawn, launch(tmp_path, "one"))).result(10)
    found = until(lambda: ended(child.pid), "the child to end", timeout=10)
    assert found is not None


def test_the_folder_may_have_any_number(tmp_path: Path) -> None:
    """The launcher gets its orders as 3 and 4, which may be those of the opened folder in pmond."""
    library = native()
    assert library is not None
    folder, orders = os.open(tmp_path, os.O_PATH), os.open("/dev/null", os.O_RDONLY)
    try:
        pid = library.spawn("/bin/true", ("true",), {}, ((orders, folder),), folder)
    finally:
        os.close(folder)
        os.close(orders)
    assert reap(pid) == 0
