"""Every way of changing a file, told exactly once (reference table of edit styles)."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
from tests.support.waiting import eventually

from pmond.runtime.files.watch import ChangeNotifier, InotifyNotifier, Touched, Watcher
from pmond.runtime.files.watch_paths import WatchedEntries, places
from pmond.runtime.files.watch_polling import PollingNotifier

Steps = Callable[[Path], None]


class WatcherCalls:
    """A watcher with short times and the calls it made."""

    def __init__(self, paths: list[Path], **options: object) -> None:
        self.calls: list[list[str]] = []
        self.watcher = Watcher(self.calls.append, settle=0.01, most_settle=0.5, **options)  # type: ignore[arg-type]
        self.watcher.watch(paths)

    async def exactly(self, count: int) -> None:
        await eventually(lambda: len(self.calls) >= count, f"{count} changes, seen {self.calls}")
        await self.quiet()
        assert len(self.calls) == count, self.calls

    async def quiet(self) -> None:
        """Let everything that the kernel has queued be read and settle."""
        await eventually(lambda: self.watcher.settled, "the changes to settle")


@asynccontextmanager
async def watching(*paths: Path, **options: object) -> AsyncIterator[WatcherCalls]:
    seen = WatcherCalls(list(paths), **options)
    try:
        yield seen
    finally:
        seen.watcher.close()


def in_place(file: Path) -> None:
    file.write_text(f"{file.read_text()}x")


def atomic_rename(file: Path) -> None:
    new = file.with_name(".tmp")
    new.write_text("replaced")
    new.rename(file)


def delete_and_create(file: Path) -> None:
    file.unlink()
    file.write_text("again")


def like_vim(file: Path) -> None:
    file.rename(f"{file}~")
    file.write_text("saved")
    Path(f"{file}~").unlink()


def same_size_and_time(file: Path) -> None:
    before = file.stat()
    file.write_text("y" * before.st_size)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def link_replaced(file: Path) -> None:
    target = file.with_name("target")
    target.write_text("linked")
    file.unlink()
    file.symlink_to(target)


EDITS = [in_place, atomic_rename, delete_and_create, like_vim, same_size_and_time, link_replaced]


@pytest.mark.parametrize("edit", EDITS)
@pytest.mark.parametrize("folder", [False, True], ids=["file", "folder"])
def test_each_edit_is_told_once(tmp_path: Path, edit: Steps, folder: bool) -> None:
    async def story() -> None:
        file = tmp_path / "p.yaml"
        file.write_text("first")
        async with watching(tmp_path if folder else file) as seen:
            for count in (1, 2, 3):
                edit(file)
                await seen.exactly(count)
            assert seen.calls[0] == [str(tmp_path if folder else file)]

    asyncio.run(story())


def swap_link(link: Path, target: str) -> None:
    new = link.with_name("new-link")
    new.symlink_to(target)
    new.rename(link)


@pytest.mark.parametrize("folder", [False, True], ids=["file", "folder"])
def test_config_map_swap(tmp_path: Path, folder: bool) -> None:
    async def story() -> None:
        for version in ("v1", "v2", "v3"):
            (tmp_path / version).mkdir()
            (tmp_path / version / "p.yaml").write_text(version)
        mount = tmp_path / "mount"
        mount.mkdir()
        (mount / "..data").symlink_to("../v1")
        (mount / "p.yaml").symlink_to("..data/p.yaml")
        async with watching(mount if folder else mount / "p.yaml") as seen:
            swap_link(mount / "..data", "../v2")
            await seen.exactly(1)
            swap_link(mount / "..data", "../v3")
            await seen.exactly(2)
            (tmp_path / "v3" / "p.yaml").write_text("written through the link")
            await seen.exactly(3)
            (tmp_path / "v1" / "p.yaml").write_text("no longer linked")
            await seen.exactly(3)

    asyncio.run(story())


def test_release_folder_swap(tmp_path: Path) -> None:
    async def story() -> None:
        for release in ("r1", "r2"):
            (tmp_path / release / "etc").mkdir(parents=True)
            (tmp_path / release / "etc" / "p.yaml").write_text(release)
        current = tmp_path / "current"
        current.symlink_to("r1")
        async with watching(current / "etc", current / "etc" / "p.yaml") as seen:
            swap_link(current, "r2")
            await seen.exactly(1)
            assert len(seen.calls[0]) == 2
            swap_link(current, str(tmp_path / "r1"))
            await seen.exactly(2)

    asyncio.run(story())


def test_folder_removed_and_made_again(tmp_path: Path) -> None:
    async def story() -> None:
        folder = tmp_path / "conf"
        folder.mkdir()
        (folder / "p.yaml").write_text("one")
        async with watching(folder) as seen:
            (folder / "p.yaml").unlink()
            folder.rmdir()
            await seen.exactly(1)
            folder.mkdir()
            (folder / "p.yaml").write_text("two")
            await seen.exactly(2)
            (folder / "p.yaml").write_text("three")
            await seen.exactly(3)

    asyncio.run(story())


def test_folder_moved_away_is_not_watched_there(tmp_path: Path) -> None:
    async def story() -> None:
        folder = tmp_path / "conf"
        folder.mkdir()
        (folder / "p.yaml").write_text("one")
        async with watching(folder / "p.yaml") as seen:
            folder.rename(tmp_path / "old")
            await seen.exactly(1)
            (tmp_path / "old" / "p.yaml").write_text("elsewhere")
            await seen.exactly(1)

    asyncio.run(story())


def test_missing_path_is_waited_for(tmp_path: Path) -> None:
    async def story() -> None:
        file = tmp_path / "a" / "b" / "p.yaml"
        async with watching(file) as seen:
            file.parent.mkdir(parents=True)
            await seen.quiet()
            assert seen.calls == []
            file.write_text("here")
            await seen.exactly(1)

    asyncio.run(story())


def test_name_that_is_not_utf8(tmp_path: Path) -> None:
    async def story() -> None:
        file = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe.yaml"))
        async with watching(tmp_path, file) as seen:
            file.write_text("one")
            await seen.exactly(1)
            assert seen.calls == [[str(tmp_path), str(file)]]

    asyncio.run(story())


def test_what_changes_nothing_is_not_told(tmp_path: Path) -> None:
    async def story() -> None:
        file = tmp_path / "p.yaml"
        file.write_text("one")
        async with watching(tmp_path) as seen:
            file.read_text()
            (tmp_path / ".p.yaml.swp").write_text("editor")
            (tmp_path / "notes.txt").write_text("not a manifest")
            await seen.quiet()
            assert seen.calls == []

    asyncio.run(story())


def test_change_of_mode_is_told_for_the_caller_to_judge(tmp_path: Path) -> None:
    async def story() -> None:
        file = tmp_path / "p.yaml"
        file.write_text("one")
        async with watching(file) as seen:
            file.chmod(0o600)
            await seen.exactly(1)

    asyncio.run(story())


def test_a_new_file_is_told_when_it_is_whole(tmp_path: Path) -> None:
    async def story() -> None:
        file = tmp_path / "p.yaml"
        found: list[str] = []
        watcher = Watcher(lambda paths: found.append(file.read_text()), settle=0.01, most_settle=2)
        watcher.watch([file])
        with file.open("w") as writer:
            for _ in range(3):
                writer.write("part ")
                writer.flush()
                enough = asyncio.get_running_loop().time() + 0.03
                await eventually(lambda: asyncio.get_running_loop().time() > enough, "three settles")  # noqa: B023
        await eventually(lambda: found, "the new file to be told")
        assert found == ["part part part "]
        watcher.close()

    asyncio.run(story())


@pytest.mark.slow
def test_changes_without_end_are_told_within_the_limit(tmp_path: Path) -> None:
    async def story() -> None:
        file = tmp_path / "p.yaml"
        file.write_text("0")
        calls: list[list[str]] = []
        watcher = Watcher(calls.append, settle=0.2, most_settle=0.25)
        watcher.watch([file])

        def edited_and_told() -> bool:
            file.write_text("x")
            return bool(calls)

        await eventually(edited_and_told, "a change to be told although they do not end")
        watcher.close()

    asyncio.run(story())


def test_sources_can_be_exchanged(tmp_path: Path) -> None:
    async def story() -> None:
        (tmp_path / "a").mkdir()
        (tmp_path / "b").mkdir()
        async with watching(tmp_path / "a" / "p.yaml") as seen:
            seen.watcher.watch([tmp_path / "b" / "p.yaml"])
            (tmp_path / "a" / "p.yaml").write_text("no longer")
            await seen.quiet()
            assert seen.calls == []
            (tmp_path / "b" / "p.yaml").write_text("now")
            await seen.exactly(1)

    asyncio.run(story())


def test_lost_events_are_made_up_for_by_looking(tmp_path: Path) -> None:
    async def story() -> None:
        file = tmp_path / "p.yaml"
        file.write_text("one")
        async with watching(file, notifier=Deaf) as seen:
            file.write_text("two")
            await seen.quiet()
            assert seen.calls == []
            seen.watcher.resync()
            seen.watcher.resync()
            assert seen.calls == [[str(file)]]

    asyncio.run(story())


class Deaf:
    """A notifier that hears nothing."""

    def __init__(self, touched: Touched) -> None:
        pass

    def arm(self, sources: list[str]) -> None:
        pass

    def unread(self) -> bool:
        return False

    def close(self) -> None:
        pass


@pytest.mark.slow
def test_queue_overflow_means_look_again(tmp_path: Path) -> None:
    limit = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    if limit > 20_000:
        pytest.skip("the queue of this system is too long to fill here")

    async def story() -> None:
        file = tmp_path / "p.yaml"
        file.write_text("one")
        async with watching(tmp_path) as seen:
            for number in range(limit // 3 + 100):  # at least three events each
                other = tmp_path / f"{number % 50}.txt"
                other.write_text("")
                other.unlink()
            file.write_text("two")
            await seen.exactly(1)

    asyncio.run(story())


class NoWatchesLeft(InotifyNotifier):
    def arm(self, sources: list[str]) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def none_left(touched: Touched) -> ChangeNotifier:
    raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))


def fast_polling(touched: Touched) -> ChangeNotifier:
    return PollingNotifier(touched, poll=0.05)


@pytest.mark.slow
@pytest.mark.parametrize("broken", [none_left, NoWatchesLeft])
@pytest.mark.parametrize("edit", EDITS)
def test_polling_tells_every_edit(
    tmp_path: Path, broken: Callable[[Touched], ChangeNotifier], edit: Steps
) -> None:
    async def story() -> None:
        file = tmp_path / "p.yaml"
        file.write_text("first")
        why: list[OSError] = []
        async with watching(tmp_path, notifier=broken, fallback=fast_polling, on_fallback=why.append) as seen:
            edit(file)
            await eventually(lambda: len(seen.calls) >= 1, "polling to find the first edit")
            edit(file)
            await eventually(lambda: len(seen.calls) >= 2, "polling to find the second edit")
            assert len(why) == 1

    asyncio.run(story())


@pytest.mark.slow
def test_polling_survives_what_ends_watchfiles(tmp_path: Path) -> None:
    async def story() -> None:
        folder = tmp_path / "conf"
        folder.mkdir()
        async with watching(folder, notifier=fast_polling) as seen:
            Path(os.fsdecode(os.fsencode(folder) + b"/\xff.yaml")).write_text("x")
            await eventually(lambda: len(seen.calls) == 1, "the file whose name is not UTF-8")
            for file in folder.iterdir():
                file.unlink()
            folder.rmdir()
            await eventually(lambda: len(seen.calls) >= 2, "the folder to be gone")
            before = len(seen.calls)
            folder.mkdir()
            (folder / "p.yaml").write_text("again")
            await eventually(lambda: len(seen.calls) > before, "the folder to be back")

    asyncio.run(story())


def test_what_happens_beside_the_way_wakes_nobody(tmp_path: Path) -> None:
    """A manifest below a busy folder such as /tmp costs nothing while it does not change."""
    file = tmp_path / "app" / "conf" / "p.yaml"
    file.parent.mkdir(parents=True)
    file.write_text("a")

    def below(sources: list[str]) -> WatchedEntries:
        """Not /tmp itself: others change modes in it, of which the kernel tells who watches it."""
        found = places(sources)
        found.names = {one: names for one, names in found.names.items() if Path(one).is_relative_to(tmp_path)}
        return found

    async def story() -> None:
        async with watching(file, notifier=partial(InotifyNotifier, find=below)) as seen:
            for number in range(100):
                (tmp_path / f"busy{number}").mkdir()
            assert seen.watcher.settled
            in_place(file)
            await seen.exactly(1)

    asyncio.run(story())


def test_a_folder_far_above_that_moves_away_and_back_is_a_change(tmp_path: Path) -> None:
    file = tmp_path / "app" / "conf" / "p.yaml"
    file.parent.mkdir(parents=True)
    file.write_text("a")

    async def story() -> None:
        async with watching(file) as seen:
            (tmp_path / "app").rename(tmp_path / "aside")
            await seen.exactly(1)
            (tmp_path / "aside").rename(tmp_path / "app")
            await seen.exactly(2)

    asyncio.run(story())
