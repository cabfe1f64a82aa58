"""Reading and following logs of every shape, through every way of rotating them."""

from __future__ import annotations

import asyncio
import bz2
import gzip
import lzma
import os
import shutil
import subprocess
import sys
import tempfile
import tracemalloc
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.waiting import eventually

from pmon3_schema.errors import ErrorCode, PmonError
from pmond.runtime.base.path_access import PathAccess
from pmond.runtime.files import log_files, logs
from pmond.runtime.files.log_files import LineRange, LogFile, parse_lines
from pmond.runtime.files.log_follow import follow
from pmond.runtime.files.logs import read, read_all, rotated


def test_what_callers_may_ask_for() -> None:
    assert parse_lines("10") == LineRange(last=10)
    assert parse_lines("+5") == LineRange(first=5)
    assert parse_lines("+0") == parse_lines("all") == LineRange()
    for text in ("", "-3", "ten", "1; ls", "+", "9" * 30, "1\n"):
        with pytest.raises(PmonError) as error:
            parse_lines(text)
        assert error.value.code == ErrorCode.BAD_REQUEST


contents = st.lists(st.sampled_from([b"a", b"bcd", b"", b"\0\xff", b"x" * 40]), max_size=12).flatmap(
    lambda lines: st.sampled_from([b"\n".join(lines), b"\n".join([*lines, b""])])
)


@given(contents, st.integers(0, 14), st.integers(1, 9))
def test_lines_are_those_of_the_whole_file(content: bytes, count: int, chunk: int) -> None:
    lines = content.split(b"\n")
    lines = [line + b"\n" for line in lines[:-1]] + [line for line in lines[-1:] if line]
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(log_files, "CHUNK", chunk)
        path = Path(folder, "web.log")
        path.write_bytes(content)
        assert b"".join(read(LogFile(path), LineRange(last=count))) == b"".join(
            lines[max(len(lines) - count, 0) :]
        )
        assert b"".join(read(LogFile(path), LineRange(first=count + 1))) == b"".join(lines[count:])
        assert b"".join(read(LogFile(path), LineRange())) == content


def test_the_end_of_a_huge_file_is_found_without_reading_it(tmp_path: Path) -> None:
    path = tmp_path / "web.log"
    with path.open("wb") as file:
        file.truncate(1 << 40)  # a hole of a terabyte
        file.seek(0, os.SEEK_END)
        file.write(b"\none\ntwo\n")
    assert b"".join(read(LogFile(path), LineRange(last=2))) == b"one\ntwo\n"


def test_an_endless_line_costs_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "web.log"
    path.write_bytes(b"first\n" + b"x" * 10_000_000)
    tracemalloc.start()
    size = sum(len(chunk) for chunk in read(LogFile(path), LineRange(last=1)))
    _now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert size == 10_000_000
    assert peak < 1_000_000


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(PmonError, match="there is no log yet") as error:
        list(read(LogFile(tmp_path / "web.log"), LineRange()))
    assert error.value.code == ErrorCode.NOT_FOUND
    with pytest.raises(PmonError, match="there is no log yet"):
        list(read_all(LogFile(tmp_path / "none" / "web.log")))
    os.mkfifo(tmp_path / "fifo")
    for path in (tmp_path / "fifo", Path("/dev/zero"), tmp_path):
        with pytest.raises(PmonError, match="not a regular file"):
            list(read(LogFile(path), LineRange()))


def test_all_reads_rotated_files_oldest_first(tmp_path: Path) -> None:
    path = tmp_path / "web.log"
    (tmp_path / "web.log.4.gz").write_bytes(gzip.compress(b"oldest\n"))
    (tmp_path / "web.log-20260101.bz2").write_bytes(bz2.compress(b"older\n"))
    (tmp_path / "web.log.2.xz").write_bytes(lzma.compress(b"old\n"))
    (tmp_path / "web.log.1").write_bytes(b"newer\n")
    path.write_bytes(b"newest\n")
    for age, name in enumerate(["web.log.1", "web.log.2.xz", "web.log-20260101.bz2", "web.log.4.gz"]):
        os.utime(tmp_path / name, (1000 - age, 1000 - age))
    (tmp_path / "web.logger.log").write_bytes(b"another process\n")
    (tmp_path / "web.log.swp").write_bytes(b"an editor\n")
    assert b"".join(read_all(LogFile(path))) == b"oldest\nolder\nold\nnewer\nnewest\n"


