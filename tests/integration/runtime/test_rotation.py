"""Rotation killed between any two of its steps: no reader misses or repeats a byte, then or later."""

from __future__ import annotations

import gzip
import random
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support import rotation
from tests.support.rotation import Steps, run, whole

from pmond.runtime.files import archives
from pmond.runtime.files.log_files import LineRange, LogFile
from pmond.runtime.files.log_position import LogPosition
from pmond.runtime.files.logs import read, read_all
from pmond.runtime.program.doctor import Surroundings, examine

SAME = b"the same line\n" * 300
"""A log that looks the same everywhere: nothing can be told from its content."""


@pytest.fixture(params=["here", "in memory"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    if request.param == "here":
        yield tmp_path
        return
    if not Path("/dev/shm").is_dir():
        pytest.skip("no /dev/shm")
    with tempfile.TemporaryDirectory(dir="/dev/shm") as place:
        yield Path(place)


@pytest.fixture
def log(folder: Path) -> Path:
    if rotation.mechanism(folder) == "none":
        pytest.skip("this file system cannot make holes")
    return folder / "web.log"


@pytest.fixture(params=[False, True], ids=["collapsing", "holes only"])
def holes_only(request: pytest.FixtureRequest, folder: Path) -> bool:
    if not request.param and rotation.mechanism(folder) != "collapse range":
        pytest.skip("this file system cannot collapse")
    return bool(request.param)


@pytest.fixture
def programs() -> Iterator[Steps]:
    steps = Steps()
    yield steps
    steps.close()


class Story:
    """What was written to a log, and readers who began before it was rotated."""

    def __init__(self, log: Path) -> None:
        self.log = log
        self.written = b""
        self.number = 0
        self.write()
        self.file = LogFile(log).open()
        self.begun = LogPosition(LogFile(log), self.file)
        self.caught_up = LogPosition(LogFile(log), self.file)
        self.seen = b"".join(self.caught_up.ahead())
        self.rest = b""

    def write(self, count: int = 2000) -> None:
        text = b"".join(b"%07d\n" % number for number in range(self.number, self.number + count)) + SAME
        self.number += count
        self.written += text
        with self.log.open("ab") as file:
            file.write(text)

    def check(self) -> None:
        """Everything is there once, whoever reads it."""
        assert b"".join(read_all(LogFile(self.log))) == self.written
        for count in (1, 7, 5000):
            lines = self.written.splitlines(keepends=True)[-count:]
            assert b"".join(read(LogFile(self.log), LineRange(last=count))) == b"".join(lines)
        self.seen += b"".join(self.caught_up.ahead())
        assert self.seen == self.written
        self.rest += b"".join(self.begun.ahead())
        assert self.rest == self.written


@pytest.mark.slow
@pytest.mark.parametrize("program", ["rotate", "compress"])
def test_killed_at_any_step_nothing_is_lost_or_repeated(
    log: Path, holes_only: bool, program: str, programs: Steps
) -> None:
    killed, steps = True, 0
    while killed:
        one = log.parent / str(steps) / log.name
        one.parent.mkdir()
        story = Story(one)
        story.rest = b"".join(story.begun.ahead(1000))
        programs.run("rotate", one, holes_only=holes_only)
        story.write()
        if program == "compress":
            programs.run("rotate", one, holes_only=holes_only)
        killed = programs.run(program, one, steps, holes_only)
        story.write(10)
        story.check()
        assert not programs.run(program, one, holes_only=holes_only)
        story.check()
        assert not programs.run("rotate", one, holes_only=holes_only)
        assert whole(one) == story.written
        assert not list(one.parent.glob("*.cutting"))
        assert not list(one.parent.glob(".*.partial"))
        steps += 1
    assert steps > (40 if program == "rotate" else 12)


@pytest.mark.slow
def test_killed_again_and_again_nothing_is_lost_or_repeated(
    log: Path, holes_only: bool, programs: Steps
) -> None:
    story, chance = Story(log), random.Random(7)
    for _ in range(60):
        program = chance.choice(["rotate", "rotate", "compress"])
        programs.run(program, log, chance.randrange(80), holes_only)
        story.write(chance.randrange(1200))
        story.check()
    assert run(log) == 0
    assert whole(log) == story.written


@pytest.mark.slow
def test_the_oldest_go_beyond_keep_and_beyond_the_total(log: Path) -> None:
    story = Story(log)
    for _ in range(5):
        story.write(5000)
        story.seen += b"".join(story.caught_up.ahead())
        assert run(log, keep=3) == 0
    assert len(list(log.parent.glob("web.log.2*"))) == 3
    assert story.written.endswith(whole(log))
    assert run(log, keep=100, total=80_000) == 0
    left = [*log.parent.glob("web.log.2*"), log]
    assert len(left) == 2, "two archives of 44 kB do not fit beside the log"
    assert sum(file.stat().st_blocks * 512 for file in left) <= 80_000
    assert story.written.endswith(whole(log))
    story.seen += b"".join(story.caught_up.ahead())
    assert story.seen == story.written, "it had read what was removed"


def test_a_reader_left_behind_by_the_total_goes_on_with_what_is_there(log: Path) -> None:
    story = Story(log)
    story.rest = b"".join(story.begun.ahead(1000))
    for _ in range(3):
        story.write(5000)
        assert run(log, keep=1) == 0
    kept = whole(log)
    assert story.rest + b"".join(story.begun.ahead()) == story.rest + kept


def test_one_archive_by_two_names_is_one(log: Path) -> None:
    story = Story(log)
    assert run(log) == 0
    (archive,) = log.parent.glob("web.log.2*")
    Path(f"{archive}.gz").write_bytes(gzip.compress(archive.read_bytes()))
    story.check()
    assert run(log) == 0
    assert not archive.exists()
    story.check()


def test_a_log_that_was_emptied_in_between_is_not_cut_again(log: Path, programs: Steps) -> None:
    story = Story(log)
    steps = 0
    while not list(log.parent.glob("*.cutting")):
        assert programs.run("rotate", log, steps)
        steps += 1
    fresh = b"fresh line\n" * 5000
    log.write_bytes(fresh)
    assert run(log) == 0
    assert whole(log) == story.written[: len(whole(log)) - len(fresh)] + fresh


def test_a_clock_that_is_set_back_does_not_turn_the_order_round(log: Path) -> None:
    story = Story(log)
    assert run(log) == 0
    (archive,) = log.parent.glob("web.log.2*")
    late = archive.with_name("web.log.29991231T235959999999")
    archive.rename(late)
    with log.with_name(archives.lock_name(log.name)).open("r+b") as lock:
        archives.write_cut(lock.fileno(), archives.Cut("29991231T235959999999", late.stat().st_size))
    story.write()
    assert run(log) == 0
    story.check()


def test_a_link_is_refused(log: Path) -> None:
    log.write_bytes(b"line\n" * 5000)
    link = log.with_name("link.log")
    link.symlink_to(log)
    assert run(link) == 1
    other = log.with_name("hard.log")
    other.hardlink_to(log)
    assert run(other) == 1
    assert log.stat().st_size == 25_000


def test_what_an_archive_cannot_tell_is_left_out_of_the_last_lines(log: Path) -> None:
    story = Story(log)
    assert run(log) == 0
    story.write(100)
    (archive,) = log.parent.glob("web.log.2*")
    archive.rename(f"{archive}.gz")  # damaged: it is not compressed
    text = b"".join(read(LogFile(log), LineRange(last=100_000)))
    assert story.written.endswith(text)
    assert text


def test_doctor_says_how_logs_are_rotated_on_each_file_system(tmp_path: Path, log: Path) -> None:
    around = Surroundings(str(tmp_path), str(tmp_path), frozenset({str(log.parent)}), None, True, "", "", 1)
    told = {check["name"]: check["in_use"] for check in examine(around) if "rotation" in check["name"]}
    assert told.pop("log rotation") == rotation.mechanism(tmp_path)
    if log.parent.stat().st_dev != tmp_path.stat().st_dev:
        assert told.pop(f"log rotation in {log.parent}") == rotation.mechanism(log.parent)
    assert told == {}
