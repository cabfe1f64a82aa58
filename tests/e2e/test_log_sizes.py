"""12.1: logs of slow, middling and fast writers stay near their sizes, and the newest lines are kept."""

from __future__ import annotations

import fcntl
from pathlib import Path

import pytest
from tests.support import rotation
from tests.support.pmond import Pmond
from tests.support.programs import python, sleeper
from tests.support.waiting import until

from pmond.runtime.files import archives

pytestmark = pytest.mark.slow

KIB = 1024
WRITER = """
import sys, time
number, chunk, pause = 0, int(sys.argv[1]), float(sys.argv[2])
while True:
    lines = "".join(f"{n:09}\\n" for n in range(number, number + chunk))
    number += chunk
    sys.stdout.write(lines)
    sys.stdout.flush()
    time.sleep(pause)
"""


def writer(name: str, chunk: int, pause: float, **log_rotate: object) -> dict[str, object]:
    """So many lines of ten bytes, then a pause."""
    declared = python(name, WRITER, log_rotate={"compress": False, **log_rotate})
    return declared | {"args": [*declared["args"], str(chunk), str(pause)]}


def archived(log: Path) -> int:
    """Bytes that were ever taken out of a log."""
    try:
        with log.with_name(archives.lock_name(log.name)).open("rb") as lock:
            return archives.read_cut(lock.fileno()).total
    except FileNotFoundError:
        return 0


def numbers(log: Path) -> list[int]:
    """Of the lines that are kept, once nobody rotates; the first may be the end of one."""
    with log.with_name(archives.lock_name(log.name)).open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return [int(line) for line in rotation.whole(log).splitlines()[1:]]


@pytest.mark.parametrize("total", [0, 4], ids=["without total", "with total"])
def test_it_goes_on_after_the_first_rotation(pmond: Pmond, total: int) -> None:
    if rotation.mechanism(pmond.folder) == "none":
        pytest.skip("this file system cannot make holes")
    sizes = {"slow": 64 * KIB, "middling": 512 * KIB, "fast": 2048 * KIB}
    writers = [
        writer(name, chunk, pause, size=sizes[name], total=sizes[name] * total, keep=100)
        for name, chunk, pause in (("slow", 1_000, 0.2), ("middling", 10_000, 0.1), ("fast", 50_000, 0.05))
    ]
    pmond.declare(*writers)
    pmond.ok("init")
    logs = {name: pmond.folder / "logs" / f"{name}.log" for name in sizes}
    for name, log in logs.items():
        # No resync comes within that time: what is seen are looks for which growing is the reason.
        until(lambda log=log, name=name: archived(log) > 5 * sizes[name], f"rotations of {name}", 25)  # type: ignore[misc]
    pmond.ok("stop", "*")
    for name, log in logs.items():
        kept = numbers(log)
        assert kept == list(range(kept[0], kept[-1] + 1)), name
        if total:
            # A third of it by the law of test_log_sizes in property/; here it is written to meanwhile.
            assert len(kept) * 10 >= sizes[name] * total // 4, name
        else:
            assert kept[0] <= 1, name


def test_what_was_written_beyond_the_total_while_no_pmond_was_there_goes_oldest_first(pmond: Pmond) -> None:
    if rotation.mechanism(pmond.folder) == "none":
        pytest.skip("this file system cannot make holes")
    rotate = {"size": "256KiB", "total": "1MiB"}
    pmond.declare(writer("web", 10_000, 0.05, **rotate))
    pmond.ok("init")
    log = pmond.folder / "logs" / "web.log"
    pmond.until("web", "running")
    pmond.kill()
    until(lambda: log.stat().st_size > 6_000_000, "the log to grow", 20)
    pmond.start()
    until(lambda: archived(log) > 5_000_000, "it to be rotated", 20)
    pmond.ok("stop", "web")
    kept = numbers(log)
    assert kept == list(range(kept[0], kept[-1] + 1))
    assert len(kept) * 10 >= 250_000


def test_a_log_that_was_removed_under_its_writer_is_told_with_what_brings_it_back(pmond: Pmond) -> None:
    pmond.declare(sleeper("web"))
    pmond.until("web", "running")
    log = pmond.folder / "logs" / "web.log"
    log.unlink()
    done = pmond.run("log", "web")
    assert done.returncode == 1
    assert "was removed or moved" in done.stderr and "pmon3 restart web" in done.stderr
    pmond.ok("restart", "web")
    assert log.exists()
    pmond.ok("log", "web")
    pmond.ok("stop", "web")
    log.unlink()
    assert "there is no log yet" in pmond.run("log", "web").stderr
