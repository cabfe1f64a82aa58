"""A writer of 100 MB/s, its log rotated every half second, pmond killed: `python -m tests.chaos.torrent`.

Theory of operation: the writer numbers its lines and paces itself. pmond rotates its log each time
that it looks, compresses what it can, is killed at random moments, and sometimes one of its
programs is. A follower reads along all the while. At the end the archives and the log are read as
plain files: every number must be there, once and in order; and the follower must have seen the same.
"""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.chaos.machine import ChaosMachine
from tests.support import rotation
from tests.support.waiting import until

from pmond.runtime.processes.identity import identify, send_signal

LINE = 1000
"""Bytes of a line: no divisor of a block, so lines are split between files."""
WRITER = """
import sys, time
seconds, rate, log = float(sys.argv[1]), float(sys.argv[2]), open(1, "wb", 0)
rest, number, began = b" " + b"x" * 983 + b"\\n", 0, time.monotonic()
while (passed := time.monotonic() - began) < seconds:
    if number * 1000 > passed * rate:
        time.sleep(0.005)  # the pace
        continue
    log.write(b"".join([b"%015d" % n + rest for n in range(number, number + 1024)]))
    number += 1024
print(f"{number:015} {number / 1000 / passed:.1f}")
"""
FOLLOWER = """
import asyncio, os, sys
from pathlib import Path
from pmond.runtime.files import log_follow
from pmond.runtime.files.log_files import LineRange, LogFile
async def follow():
    rest, number = b"", 0
    async for chunk in log_follow.follow(LogFile(Path(sys.argv[1])), LineRange(first=1)):
        *lines, rest = (rest + chunk).split(b"\\n")
        for line in lines:
            if int(line[:15]) != number:
                sys.exit(f"line {number} is {line[:40]!r}")
            if len(line) < 100:
                sys.exit(0)  # the last one, which says how many
            number += 1
os.nice(5)
asyncio.run(follow())
"""


@dataclass
class TorrentFigures:
    """What a torrent has seen."""

    lines: int = 0
    megabytes_per_second: float = 0.0
    archives: int = 0
    compressed: int = 0
    kills_of_pmond: int = 0
    kills_of_programs: int = 0
    slowest_answer: float = 0.0
    most_megabytes_on_disk: float = 0.0


class Torrent:
    """One writer, one pmond after the other."""

    def __init__(self, folder: Path, logs: Path, seconds: float, rate: float, seed: int) -> None:
        self.machine = ChaosMachine(folder)
        self.log = logs / "web.log"
        self.random = random.Random(seed)
        self.figures = TorrentFigures()
        spec = {
            "name": "web",
            "file": sys.executable,
            "args": ["-I", "-S", "-c", WRITER, str(seconds), str(rate * 1e6)],
            "log": str(self.log),
            "restart": {"policy": "never"},
            "log_rotate": {"size": "1MiB", "keep": 1_000_000},
        }
        self.machine.write_manifest({"web": spec})
        self.log.touch()
        self._follower = subprocess.Popen([sys.executable, "-c", FOLLOWER, str(self.log)])

    def run(self) -> None:
        """Kill until the writer has ended, then count. Raises AssertionError."""
        self.machine.start()
        while not self._ended():
            self._measure()
            time.sleep(self.random.uniform(0.1, 3.0))  # the length of the fuse
            if self.random.random() < 0.3:
                self._kill_programs()
            if self.random.random() < 0.7:
                self.machine.kill()
                self.figures.kills_of_pmond += 1
                self.machine.start()
        until(lambda: self._follower.poll() is not None, "the follower ends", 300.0)
        assert self._follower.returncode == 0
        self.machine.act("delete", "web")
        until(lambda: not self._programs(), "the last program ends", 300.0)
        assert rotation.run(self.log) == 0  # finishes what a killed one has left
        self._count()

    def close(self) -> None:
        """End everything."""
        self._follower.kill()
        self._follower.wait()
        self.machine.close()

    def _ended(self) -> bool:
        return bool(self.machine.rows()["web"]["status"] not in {"queued", "init", "running"})

    def _measure(self) -> None:
        began = time.monotonic()
        self.machine.rows()
        self.figures.slowest_answer = max(self.figures.slowest_answer, time.monotonic() - began)
        taken = 0
        for file in self.log.parent.iterdir():
            with suppress(FileNotFoundError):
                taken += file.stat().st_blocks * 512
        self.figures.most_megabytes_on_disk = max(self.figures.most_megabytes_on_disk, taken / 1e6)

    def _programs(self) -> list[int]:
        """The rotations and compressings of this log, of whichever pmond."""
        found = []
        for process in Path("/proc").iterdir():
            with suppress(OSError):
                command = (process / "cmdline").read_bytes() if process.name.isdigit() else b""
                if b".program(" in command and bytes(self.log) in command:
                    found.append(int(process.name))
        return found

    def _kill_programs(self) -> None:
        for pid in self._programs():
            identity = identify(pid)
            if identity is not None and send_signal(identity, signal.SIGKILL):
                self.figures.kills_of_programs += 1

    def _count(self) -> None:
        """Read all there is, line by line."""
        number, rest, figures = 0, b"", self.figures
        for part in rotation.parts(self.log):
            figures.archives += 1
            while chunk := part.read(1 << 20):
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    assert int(line[:15]) == number, f"line {number} is {line[:40]!r}"
                    number += len(line) == LINE - 1
        assert rest == b""
        figures.archives -= 1
        figures.compressed = len(list(self.log.parent.glob("*.gz")))
        figures.lines, figures.megabytes_per_second = number, float(line.split()[1])
        assert int(line[:15]) == number


def main(seconds: float, rate: float, seed: int, logs: str) -> None:
    """Run one torrent with its log in this folder and print the figures. Raises AssertionError."""
    with (
        tempfile.TemporaryDirectory(prefix="chaos-", ignore_cleanup_errors=True) as folder,
        tempfile.TemporaryDirectory(prefix="logs-", dir=logs or None) as place,
    ):
        torrent = Torrent(Path(folder) / "machine", Path(place), seconds, rate, seed)
        try:
            torrent.run()
        except BaseException:
            print(f"seed {seed}", torrent.machine.journal.read_text()[-20000:], flush=True)
            raise
        finally:
            torrent.close()
        print(f"{'mechanism':22} {rotation.mechanism(Path(place))}")
        for name, value in asdict(torrent.figures).items():
            print(f"{name:22} {value}")


if __name__ == "__main__":
    given = [*sys.argv[1:], *("60", "100", "1", "")[len(sys.argv) - 1 :]]
    main(float(given[0]), float(given[1]), int(given[2]), given[3])
