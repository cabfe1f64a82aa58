"""Rotation under a fast writer (fault 42): killed at random, it loses and repeats no line."""

from __future__ import annotations

import asyncio
import gzip
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.chaos.machine import Machine
from tests.support.waiting import until

from pmond.runtime.files import log_follow, rotate
from pmond.runtime.files.logs import Lines

pytestmark = pytest.mark.slow

SECONDS = float(os.environ.get("CHAOS_ROTATION_SECONDS", "2"))
WRITER = """
import os, sys, time
log = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
number, until = 0, time.monotonic() + float(sys.argv[2])
while time.monotonic() < until:
    block = b"".join(b"%015d %s\\n" % (n, b"x" * 83) for n in range(number, number + 640))
    for line in range(0, len(block), 6400):
        os.write(log, block[line:line + 6400])
    number += 640
print(number)
"""


def run(log: Path, keep: int = 10_000, compress: bool = False) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-I", "-S", rotate.__file__, str(log), str(keep), "1" if compress else "0"]
    return subprocess.Popen(command, stderr=subprocess.PIPE)


def collapses(folder: Path) -> bool:
    with (folder / "probe").open("w+b") as file:
        return rotate.can_collapse(file.fileno())


def whole(log: Path) -> bytes:
    archives = sorted(file for file in log.parent.iterdir() if file.name.startswith(f"{log.name}."))
    parts = [gzip.decompress(f.read_bytes()) if f.suffix == ".gz" else f.read_bytes() for f in archives]
    return b"".join([*parts, log.read_bytes()])


@pytest.mark.parametrize("compress", [False, True])
def test_a_fast_writer_loses_and_repeats_nothing(tmp_path: Path, compress: bool) -> None:
    if not collapses(tmp_path):
        pytest.skip("this file system cannot collapse")
    log, chance = tmp_path / "web.log", random.Random(42)
    writer = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", WRITER, str(log), str(SECONDS)], stdout=subprocess.PIPE
    )
    rotations = kills = 0
    while writer.poll() is None:
        rotation = run(log, compress=compress) if log.exists() else None
        if rotation is None:
            continue
        if chance.random() < 0.5:
            time.sleep(chance.random() * 0.15)  # the length of the fuse
            rotation.kill()
            kills += 1
        rotation.wait()
        rotations += 1
    assert run(log, compress=compress).wait() == 0
    assert writer.stdout is not None
    count = int(writer.stdout.read())
    lines = whole(log).splitlines()
    print(f"{count} lines, {count / 10_000 / SECONDS:.0f} MB/s, {rotations} rotations, {kills} killed")
    assert len(lines) == count
    assert all(int(line[:15]) == number for number, line in enumerate(lines))
    assert not [file for file in tmp_path.iterdir() if file.name.endswith(rotate.PARTIAL)]


def test_killed_before_or_after_the_cut_it_is_finished_or_dropped(tmp_path: Path) -> None:
    if not collapses(tmp_path):
        pytest.skip("this file system cannot collapse")
    log = tmp_path / "web.log"
    content = b"".join(b"%07d\n" % number for number in range(5000))
    log.write_bytes(content)
    copy = tmp_path / f"web.log.20260101T000000000000-{len(content)}{rotate.PARTIAL}"
    copy.write_bytes(content[: 4096 * 5])
    assert run(log).wait() == 0
    assert whole(log) == content, "before the cut: the copy is dropped"

    fresh = tmp_path / "other.log"
    fresh.write_bytes(content)
    copy = tmp_path / f"other.log.20260101T000000000000-{len(content)}{rotate.PARTIAL}"
    copy.write_bytes(content[: 4096 * 5])
    with fresh.open("r+b") as file:
        rotate.collapse(file.fileno(), 4096 * 5)
    assert run(fresh).wait() == 0
    assert whole(fresh) == content, "after the cut: the copy gets its name"


def test_old_archives_go_and_a_link_is_refused(tmp_path: Path) -> None:
    if not collapses(tmp_path):
        pytest.skip("this file system cannot collapse")
    log = tmp_path / "web.log"
    for _ in range(4):
        with log.open("ab") as file:
            file.write(b"line\n" * 5000)
        assert run(log, keep=2, compress=True).wait() == 0
    archives = sorted(file.name for file in tmp_path.iterdir() if file.name.startswith("web.log."))
    assert len(archives) == 2
    assert archives[0].endswith(".gz") and not archives[1].endswith(".gz")
    link = tmp_path / "link.log"
    link.symlink_to(log)
    assert run(link).wait() == 1
    other = tmp_path / "hard.log"
    other.hardlink_to(log)
    assert run(other).wait() == 1


def test_a_follower_sees_each_line_once(tmp_path: Path) -> None:
    if not collapses(tmp_path):
        pytest.skip("this file system cannot collapse")
    log = tmp_path / "web.log"
    log.touch()

    async def scene() -> bytes:
        writer = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", WRITER, str(log), "1"], stdout=subprocess.PIPE
        )
        following = log_follow.follow(log, Lines(first=1))
        seen, lines, total = bytearray(), 0, -1
        rotation = run(log, compress=True)
        async for chunk in following:
            seen += chunk
            lines += chunk.count(b"\n")
            if rotation.poll() is not None and writer.poll() is None:
                rotation = run(log, compress=True)
            if writer.poll() is not None and total < 0:
                assert writer.stdout is not None
                total = int(writer.stdout.read())
            if lines == total:
                break
        rotation.wait()
        return bytes(seen)

    seen = asyncio.run(asyncio.wait_for(scene(), 30)).splitlines()
    assert [int(line[:15]) for line in seen] == list(range(len(seen)))
    assert len(list(tmp_path.glob("web.log.2*"))) > 1, "it must have been rotated"


def test_pmond_rotates_what_it_was_told_to(tmp_path: Path) -> None:
    if not collapses(tmp_path):
        pytest.skip("this file system cannot collapse")
    machine = Machine(tmp_path / "machine")
    log = tmp_path / "logs" / "web.log"
    spec = {
        "name": "web",
        "file": sys.executable,
        "args": ["-I", "-S", "-c", WRITER, str(log), "1.5"],
        "log": str(log),
        "restart": {"policy": "never"},
        "log_rotate": {"size": "8MiB", "keep": 1000},
    }
    machine.write_manifest({"web": spec})
    machine.start()
    try:
        until(lambda: machine.rows()["web"]["exit_code"] == 0, "the writer ends", 20.0)
        until(lambda: list(log.parent.glob("web.log.2*")), "it is rotated", 10.0)
        until(lambda: not list(log.parent.glob(f"*{rotate.PARTIAL}")), "the rotation ends", 10.0)
        *lines, count = whole(log).splitlines()  # the writer prints their number at its end
        assert [int(line[:15]) for line in lines] == list(range(int(count)))
    finally:
        machine.act("delete", "web")
        machine.kill()
        machine.start()
        machine.close()
