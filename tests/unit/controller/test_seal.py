"""What proves that a program was started by pmond."""

from __future__ import annotations

import os
from pathlib import Path

from hypothesis import example, given
from hypothesis import strategies as st

from pmond.runtime.processes.seal import Seal
from pmond.runtime.state.seal_key import keep_key

_TEXT = st.text(st.characters(exclude_characters="\0"))
SEAL = Seal(b"k" * 32)


@given(_TEXT, _TEXT)
@example("", "\ud800")
def test_what_was_sealed_is_read_again(marker: str, revision: str) -> None:
    opened = SEAL.open(marker, SEAL.close(marker, revision))
    assert (opened.revision, opened.proven) == (revision, True)


@given(_TEXT, _TEXT, _TEXT)
def test_it_proves_nothing_for_another_marker_or_by_another_key(
    marker: str, other: str, revision: str
) -> None:
    text = SEAL.close(marker, revision)
    if other != marker:
        assert not SEAL.open(other, text).proven
    assert not Seal(b"l" * 32).open(marker, text).proven


@given(_TEXT, st.one_of(_TEXT, st.binary().map(os.fsdecode)))
def test_whatever_somebody_writes_down_is_read_and_proves_nothing(marker: str, text: str) -> None:
    assert not SEAL.open(marker, text).proven


def test_the_key_stays_the_same(tmp_path: Path) -> None:
    assert keep_key(str(tmp_path)) == keep_key(str(tmp_path))


def test_a_key_that_others_could_have_read_or_written_is_none(tmp_path: Path) -> None:
    known, file = keep_key(str(tmp_path)), tmp_path / "key"
    file.chmod(0o640)
    fresh = keep_key(str(tmp_path))
    assert fresh != known and file.stat().st_mode & 0o777 == 0o600
    elsewhere = tmp_path / "elsewhere"
    file.rename(elsewhere)
    file.symlink_to(elsewhere)
    assert keep_key(str(tmp_path)) != fresh and not file.is_symlink()
    for damaged in ("", "00", "x" * 64, "a" * 65):
        file.write_text(damaged)
        assert len(keep_key(str(tmp_path))) == 32


def test_without_a_place_for_it_there_is_one_for_this_time(tmp_path: Path) -> None:
    assert len(keep_key(str(tmp_path / "none"))) == 32
