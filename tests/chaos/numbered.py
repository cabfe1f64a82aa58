"""The numbered lines of the worker that writes: whether each is there, once, across all rotations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.support import rotation

_LINE = 33
"""Length of `RUN NUMBER`, twenty and twelve digits. A program that is killed may leave half of one."""


def can_rotate(folder: Path) -> bool:
    """Whether files in this folder can have holes."""
    return rotation.mechanism(folder) != "none"


def count(log: Path, wrote: Mapping[int, int]) -> int:
    """How many lines there are, when nobody writes or rotates any more.

    `wrote`: by run, how many lines those wrote that were asked to end. Raises AssertionError when a
    line is missing, repeated or out of order.
    """
    assert rotation.run(log) == 0  # what a killed rotation left is finished by the next one
    expected: dict[int, int] = {}
    for run, number in _lines(log):
        assert number == expected.get(run, 0), f"run {run}: {number} follows {expected.get(run, 0) - 1}"
        expected[run] = number + 1
    for run, lines in wrote.items():
        assert expected.get(run, 0) == lines, f"run {run} wrote {lines} lines, {expected.get(run)} are there"
    return sum(expected.values())


def _lines(log: Path) -> Iterator[tuple[int, int]]:
    """Run and number of each line. Archives and log follow each other in the middle of a line."""
    rest = b""
    for file in rotation.parts(log):
        lines = (rest + file.read()).split(b"\n")
        rest = lines.pop()
        for line in lines:
            if len(line) == _LINE:
                run, number = line.split()
                yield int(run), int(number)
