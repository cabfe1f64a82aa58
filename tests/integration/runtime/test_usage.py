"""Figures of whole trees agree with psutil, and are credited to the right process."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import psutil
import pytest
from tests.support.starting import running
from tests.support.waiting import until

from pmond.runtime.processes.descendants import become_subreaper
from pmond.runtime.processes.usage import UsageSampler, read_proc, read_psutil

BUSY = "print('up', flush=True)\nwhile True: pass"
ALLOCATE = "x = b'x' * (50 << 20); print('up', flush=True); import time; time.sleep(60)"


def wait_for_output(log: Path) -> None:
    until(lambda: log.exists() and log.read_text(), f"the program of {log.name} runs")


def test_memory_and_processes_of_a_tree(tmp_path: Path) -> None:
    with (
        running(tmp_path, sys.executable, "-I", "-S", "-c", ALLOCATE, log="a.log") as one,
        running(tmp_path, "/bin/sh", "-c", "sleep 60 & sleep 60 & wait", log="b.log", name="b") as other,
    ):
        wait_for_output(tmp_path / "a.log")
        sampler = UsageSampler()
        roots = {"one": (one.pid, one.start_ticks), "other": (other.pid, other.start_ticks)}
        until(lambda: sampler.sample(roots, 0.0)["other"].processes == 3, "the shell has its children")
        usage = sampler.sample(roots, 1.0)
        assert usage["one"].processes == 1
        truth = psutil.Process(one.pid).memory_info().rss
        assert usage["one"].memory_bytes == pytest.approx(truth, rel=0.05)
        assert truth > 50 << 20


def test_number_of_another_process_gives_no_figures(tmp_path: Path) -> None:
    with running(tmp_path, "/bin/sleep", "60") as child:
        roots = {"gone": (child.pid, child.start_ticks + 1), "none": (1 << 22, 5)}
        assert UsageSampler().sample(roots, 0.0) == {}


@pytest.mark.slow
def test_percentage_since_the_previous_sample(tmp_path: Path) -> None:
    with running(tmp_path, sys.executable, "-I", "-S", "-c", BUSY) as child:
        wait_for_output(tmp_path / "test.log")
        sampler, roots = UsageSampler(), {"busy": (child.pid, child.start_ticks)}
        process = psutil.Process(child.pid)
        sampler.sample(roots, time.monotonic())
        begin, used = time.monotonic(), process.cpu_times().user
        until(lambda: time.monotonic() - begin > 0.4, "0.4 s to pass")
        percent = sampler.sample(roots, time.monotonic())["busy"].cpu_percent
        truth = 100 * (process.cpu_times().user - used) / (time.monotonic() - begin)
        assert percent == pytest.approx(truth, abs=15)
        os.kill(child.pid, signal.SIGSTOP)
        sampler.sample(roots, time.monotonic() + 1)
        assert sampler.sample(roots, time.monotonic() + 2)["busy"].cpu_percent == 0


def test_orphan_of_another_session_is_credited_by_its_marker(tmp_path: Path) -> None:
    assert become_subreaper()
    code = (
        "import os, time\n"
        "if os.fork() == 0:\n"
        "  if os.fork(): os._exit(0)\n"
        "  os.setsid(); print(os.getpid(), flush=True)\n"
        "else: os.wait()\n"
        "time.sleep(60)"
    )
    log = tmp_path / "test.log"
    with running(tmp_path, sys.executable, "-I", "-S", "-c", code, marker="u:a:b:7") as child:
        wait_for_output(log)
        roots = {"a:b": (child.pid, child.start_ticks)}
        assert UsageSampler().sample(roots, 0.0)["a:b"].processes == 2
        orphan = int(log.read_text())
        os.kill(orphan, signal.SIGKILL)
        os.waitpid(orphan, 0)


def test_both_readers_see_the_same(tmp_path: Path) -> None:
    with running(tmp_path, sys.executable, "-I", "-S", "-c", ALLOCATE) as child:
        wait_for_output(tmp_path / "test.log")
        (direct,) = [row for row in read_proc() if row.pid == child.pid]
        (portable,) = [row for row in read_psutil() if row.pid == child.pid]
        assert direct[:4] == portable[:4]
        assert direct.memory_bytes == pytest.approx(portable.memory_bytes, rel=0.05)
        assert direct.age == pytest.approx(portable.age, abs=2)
        assert direct.cpu_seconds == pytest.approx(portable.cpu_seconds, abs=0.05)


def test_asking_about_another_process_forgets_nobody(tmp_path: Path) -> None:
    """A stopped process used nothing since it was asked about, whoever was asked about in between."""
    with (
        running(tmp_path, sys.executable, "-I", "-S", "-c", BUSY, log="busy.log") as busy,
        running(tmp_path, "/bin/sleep", "60", log="b.log", name="b") as other,
    ):
        wait_for_output(tmp_path / "busy.log")
        sampler, now = UsageSampler(), time.monotonic()
        os.kill(busy.pid, signal.SIGSTOP)
        sampler.sample({"busy": (busy.pid, busy.start_ticks)}, now)
        sampler.sample({"other": (other.pid, other.start_ticks)}, now + 1)
        assert sampler.sample({"busy": (busy.pid, busy.start_ticks)}, now + 2)["busy"].cpu_percent == 0
