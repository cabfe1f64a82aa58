"""Reading the files that processes watch: without harm, and without telling what a user may not know."""

from __future__ import annotations

import asyncio
import os
import pwd
import threading
from functools import partial
from pathlib import Path

import pytest
from tests.support.waiting import eventually

from pmond.runtime.base.thread_rights import acting_as
from pmond.runtime.files import watch_trees
from pmond.runtime.files.watch import Watcher
from pmond.runtime.files.watch_thread import Post, WatchThread
from pmond.runtime.files.watch_trees import digest, tree_places
from pmond.runtime.processes.environment import User, find_user


@pytest.fixture
def nobody() -> User:
    if os.geteuid() != 0:
        pytest.skip("only root can read what others may not")
    return find_user("web", "nobody")


def of(path: Path, user: User) -> str:
    with acting_as(user.rights):
        return digest(str(path), ())


def test_a_pipe_is_not_even_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)

    truly_open = os.open

    def refuse(path: str, flags: int) -> int:
        assert flags & os.O_PATH, f"opened {path}"
        return truly_open(path, flags)

    monkeypatch.setattr(os, "open", refuse)
    assert digest(str(pipe), ()) == "-"


def test_what_appears_where_a_user_may_not_look_is_not_told_him(tmp_path: Path, nobody: User) -> None:
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    own = tmp_path / "own"
    own.mkdir()
    (own / "link").symlink_to(private / "file")
    sources = (private, private / "file", private / "file" / "below", own)
    before = [of(path, nobody) for path in sources]
    (private / "file").write_text("secret")
    assert [of(path, nobody) for path in sources] == before
    root = find_user("web", pwd.getpwuid(0).pw_name)
    assert of(private / "file", root) not in before


def test_a_user_is_told_of_what_appears_where_he_may_look(nobody: User) -> None:
    assert of(Path("/etc/none-such"), nobody) == ""
    assert of(Path("/etc/passwd"), nobody) not in ("", "-")


def test_no_more_folders_are_followed_than_are_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(20):
        (tmp_path / f"{number}").mkdir()
    monkeypatch.setattr(watch_trees, "MOST_FILES", 5)
    assert len(tree_places([str(tmp_path)], lambda source: ()).whole) == 5


def test_of_what_takes_too_long_to_read_the_stamp_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch_trees, "MOST_BYTES_TOGETHER", 6)
    for name in ("a", "b", "c"):
        (tmp_path / name).write_text("four")
    before = digest(str(tmp_path), ())
    os.utime(tmp_path / "a", (1, 1))
    assert digest(str(tmp_path), ()) == before
    os.utime(tmp_path / "b", (1, 1))
    assert digest(str(tmp_path), ()) != before


def test_the_loop_goes_on_during_a_long_look(tmp_path: Path) -> None:
    asyncio.run(asyncio.wait_for(go_on_during_a_long_look(tmp_path), 60))


async def go_on_during_a_long_look(tmp_path: Path) -> None:
    looking, go_on, told, changes = threading.Event(), threading.Event(), list[str](), list[list[str]]()

    def look(source: str) -> int:
        looking.set()
        assert go_on.wait(30)
        return len(list(Path(source).iterdir()))

    def make(post: Post) -> Watcher:
        return Watcher(lambda sources: post(partial(changes.append, sources)), look=look)

    thread = WatchThread(make)
    thread.watch([str(tmp_path)], lambda: told.append("watched"))
    await eventually(looking.is_set, "the look to begin")
    await asyncio.sleep(0)
    assert not told
    go_on.set()
    await eventually(lambda: bool(told), "the end of the look")
    (tmp_path / "new.yaml").write_text("")
    thread.resync()
    found: list[int] = []
    thread.read(threading.get_ident, found.append)
    await eventually(lambda: bool(found), "the answer")
    assert found != [threading.get_ident()]
    await eventually(lambda: changes == [[str(tmp_path)]], "the change to be told")
    thread.close()
    thread.resync()  # does nothing
