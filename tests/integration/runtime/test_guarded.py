"""Ways that strangers could have laid are not gone, whoever's rights they lead to."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.stranger import needs_strangers

from pmon3_schema.trust import stranger
from pmond.runtime.base.guarded import StrangerError, find, open_folder
from pmond.runtime.base.path_access import PathAccess, Rights
from pmond.runtime.base.regular_files import NotRegular, open_regular
from pmond.runtime.base.thread_rights import acting_as

NOBODY = 65534
OWN = frozenset({0, os.geteuid()})
ALICE = Rights(NOBODY, NOBODY, (NOBODY,))


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that everybody may reach."""
    with tempfile.TemporaryDirectory(prefix="pmon3-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def alices(path: Path) -> Path:
    os.chown(path, NOBODY, NOBODY, follow_symlinks=False)
    return path


def text_at(path: Path, access: PathAccess) -> str:
    with open(open_regular(str(path), access)) as file:  # noqa: PTH123
        return file.read()


def test_a_plain_way_is_gone_and_links_of_the_trusted_are_followed(place: Path) -> None:
    (place / "a" / "b").mkdir(parents=True)
    (place / "a" / "b" / "file").write_text("here")
    (place / "up").symlink_to("a/../a/./b")
    (place / "a" / "root").symlink_to(place / "up" / "file")
    for path in (place / "a" / "b" / "file", place / "up" / "file", place / "a" / "root"):
        with find(path.as_posix(), OWN) as found:
            assert found.is_regular() and os.read(found.open(os.O_RDONLY), 9) == b"here"
    names = os.listdir(folder := open_folder(f"{place}/up", OWN))  # noqa: PTH208
    os.close(folder)
    assert names == ["file"]


def test_what_is_missing_is_a_place_and_folders_are_made_where_they_may(place: Path) -> None:
    with find(f"{place}/new", OWN) as found:
        assert found.status is None
        os.close(found.open(os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o640))
    assert stat.S_IMODE((place / "new").stat().st_mode) == 0o640
    with pytest.raises(FileNotFoundError):
        find(f"{place}/x/y/z", OWN)
    with find(f"{place}/x/y/z", OWN, 0o2750) as found:
        assert found.status is None
    assert stat.S_IMODE((place / "x" / "y").stat().st_mode) == 0o2750


@pytest.mark.parametrize(
    ("path", "error"),
    [("loop", "Too many levels"), ("file/below", "Not a directory"), ("", ""), (".", ""), ("..", "")],
)
def test_ends_that_are_no_places_are_the_errors_of_the_system(place: Path, path: str, error: str) -> None:
    (place / "loop").symlink_to("loop")
    (place / "file").touch()
    if error:
        with pytest.raises(OSError, match=error):
            find(f"{place}/{path}", OWN)
    else:
        with find(f"{place}/{path}", OWN) as found, pytest.raises(IsADirectoryError):
            found.open(os.O_WRONLY)
    with pytest.raises(IsADirectoryError):
        find("/", OWN)


@needs_strangers
@pytest.mark.parametrize("kind", ["folder", "folder above", "link", "shared entry", "open folder"])
def test_what_a_stranger_could_have_put_there_is_refused(place: Path, kind: str) -> None:
    target = place / "target"
    target.mkdir()
    (target / "file").write_text("secret")
    path = place / "way"
    if kind == "folder":
        alices(place / "target")
        path = target / "file"
    elif kind == "folder above":
        path = place / "alice" / "roots" / "file"
        path.parent.mkdir(parents=True)
        path.touch()
        alices(place / "alice")
    elif kind == "link":
        path.symlink_to(target)
        alices(path)
        path /= "file"
    elif kind == "shared entry":
        (place / "tmp").mkdir()
        (place / "tmp").chmod(0o1777)
        path = place / "tmp" / "file"
        path.touch()
        alices(path)
    else:
        target.chmod(0o777)
        path = target / "file"
    with pytest.raises(StrangerError, match="may write to" if kind == "open folder" else "belongs to nobody"):
        find(str(path), OWN)
    if kind != "open folder":
        with find(str(path), {0, NOBODY}) as found:
            assert found.is_regular()


trees: st.SearchStrategy[dict[str, Any]] = st.recursive(
    st.just(dict[str, Any]()),
    lambda below: st.dictionaries(st.sampled_from("abc"), below, min_size=1, max_size=3),
    max_leaves=6,
)
owners = st.sampled_from([0, 0, 0, NOBODY])
modes = st.sampled_from([0o755, 0o755, 0o1777, 0o777, 0o775])


@needs_strangers
@given(st.data())
def test_it_agrees_with_who_could_have_put_it_there(data: st.DataObject) -> None:
    """`trust.stranger` says the same of whole paths, without going them."""
    top = Path(tempfile.mkdtemp(prefix="pmon3-"))
    try:
        tree = data.draw(trees)
        folders = [top]
        for folder in folders:
            below = tree
            for part in folder.relative_to(top).parts:
                below = below[part]
            for name in below:
                (folder / name).mkdir()
                folders.append(folder / name)
        links = []
        for number in range(data.draw(st.integers(0, 3))):
            link = data.draw(st.sampled_from(folders)) / f"link{number}"
            link.symlink_to(data.draw(st.sampled_from(folders)))
            links.append(link)
        for folder in folders[1:]:
            uid = data.draw(owners)
            os.chown(folder, uid, uid)
            folder.chmod(data.draw(modes))
        for link in links:
            os.chown(link, link.parent.stat().st_uid, -1, follow_symlinks=False)
        start = data.draw(st.sampled_from([*folders, *links]))
        path = f"{start}/{data.draw(st.sampled_from(['', 'a', 'b/a', 'file', '../file', 'link0/a']))}"
        try:
            with find(path, {0}):
                why = ""
        except StrangerError as error:
            why = error.strerror or ""
        except OSError:
            return
        judged = stranger(path, 0)
        # A folder at the very end is entered by one of them only.
        assert judged == why or (not why and Path(path).is_dir())
    finally:
        shutil.rmtree(top)


@needs_strangers
def test_files_are_read_with_the_rights_of_their_user(place: Path) -> None:
    secret, own, link = place / "secret", place / "own", place / "link"
    for file, text in ((secret, "root's"), (own, "alice's")):
        file.write_text(text)
        file.chmod(0o600)
    link.symlink_to(secret)
    alices(own)
    alices(link)
    access = PathAccess(ALICE, frozenset({0}))
    assert text_at(own, access) == "alice's"
    for path in (secret, link):
        with pytest.raises(PermissionError):
            text_at(path, access)
    lending = PathAccess(ALICE, frozenset({0}), lends=True)
    assert text_at(secret, lending) == "root's"
    with pytest.raises(StrangerError, match=r"its user may not open it, and root .* belongs to nobody"):
        text_at(link, lending)
    with pytest.raises(StrangerError, match="belongs to root"):
        text_at(secret, lending.for_files_of(frozenset({NOBODY})))
    assert secret.read_text() == "root's", "the rights of pmond are back"


@needs_strangers
def test_no_other_thread_has_them(place: Path) -> None:
    secret = place / "secret"
    secret.write_text("root's")
    secret.chmod(0o600)
    begun, read = threading.Event(), threading.Event()
    found: list[str] = []

    def reads() -> None:
        begun.wait(10)
        found.append(secret.read_text())
        read.set()

    thread = threading.Thread(target=reads)
    thread.start()
    with acting_as(ALICE):
        begun.set()
        assert read.wait(10)
        with pytest.raises(PermissionError):
            secret.read_text()
        assert os.getgroups() == [NOBODY]
    thread.join()
    assert found == ["root's"] == [secret.read_text()]
    assert NOBODY not in os.getgroups()


def test_what_is_no_regular_file_is_not_opened(place: Path) -> None:
    os.mkfifo(place / "fifo")
    for path in ("/dev/null", place / "fifo", place):
        for access in (PathAccess(), PathAccess(guard=OWN)):
            with pytest.raises((NotRegular, OSError), match=r"not a regular file|directory"):
                open_regular(str(path), access)
    with pytest.raises(OSError, match="No such device or address"):  # a reader would be there
        os.open(place / "fifo", os.O_WRONLY | os.O_NONBLOCK)


numbers = st.integers(0, 2**32 - 2)
uids = st.none() | st.frozensets(numbers, max_size=3)


@given(
    st.none() | st.builds(Rights, numbers, numbers, st.lists(numbers, max_size=4)),
    uids, uids, st.booleans(), st.booleans(),
)  # fmt: skip
def test_the_text_of_an_access_is_the_access(
    user: Rights | None,
    guard: frozenset[int] | None,
    owners: frozenset[int] | None,
    lends: bool,
    strict: bool,
) -> None:
    again = PathAccess.decode(PathAccess(user, guard, owners, lends=lends, strict=strict).encode())
    assert (again.guard, again.owners, again.lends, again.strict) == (guard, owners, lends, strict)
    assert (again.user is None) == (user is None)
    if user is not None and again.user is not None:
        assert (user.uid, user.gid, user.groups) == (again.user.uid, again.user.gid, again.user.groups)