def test_of_files_without_number_beside_a_log_so_many_are_looked_at(tmp_path: Path) -> None:
    """Whoever owns the folder can make as many as he likes, and each has to be opened."""
    (tmp_path / "web.log").write_bytes(b"now\n")
    for number in range(logs.MOST_ROTATED + 5):
        (tmp_path / f"web.log.{number}").write_bytes(b"then\n")
    assert b"".join(read_all(LogFile(tmp_path / "web.log"))).count(b"then") == logs.MOST_ROTATED


def test_rotated_at_the_same_time_higher_numbers_are_older(tmp_path: Path) -> None:
    for number in (1, 2, 10):
        file = tmp_path / f"web.log.{number}"
        file.write_bytes(b"")
        os.utime(file, (5, 5))
    assert rotated(LogFile(tmp_path / "web.log")) == ["web.log.10", "web.log.2", "web.log.1"]


@pytest.mark.parametrize(
    "content", [b"not gzip", gzip.compress(b"cut short" * 100)[:-20]], ids=["not gzip", "cut short"]
)
def test_a_damaged_archive_does_not_hide_the_others(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "web.log.1.gz").write_bytes(content)
    (tmp_path / "web.log.2.zst").write_bytes(b"?")
    (tmp_path / "web.log").write_bytes(b"newest\n")
    text = b"".join(read_all(LogFile(tmp_path / "web.log")))
    assert b"cannot read web.log.1.gz to its end" in text
    assert b"cannot read web.log.2.zst to its end: its compression is not known" in text
    assert text.endswith(b"newest\n")


TEN = LineRange(last=10)


class Tail:
    """What a follower has told so far."""

    def __init__(self) -> None:
        self.text = b""

    async def shows(self, text: bytes) -> None:
        await eventually(lambda: len(self.text) >= len(text), f"{text!r}, seen {self.text!r}")
        assert self.text == text


@asynccontextmanager
async def following(path: Path, lines: LineRange = TEN) -> AsyncIterator[Tail]:
    tail = Tail()

    async def collect() -> None:
        async for chunk in follow(LogFile(path), lines):
            tail.text += chunk

    task = asyncio.create_task(collect())
    try:
        await asyncio.sleep(0)
        yield tail
        assert not task.done(), task.exception()
    finally:
        task.cancel()
        await asyncio.wait([task])


def add(path: Path, text: bytes) -> None:
    with path.open("ab") as file:
        file.write(text)


def renamed(path: Path) -> None:
    path.rename(f"{path}.1")
    path.touch()


def removed(path: Path) -> None:
    path.unlink()


def cut(path: Path) -> None:
    shutil.copy(path, f"{path}.1")
    os.truncate(path, 0)


def cut_and_grown(path: Path) -> None:
    """Cut, and longer than before by the time that anybody looks: its size does not tell."""
    old = path.read_bytes()
    os.truncate(path, 0)
    path.write_bytes(b"n" * len(old))


@pytest.mark.parametrize("rotate", [renamed, removed, cut])
def test_following_survives_rotation(tmp_path: Path, rotate: Callable[[Path], None]) -> None:
    async def story() -> None:
        path = tmp_path / "web.log"
        path.write_bytes(b"1\n2\n")
        async with following(path, LineRange(last=1)) as tail:
            await tail.shows(b"2\n")
            told = b"2\n"
            for _ in range(3):
                add(path, b"before\n")
                await tail.shows(told := told + b"before\n")
                rotate(path)
                add(path, b"after\n")
                await tail.shows(told := told + b"after\n")

    asyncio.run(story())


