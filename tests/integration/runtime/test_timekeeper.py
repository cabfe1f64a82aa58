"""When logs were written, seen by looking at them: at no cost while they rest, over whatever rotates them."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.support.waiting import eventually

from pmond.core.actions import Start
from pmond.runtime.base.journal import Journal
from pmond.runtime.files.log_files import LogFile
from pmond.runtime.observers import timekeeper as module
from pmond.runtime.observers.timekeeper import Timekeeper
from pmond.runtime.state.log_times_file import LogTimesFile

pytestmark = pytest.mark.slow


class Folder:
    """Logs of processes, NAME.log each; `moved` is what rotation has taken out of them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.moved = 0
        self.looks = 0

    def paths(self, name: str) -> Sequence[str]:
        return (str(self.path / f"{name}.log"),)

    def end_of(self, name: str, path: str) -> int | None:
        self.looks += 1
        try:
            return self.moved + Path(path).stat().st_size
        except OSError:
            return None


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BETWEEN_LOOKS", 0.02)
    monkeypatch.setattr(module, "SOON", 0.01)
    monkeypatch.setattr(module, "TICK", 0.0)


def keeper(folder: Folder, journal: Journal | None = None) -> Timekeeper:
    return Timekeeper(folder, LogTimesFile(folder.path), journal or Journal())


def write(folder: Folder, text: str, at: float) -> None:
    """More text, as if it had been written then."""
    log = folder.path / "web.log"
    with log.open("a") as file:
        file.write(text)
    os.utime(log, (at, at))


def seen(times: Timekeeper, folder: Folder) -> list[tuple[int, float]]:
    return times.times("web", LogFile(folder.path / "web.log")).marks


def run(story: object) -> None:
    asyncio.run(asyncio.wait_for(story, 20))  # type: ignore[arg-type]


def test_what_is_written_is_noticed_with_the_time_that_the_file_has(tmp_path: Path) -> None:
    folder = Folder(tmp_path)

    async def story() -> None:
        times = keeper(folder)
        write(folder, "one\n", 1000.0)
        times.follow(["web"])
        await eventually(lambda: not times.is_busy, "the log to be left to the kernel")
        looks = folder.looks
        write(folder, "two\n", 2000.0)
        await eventually(lambda: folder.looks > looks, "the kernel to tell")
        assert seen(times, folder) == [(4, 1000.0), (8, 2000.0)]
        times.close()

    run(story())


def test_a_run_begins_where_the_log_ends(tmp_path: Path) -> None:
    folder = Folder(tmp_path)

    async def story() -> None:
        times = keeper(folder)
        assert not times.perform(Start("web", 1, "it is wanted"))
        write(folder, "one\n", 1000.0)
        times.perform(Start("web", 2, "it is wanted"))
        found = times.times("web", LogFile(tmp_path / "web.log"))
        assert found.runs == [("web", 1, 0), ("web", 2, 4)]
        times.close()

    run(story())


def test_a_rotated_log_goes_on_and_another_file_begins_anew(tmp_path: Path) -> None:
    folder = Folder(tmp_path)

    async def story() -> None:
        times = keeper(folder)
        write(folder, "a" * 10, 1000.0)
        assert seen(times, folder) == [(10, 1000.0)]
        os.truncate(tmp_path / "web.log", 2)
        folder.moved = 8
        write(folder, "bb", 2000.0)
        assert seen(times, folder) == [(10, 1000.0), (12, 2000.0)]
        (tmp_path / "web.log").rename(tmp_path / "web.log.1")
        folder.moved = 0
        write(folder, "c", 3000.0)
        assert seen(times, folder) == [(1, 3000.0)]
        (tmp_path / "web.log").unlink()
        with pytest.raises(FileNotFoundError):
            seen(times, folder)
        write(folder, "dd", 500.0)
        assert seen(times, folder) == [(2, 500.0)]
        times.close()

    run(story())


def test_the_next_pmond_knows_it_too_unless_it_is_another_file(tmp_path: Path) -> None:
    folder = Folder(tmp_path)

    async def story() -> None:
        first = keeper(folder)
        first.perform(Start("web", 7, "it is wanted"))
        write(folder, "one\n", 1000.0)
        seen(first, folder)
        first.close()
        write(folder, "two\n", 2000.0)
        second = keeper(folder)
        assert seen(second, folder) == [(4, 1000.0), (8, 2000.0)]
        assert second.times("web", LogFile(tmp_path / "web.log")).runs == [("web", 7, 0)]
        second.close()
        (tmp_path / "web.log").rename(tmp_path / "other")
        write(folder, "three\n", 3000.0)
        third = keeper(folder)
        assert seen(third, folder) == [(6, 3000.0)]
        third.close()

    run(story())


@pytest.mark.parametrize("content", [b"", b"\xff" * 50, b"\x91\x95\xa1x\x92\x01\x02\xc4\x01x\xc4\x00\x90"])
def test_a_file_that_is_damaged_is_as_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "log_times").write_bytes(content)
    folder = Folder(tmp_path)

    async def story() -> None:
        times = keeper(folder)
        write(folder, "one\n", 1000.0)
        assert seen(times, folder) == [(4, 1000.0)]
        times.close()

    run(story())


def test_a_time_to_come_is_not_believed(tmp_path: Path) -> None:
    folder = Folder(tmp_path)

    async def story() -> None:
        times = keeper(folder)
        write(folder, "one\n", 9e9)
        ((_, moment),) = seen(times, folder)
        assert moment < 8e9
        times.close()

    run(story())


def test_logs_of_processes_that_are_gone_are_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Folder(tmp_path)
    monkeypatch.setattr(module, "SAVED_AFTER", 0.01)

    async def story() -> None:
        times = keeper(folder)
        write(folder, "one\n", 1000.0)
        seen(times, folder)
        await eventually((tmp_path / "log_times").exists, "it to be kept")
        monkeypatch.setattr(folder, "paths", lambda name: ())
        write(folder, "two\n", 2000.0)
        seen(times, folder)
        await eventually(lambda: LogTimesFile(tmp_path).read() == [], "it to be forgotten")
        times.close()

    run(story())
