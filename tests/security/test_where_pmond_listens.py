"""M4b: what others put where pmond's socket belongs neither keeps it from starting nor is followed."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.support.pmond import Pmond, temporary_pmond
from tests.support.programs import python
from tests.support.stranger import listening, needs_strangers
from tests.support.waiting import until

pytestmark = [needs_strangers, pytest.mark.slow]

NOBODY = 65534


@pytest.fixture
def pmond() -> Iterator[Pmond]:
    """One that has not been started, and whose socket's folder is for everybody to put things into."""
    with temporary_pmond() as pmond:
        pmond.socket.parent.mkdir()
        pmond.socket.parent.chmod(0o1777)
        yield pmond


def folder(path: Path) -> None:
    path.mkdir()
    (path / "held").touch()  # nobody can remove it without looking into it


def link(path: Path) -> None:
    path.symlink_to("/etc/passwd")


def link_to_nothing(path: Path) -> None:
    path.symlink_to(path.with_name("made"))


def left_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))


def fifo(path: Path) -> None:
    os.mkfifo(path)


THINGS = [folder, link, link_to_nothing, left_socket, fifo, Path.touch]


@pytest.mark.parametrize("put", THINGS)
def test_what_somebody_else_has_put_there_is_moved_aside(pmond: Pmond, put: Callable[[Path], None]) -> None:
    put(pmond.socket)
    os.chown(pmond.socket, NOBODY, NOBODY, follow_symlinks=False)
    kept = pmond.socket.lstat().st_ino
    pmond.start()
    assert pmond.ok("ls")
    assert pmond.socket.is_socket()
    assert pmond.socket.lstat().st_uid == 0
    aside = {entry.lstat().st_ino: str(entry) for entry in pmond.socket.parent.iterdir()}
    assert kept in aside, "nothing is deleted"
    (told,) = [line for line in pmond.journal() if line["event"] == "daemon.moved_aside"]
    assert told["path"] == aside[kept]
    assert not pmond.socket.with_name("made").exists(), "no link is followed"


@pytest.mark.parametrize("put", THINGS)
def test_nor_is_what_stands_where_programs_say_that_they_are_ready(
    pmond: Pmond, put: Callable[[Path], None]
) -> None:
    notify = pmond.socket.with_suffix(".notify")
    put(notify)
    os.chown(notify, NOBODY, NOBODY, follow_symlinks=False)
    pmond.start()
    assert (notify.is_socket(), notify.lstat().st_uid) == (True, 0)
    code = "import os, socket, time; s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\n"
    code += "s.connect(os.environ['NOTIFY_SOCKET']); s.send(b'READY=1'); time.sleep(1000)"
    pmond.declare({**python("told", code), "ready": {"notify": True}})
    pmond.ok("init")


def test_a_stranger_who_listens_there_is_no_other_pmond(pmond: Pmond) -> None:
    with listening(pmond.socket, NOBODY) as stranger:
        pmond.start()
        pmond.ok("exec", "/bin/sleep", "--name", "s", "--env-vars", "DBPASS=hunter2", "--", "1000")
        assert stranger.was_told() == ""


def test_nor_is_one_who_comes_when_the_socket_was_removed(pmond: Pmond) -> None:
    """As cleaners of temporary folders do."""
    pmond.start()
    pmond.socket.unlink()
    with listening(pmond.socket, NOBODY):
        pmond.signal(1)
        until(lambda: pmond.socket.lstat().st_uid == 0, "pmond to listen there again")
        pmond.ok("ls")


def test_a_folder_for_the_socket_is_made_where_somebody_else_had_put_one(pmond: Pmond) -> None:
    shared = pmond.socket.parent
    pmond.config_file.write_text(pmond.config_file.read_text().replace(str(shared), f"{shared}/pmon3"))
    (shared / "pmon3").mkdir()
    os.chown(shared / "pmon3", NOBODY, NOBODY)
    pmond.socket = shared / "pmon3" / "pmon3.sock"
    pmond.start()
    assert (shared / "pmon3").stat().st_uid == 0
    assert pmond.ok("ls")


def test_what_root_has_put_there_is_roots_to_remove(pmond: Pmond) -> None:
    pmond.socket.write_text("keep me")
    assert "not a socket" in pmond.try_start()
    assert pmond.socket.read_text() == "keep me"


def test_of_two_pmonds_the_second_does_not_start(pmond: Pmond) -> None:
    pmond.start()
    with temporary_pmond() as second:
        second.config_file.write_text(pmond.config_file.read_text().replace("/data", "/other"))
        assert "another pmond answers" in second.try_start()
    assert pmond.ok("ls")
