"""Every way in which people and programs replace a manifest is followed, and taken exactly once."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.support.pmond import Pmond
from tests.support.programs import sleeper
from tests.support.waiting import until

pytestmark = pytest.mark.slow


def text(*names: str) -> str:
    return json.dumps({"processes": [sleeper(name) for name in names]})


def taken(pmond: Pmond) -> int:
    """How many revisions of the manifest were accepted."""
    answer = pmond.ask("GET", f"/v1/history?set=file:{pmond.manifest_file}")
    return len(answer.body) if answer.status == 200 else 0


def follows(pmond: Pmond, *names: str, revision: int) -> None:
    until(lambda: set(pmond.rows()) == set(names), f"the manifest to declare {names}")
    assert taken(pmond) == revision


def rename_over(path: Path, content: str) -> None:
    new = path.with_name(".tmp-42")
    new.write_text(content)
    new.rename(path)


def in_place(path: Path, content: str) -> None:
    path.write_text(content)


def in_two_writes(path: Path, content: str) -> None:
    with path.open("w") as file:
        file.write(content[:20])
        file.flush()
        os.fsync(file.fileno())
        file.write(content[20:])


def through_a_backup(path: Path, content: str) -> None:
    path.rename(f"{path}~")
    path.write_text(content)
    Path(f"{path}~").unlink()


def deleted_and_made_again(path: Path, content: str) -> None:
    path.unlink()
    path.write_text(content)


def by_a_new_link(path: Path, content: str) -> None:
    target = path.with_name(f"target-{len(list(path.parent.iterdir()))}")
    target.write_text(content)
    point(path, target.name)


def point(link: Path, target: str) -> None:
    new = link.with_name(".new-link")
    new.symlink_to(target)
    new.rename(link)


STYLES: list[Callable[[Path, str], None]] = [
    in_place, rename_over, in_two_writes, through_a_backup, deleted_and_made_again, by_a_new_link, in_place,
]  # fmt: skip


def test_a_file(pmond: Pmond) -> None:
    before = taken(pmond)
    for count, style in enumerate(STYLES, 1):
        name = f"{style.__name__}-{count}"
        style(pmond.manifest_file, text(name))
        follows(pmond, name, revision=before + count)


def test_a_half_written_file_is_never_seen(pmond: Pmond) -> None:
    pmond.write(text("a", "b"))
    follows(pmond, "a", "b", revision=1)
    whole = text("a", "b", "c")
    with pmond.manifest_file.open("w") as file:
        file.write(whole[: len(whole) // 2])
        file.flush()
        assert set(pmond.rows()) == {"a", "b"}
        file.write(whole[len(whole) // 2 :])
    follows(pmond, "a", "b", "c", revision=2)
    assert not [event for event in pmond.events() if event["reason"] == "ManifestRejected"]


def manifest_at(pmond: Pmond, path: Path) -> None:
    pmond.manifest_file = path
    pmond.configure()


def test_a_config_map(stopped_pmond: Pmond) -> None:
    pmond = stopped_pmond
    mount = pmond.folder / "mount"
    for version in ("v1", "v2", "v3"):
        (mount / f"..{version}").mkdir(parents=True)
        (mount / f"..{version}" / "app.yaml").write_text(text(version))
    (mount / "..data").symlink_to("..v1")
    (mount / "app.yaml").symlink_to("..data/app.yaml")
    manifest_at(pmond, mount)
    pmond.start()
    follows(pmond, "v1", revision=1)
    point(mount / "..data", "..v2")
    follows(pmond, "v2", revision=2)
    point(mount / "..data", "..v3")
    follows(pmond, "v3", revision=3)


def test_a_release_folder(stopped_pmond: Pmond) -> None:
    pmond = stopped_pmond
    for release in ("r1", "r2"):
        (pmond.folder / release / "etc").mkdir(parents=True)
        (pmond.folder / release / "etc" / "app.yaml").write_text(text(release))
    (pmond.folder / "current").symlink_to("r1")
    manifest_at(pmond, pmond.folder / "current" / "etc")
    pmond.start()
    follows(pmond, "r1", revision=1)
    point(pmond.folder / "current", "r2")
    follows(pmond, "r2", revision=2)
    (pmond.folder / "r2" / "etc" / "more.yaml").write_text(text("more"))
    follows(pmond, "r2", "more", revision=3)


def test_a_folder_that_is_not_there_yet_and_one_that_is_replaced(stopped_pmond: Pmond) -> None:
    pmond = stopped_pmond
    place = pmond.folder / "late" / "conf"
    manifest_at(pmond, place)
    pmond.start()
    assert pmond.rows() == {}
    made = pmond.folder / "made" / "conf"
    made.mkdir(parents=True)
    (made / "app.yaml").write_text(text("first"))
    made.parent.rename(place.parent)
    follows(pmond, "first", revision=1)
    place.rename(pmond.folder / "old")
    (pmond.folder / "next").mkdir()
    (pmond.folder / "next" / "app.yaml").write_text(text("second"))
    (pmond.folder / "next").rename(place)
    follows(pmond, "second", revision=2)
    (pmond.folder / "old" / "app.yaml").write_text(text("third"))
    (place / "app.yaml").write_text(text("fourth"))
    follows(pmond, "fourth", revision=3)
