"""From the bytes of a log to lines with times: whatever the pieces are in which they come."""

from __future__ import annotations

import time
from datetime import datetime
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pmon3.log_lines import FrameReader, KnownTimes, LineCutter, LineSearch, parse_moment, shown_time
from pmon3_schema.errors import ErrorCode, PmonError

CONTENT = st.lists(st.sampled_from([b"", b"a", b"bc", b"\xff\0", b"x" * 30]), max_size=12).map(b"\n".join)
CUTS = st.lists(st.integers(0, 200), max_size=6)
NOON = datetime(2026, 3, 4, 12, 0, 0).timestamp()
"""In the zone of this machine."""


def pieces(content: bytes, cuts: list[int]) -> list[tuple[int, bytes]]:
    places = sorted({0, *(cut for cut in cuts if cut < len(content)), len(content)})
    return [(a, content[a:b]) for a, b in pairwise(places)]


def answer(marks: list[tuple[int, float]], runs: list[tuple[int, int]] | None = None) -> KnownTimes:
    return KnownTimes({
        "name": "web", "path": "/web.log",
        "marks": [{"position": at, "time": shown_time(moment, utc=True)} for at, moment in marks],
        "runs": [{"name": "web", "number": number, "position": at} for number, at in runs or []]
        + [{"name": "other", "number": 9, "position": 5}],
    })  # fmt: skip


@given(CONTENT, CUTS, CUTS, st.integers(0, 10**12))
def test_lines_are_those_of_the_file_at_their_places(
    content: bytes, cuts: list[int], splits: list[int], begin: int
) -> None:
    framed = b"".join(b"%d %d\n%b" % (begin + at, len(data), data) for at, data in pieces(content, cuts))
    frames, cutter = FrameReader(), LineCutter()
    found: list[tuple[int | None, bytes]] = []
    for _, data in pieces(framed, splits):
        for position, piece in frames.feed(data):
            found += cutter.feed(position, piece)
    found += cutter.end()
    assert found == lines_of(content, begin)


def lines_of(content: bytes, begin: int) -> list[tuple[int, bytes]]:
    found, at = [], begin
    *whole, rest = content.split(b"\n")
    for line in whole:
        found.append((at, line))
        at += len(line) + 1
    return [*found, (at, rest)] if rest else found


def test_what_is_no_frame_is_told() -> None:
    with pytest.raises(PmonError) as error:
        list(FrameReader().feed(b"<html>" * 40))
    assert error.value.code is ErrorCode.UNREACHABLE


def test_where_a_piece_is_missing_a_line_ends() -> None:
    cutter = LineCutter()
    found = [*cutter.feed(0, b"one\ntw"), *cutter.feed(100, b"o\n"), *cutter.feed(None, b"old\n")]
    assert found == [(0, b"one"), (4, b"tw"), (100, b"o"), (None, b"old")]


def test_the_end_of_a_line_that_began_earlier_is_passed_over() -> None:
    assert list(LineCutter(skip_first=True).feed(7, b"est\nnew\n")) == [(11, b"new")]
    assert list(LineCutter(skip_first=True).feed(7, b"\nnew\n")) == [(8, b"new")]


def test_a_line_has_the_time_by_which_its_beginning_was_there() -> None:
    known = answer([(10, 1.0), (20, 2.0)])
    assert [known.moment_of(at, 99.0) for at in (0, 9, 10, 19, 20, None)] == [1.0, 1.0, 2.0, 2.0, 99.0, None]
    assert [known.begin_of(since) for since in (0.5, 1.0, 1.5, 2.0, 3.0)] == [0, 0, 10, 10, 20]


def test_a_run_ends_where_the_next_begins() -> None:
    known = answer([], [(1, 0), (2, 30), (3, 90)])
    assert (known.run("1"), known.run("3"), known.run("last")) == ((0, 30), (90, None), (90, None))
    with pytest.raises(PmonError, match="runs 1 to 3 are known") as error:
        known.run("9")
    assert error.value.code is ErrorCode.NOT_FOUND
    with pytest.raises(PmonError, match="none is known"):
        answer([]).run("last")


@pytest.mark.parametrize(
    ("patterns", "more", "wanted"),
    [
        ([], {}, ["an error", "ERROR", "fine"]),
        (["error"], {}, ["an error"]),
        (["error"], {"ignore_case": True}, ["an error", "ERROR"]),
        (["error", "^f"], {"invert": True}, ["ERROR"]),
    ],
)
def test_lines_are_searched_without_their_colours(patterns: list[str], more: Any, wanted: list[str]) -> None:
    pattern = LineSearch(patterns, **{"ignore_case": False, "invert": False, **more})
    lines = {"an error": b"\x1b[31man e\x1b[0mrror", "ERROR": b"ERROR", "fine": b"\x1b[1mfine\x1b[0m"}
    assert [name for name, line in lines.items() if pattern.wants(line)] == wanted


def test_a_pattern_that_is_none_is_told() -> None:
    with pytest.raises(PmonError, match="cannot search"):
        LineSearch(["("], ignore_case=False, invert=False)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("10m", NOON - 600), ("1h30m", NOON - 5400), ("2d", NOON - 2 * 86400), ("500ms", NOON - 0.5),
        ("09:30", NOON - 9000), ("9:30:10", NOON - 8990), ("2026-03-04T11:00", NOON - 3600),
        ("2026-03-04 11:00:00", NOON - 3600), ("2026-03-04", NOON - 43200), ("today", NOON - 43200),
        ("yesterday", NOON - 3 * 43200), ("1970-01-01T00:00:01Z", 1.0), ("1970-01-01T01:00:00+01:00", 0.0),
    ],
)  # fmt: skip
def test_times_and_how_long_ago(text: str, moment: float) -> None:
    assert parse_moment(text, NOON) == pytest.approx(moment)


@pytest.mark.parametrize("text", ["", "10", "soon", "25:00", "2026-13-01", "9" * 400 + "h", "-5m"])
def test_what_is_no_time_is_told(text: str) -> None:
    with pytest.raises(PmonError) as error:
        parse_moment(text, NOON)
    assert error.value.code is ErrorCode.BAD_REQUEST


def test_times_are_shown_with_milliseconds_and_their_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    try:
        assert shown_time(0.25) == "1970-01-01T01:00:00.250+01:00"
        assert shown_time(0.25, utc=True) == "1970-01-01T00:00:00.250Z"
        assert shown_time(None) is None
    finally:
        monkeypatch.undo()
        time.tzset()
