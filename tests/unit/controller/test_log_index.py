"""Marks of a log: what they say of its bytes, whatever is seen of it in whatever order."""

from __future__ import annotations

from bisect import bisect_right

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pmond.runtime.files.log_index import MOST, MOST_RUNS, LogIndex

STEPS = st.lists(st.tuples(st.integers(1, 50), st.floats(0, 10)), max_size=900)


def time_of(times: LogIndex, position: int) -> float | None:
    marks = times.marks
    index = bisect_right([at for at, _ in marks], position)
    return marks[index][1] if index < len(marks) else None


@given(STEPS)
def test_a_byte_is_never_said_to_be_older_than_it_is(steps: list[tuple[int, float]]) -> None:
    times, end, now, written = LogIndex(), 0, 0.0, []
    for length, passed in steps:
        now += passed
        written += [(at, now) for at in range(end, end + length, 7)]
        end += length
        assert times.ended_at(end, now)
    assert len(times.marks) <= MOST
    said = [time_of(times, at) for at, _ in written]
    assert all(one is not None and one >= moment for one, (_, moment) in zip(said, written, strict=True))
    assert said == sorted(said, key=lambda one: one or 0.0)


def test_the_newest_marks_stay_dense_and_older_ones_become_sparse() -> None:
    times = LogIndex()
    for second in range(1, 5001):
        times.ended_at(second * 10, float(second))
    gaps = [b - a for (_, a), (_, b) in zip(times.marks, times.marks[1:], strict=False)]
    assert gaps[-100:] == [1.0] * 100
    assert (times.marks[0], times.marks[-1]) == ((10, 1.0), (50000, 5000.0))
    assert max(gaps) == gaps[0]


def test_what_has_not_grown_is_no_news_and_what_was_cut_is_begun_anew() -> None:
    times = LogIndex()
    assert (times.ended_at(0, 1.0), times.ended_at(10, 2.0), times.ended_at(10, 3.0)) == (False, True, False)
    times.run_began("web", 1, 0)
    assert times.ended_at(4, 9.0)
    assert (times.marks, times.runs) == ([(4, 9.0)], [])


def test_a_clock_that_is_set_back_changes_no_order() -> None:
    times = LogIndex()
    times.ended_at(10, 100.0)
    times.ended_at(20, 50.0)
    assert times.marks == [(10, 100.0), (20, 100.0)]


def test_the_newest_runs_are_known() -> None:
    times = LogIndex()
    for number in range(MOST_RUNS + 5):
        times.run_began("web", number, number * 3)
    assert (len(times.runs), times.runs[-1]) == (MOST_RUNS, ("web", MOST_RUNS + 4, (MOST_RUNS + 4) * 3))


def test_what_was_written_down_is_known_again() -> None:
    before, after = LogIndex(), LogIndex()
    before.ended_at(10, 2.5)
    before.run_began("web", 1, 10)
    after.know(*before.written_down())
    assert (after.marks, after.runs) == (before.marks, before.runs)


@pytest.mark.parametrize("positions", [b"x", b"\x02" + b"\0" * 7 + b"\x01" + b"\0" * 7])
def test_what_cannot_be_is_refused(positions: bytes) -> None:
    with pytest.raises(ValueError, match=r"bytes length|no order"):
        LogIndex().know(positions, b"\0" * 16, [])
