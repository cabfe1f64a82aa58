"""Which directory entries decide what a path means."""

from __future__ import annotations

import errno
from pathlib import Path

from pmond.runtime.files.watch_paths import places, signature


def test_every_entry_on_the_way_counts_and_nothing_beside_it(tmp_path: Path) -> None:
    file = tmp_path / "conf" / "p.yaml"
    file.parent.mkdir()
    file.write_text("a")
    found = places([str(file)])
    assert found.counts(str(file.parent), "p.yaml") and found.counts(str(tmp_path), "conf")
    assert not found.counts(str(file.parent), "q.yaml") and not found.counts(str(tmp_path), "busy")
    assert str(file.parent) in found.turns and str(tmp_path) not in found.turns


def test_a_chain_of_links_is_followed_to_where_the_bytes_are(tmp_path: Path) -> None:
    """As a ConfigMap is mounted: p.yaml -> ..data/p.yaml, ..data -> ..v1."""
    (tmp_path / "..v1").mkdir()
    (tmp_path / "..v1" / "p.yaml").write_text("a")
    (tmp_path / "..data").symlink_to("..v1")
    (tmp_path / "p.yaml").symlink_to("..data/p.yaml")
    found = places([str(tmp_path / "p.yaml")])
    assert found.names[str(tmp_path)] >= {"p.yaml", "..data", "..v1"}
    assert found.counts(str(tmp_path / "..v1"), "p.yaml")


def test_what_is_missing_is_waited_for_where_its_first_part_would_be(tmp_path: Path) -> None:
    found = places([str(tmp_path / "later" / "p.yaml")])
    assert found.counts(str(tmp_path), "later") and str(tmp_path) in found.turns
    assert str(tmp_path / "later") not in found.names


def test_in_a_folder_each_manifest_counts_and_what_an_editor_leaves_does_not(tmp_path: Path) -> None:
    found = places([str(tmp_path)])
    assert found.counts(str(tmp_path), "new.yaml") and not found.counts(str(tmp_path), ".new.yaml.swp")


def test_a_loop_of_links_has_no_end_and_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    assert places([str(tmp_path / "a")]).counts(str(tmp_path), "b")
    assert signature(str(tmp_path / "a")) == errno.ELOOP
