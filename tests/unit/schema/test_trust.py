"""Who could have put a thing where it is, with real folders."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pmon3_schema.trust import owner_name, stranger

ME = os.geteuid()
AS_ROOT = pytest.mark.skipif(ME != 0, reason="only root can give folders away")


def test_what_belongs_to_the_caller_has_no_stranger(tmp_path: Path) -> None:
    assert stranger(str(tmp_path / "there" / "not"), ME) == ""
    (tmp_path / "a").mkdir()
    (tmp_path / "link").symlink_to("a/../a")
    assert stranger(str(tmp_path / "link" / "pmon3.sock"), ME) == ""


def test_a_folder_that_everybody_may_write_to_is_in_strange_hands(tmp_path: Path) -> None:
    folder = tmp_path / "open"
    folder.mkdir()
    folder.chmod(0o777)
    assert stranger(str(folder / "pmon3.sock"), ME) == f"everybody may write to {folder}"
    assert stranger(str(tmp_path), ME) == ""


def test_links_in_a_circle_come_to_an_end(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    assert "leads nowhere" in stranger(str(tmp_path / "a"), ME)


@AS_ROOT
def test_a_folder_of_somebody_else_is(tmp_path: Path) -> None:
    folder = tmp_path / "nobodys"
    (folder / "inside").mkdir(parents=True)
    os.chown(folder, 65534, 65534)
    assert stranger(str(folder / "inside" / "pmon3.sock"), 0) == f"{folder} belongs to {owner_name(65534)}"
    assert stranger(str(folder / "inside" / "pmon3.sock"), 65534) == ""
    assert stranger(str(folder / "inside" / "pmon3.sock"), 0, [65534]) == ""
    (tmp_path / "mine").symlink_to(folder)
    assert str(folder) in stranger(str(tmp_path / "mine" / "inside"), 0)


@AS_ROOT
@pytest.mark.parametrize("kind", ["folder", "link", "file"])
def test_where_everybody_may_add_things_the_thing_itself_counts(tmp_path: Path, kind: str) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    thing = shared / "pmon3"
    if kind == "folder":
        thing.mkdir()
    elif kind == "link":
        thing.symlink_to("/run")
    else:
        thing.touch()
    assert stranger(str(thing), 0) == ""
    os.chown(thing, 65534, 65534, follow_symlinks=False)
    assert stranger(str(thing), 0) == f"{thing} belongs to {owner_name(65534)}"
    # Up and down again is the same folder.
    assert stranger(f"{shared}/../shared/pmon3", 0) == f"{thing} belongs to {owner_name(65534)}"


@AS_ROOT
def test_a_link_of_somebody_else_is_followed_where_only_root_could_place_it(tmp_path: Path) -> None:
    (tmp_path / "place").mkdir()
    (tmp_path / "link").symlink_to("place")
    os.chown(tmp_path / "link", 65534, 65534, follow_symlinks=False)
    assert stranger(str(tmp_path / "link" / "pmon3.sock"), 0) == ""
