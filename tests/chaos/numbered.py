"""The numbered lines of the worker that writes: whether each is there, once, across all rotations."""

from __future__ import annotations

import gzip
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from pmond.runtime.files import rotate

_LINE = 33
"""Length of `RUN NUMBER`, twenty and twelve digits. A program that is killed may leave half of one."""


def can_rotate(folder: Path) -> bool:
    """Whether the file system of a folder can cut the beginning of a file off."""
    with (folder / "probe").open("w+b") as file:
        return rotate.can_collapse(file.fileno())


def count(log: Path, wrote: Mapping[int, int]) -> int:
    """How many lines there are, when nobody writes or rotates any more.

    `wrote`: by run, how many lines those wrote that were asked to end. Raises AssertionError when a
    line is missing, repeated or out of order.
    """
    # What a killed rotation left is finished or dropped by the next one.
    subprocess.run([sys.executable, "-I", "-S", rotate.__file__, str(log), "1000000", "0"], check=True)
    expected: dict[int, int] = {}
    for run, number in _lines(log):
        assert number == expected.get(run, 0), f"run {run}: {number} follows {expected.get(run, 0) - 1}"
        expected[run] = number + 1
    for run, lines in wrote.items():
        assert expected.get(run) == lines, f"run {run} wrote {lines} lines, {expected.get(run)} are there"
    return sum(expected.values())


def _lines(log: Path) -> Iterator[tuple[int, int]]:
    """Run and number of each line. Archives and log follow each other in the middle of a line."""
    rest = b""
    for file in [*sorted(log.parent.glob(f"{log.name}.*")), log]:
        content = file.read_bytes()
        lines = (rest + (gzip.decompress(content) if file.suffix == ".gz" else content)).split(b"\n")
        rest = lines.pop()
        for line in lines:
            if len(line) == _LINE:
                run, number = line.split()
                yield int(run), int(number)