def test_a_file_that_was_cut_and_has_grown_is_read_from_its_beginning(tmp_path: Path) -> None:
    async def story() -> None:
        path = tmp_path / "web.log"
        path.write_bytes(b"old text\n")
        async with following(path, LineRange(last=0)) as tail:
            await asyncio.sleep(0)
            cut_and_grown(path)
            await tail.shows(b"n" * 9)

    asyncio.run(story())


def test_what_is_written_to_the_renamed_file_is_followed_too(tmp_path: Path) -> None:
    async def story() -> None:
        path = tmp_path / "web.log"
        with path.open("ab", buffering=0) as process:
            async with following(path) as tail:
                process.write(b"one\n")
                await tail.shows(b"one\n")
                renamed(path)
                process.write(b"two, to the old file\n")
                await tail.shows(b"one\ntwo, to the old file\n")
                add(path, b"three\n")
                await tail.shows(b"one\ntwo, to the old file\nthree\n")

    asyncio.run(story())


def test_a_log_that_does_not_exist_yet_is_waited_for(tmp_path: Path) -> None:
    async def story() -> None:
        path = tmp_path / "logs" / "web.log"
        async with following(path) as tail:
            path.parent.mkdir()
            add(path, b"here\n")
            await tail.shows(b"here\n")
            shutil.rmtree(path.parent)
            path.parent.mkdir()
            add(path, b"again\n")
            await tail.shows(b"here\nagain\n")

    asyncio.run(story())


def test_what_cannot_be_followed_is_said_and_leaves_nothing_open(tmp_path: Path) -> None:
    async def story() -> None:
        before = len(list(Path("/proc/self/fd").iterdir()))
        with pytest.raises(PmonError, match="not a regular file"):
            async for _ in follow(LogFile(tmp_path), LineRange()):
                raise AssertionError("nothing can be read")
        for _ in range(3):
            async with following(tmp_path / "web.log"):
                pass
        assert len(list(Path("/proc/self/fd").iterdir())) == before

    asyncio.run(story())


WRITER = """
import sys
with open(sys.argv[1], "ab", buffering=0) as log:
    for number in range(20000):
        log.write(b"%d\\n" % number)
"""


def test_no_line_of_a_quick_writer_is_lost_or_doubled(tmp_path: Path) -> None:
    async def story() -> None:
        path = tmp_path / "web.log"
        expected = b"".join(b"%d\n" % number for number in range(20000))
        async with following(path) as tail:
            writer = subprocess.Popen([sys.executable, "-I", "-S", "-c", WRITER, str(path)])
            await eventually(lambda: len(tail.text) > 1000, "the writer to begin")
            path.rename(tmp_path / "web.log.1")
            await eventually(lambda: len(tail.text) >= len(expected), "every line")
            assert tail.text == expected
            assert writer.wait() == 0

    asyncio.run(story())


def test_only_files_of_the_owners_are_read(tmp_path: Path) -> None:
    """Whoever chose the path of a log must not be lent the rights of pmond."""
    path = tmp_path / "web.log"
    path.write_bytes(b"now\n")
    with gzip.open(tmp_path / "web.log.1.gz", "wb") as old:
        old.write(b"then\n")
    guard = frozenset({0, os.geteuid()})
    mine, others = (
        LogFile(path, PathAccess(guard=guard, owners=frozenset({uid})))
        for uid in (os.geteuid(), os.geteuid() + 1)
    )
    assert b"".join(read_all(mine)) == b"then\nnow\n"
    assert b"".join(read(mine, LineRange())) == b"now\n"
    for pieces in (read(others, LineRange()), read_all(others)):
        with pytest.raises(PmonError) as error:
            list(pieces)
        assert error.value.code == ErrorCode.FORBIDDEN

    async def followed() -> None:
        async for _ in follow(others, LineRange()):
            raise AssertionError("it was read")

    with pytest.raises(PmonError):
        asyncio.run(followed())
