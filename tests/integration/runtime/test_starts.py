"""The notes of starts and stops that are under way."""

from __future__ import annotations

from pathlib import Path

from pmond.core.model import Ending
from pmond.runtime.state.starts import Starts


def test_what_is_noted_is_there_for_the_next_pmond_until_it_is_saved(tmp_path: Path) -> None:
    first = Starts(tmp_path)
    first.note("web", 3)
    first.note("a:b", 1)
    first.note_stop("web", 2, Ending.SUPERSEDED)
    second = Starts(tmp_path)
    assert second.left() == [("web", 3), ("a:b", 1)]
    assert second.stops_left() == {("web", 2): Ending.SUPERSEDED}
    second.saved()
    third = Starts(tmp_path)
    assert (third.left(), third.stops_left()) == ([], {})


def test_lines_that_are_cut_short_or_of_another_kind_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "starts").write_bytes(b"web:1\n:2\nweb\nweb:1:unheard\n\xff:7\nweb:1:unwanted\nweb:9")
    starts = Starts(tmp_path)
    assert starts.left() == [("web", 1), ("\udcff", 7)]
    assert starts.stops_left() == {("web", 1): Ending.UNWANTED}


def test_without_a_folder_nothing_is_noted_and_nothing_fails(tmp_path: Path) -> None:
    starts = Starts(tmp_path / "missing")
    starts.note_stop("web", 2, Ending.UNWANTED)
    starts.saved()
    assert (starts.left(), starts.stops_left()) == ([], {})
