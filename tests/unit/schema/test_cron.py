"""Cron expressions and zones: each local time means one moment, on the days of change too."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pmon3_schema.cron import MACROS, check_cron, check_zone, next_after


def stamp(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def times(expression: str, zone: str, after: str, count: int) -> list[str]:
    found, moment = [], stamp(after)
    for _ in range(count):
        next_one = next_after(expression, zone, moment)
        assert next_one is not None
        moment = next_one
        found.append(datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M"))
    return found


NIGHT = "30 2 * * *"


@pytest.mark.parametrize(
    ("zone", "after", "expected"),
    [
        # Forward: 2:30 is skipped, so it runs at the moment of the change.
        ("Europe/Berlin", "2026-03-28T12:00", ["2026-03-29T01:00", "2026-03-30T00:30"]),
        ("America/New_York", "2026-03-07T12:00", ["2026-03-08T07:00", "2026-03-09T06:30"]),
        # Back: 2:30 comes twice, and it runs at the first.
        ("Europe/Berlin", "2026-10-24T12:00", ["2026-10-25T00:30", "2026-10-26T01:30"]),
        # Changes of half an hour, in the south.
        ("Australia/Lord_Howe", "2026-10-02T16:00", ["2026-10-03T15:30", "2026-10-04T15:30"]),
        ("Australia/Lord_Howe", "2026-04-03T16:00", ["2026-04-04T16:00", "2026-04-05T16:00"]),
        # No change at all.
        ("Asia/Tokyo", "2026-03-28T12:00", ["2026-03-28T17:30", "2026-03-29T17:30"]),
        ("", "2026-03-28T12:00", ["2026-03-29T02:30", "2026-03-30T02:30"]),
    ],
)
def test_a_night_job_runs_each_night_once(zone: str, after: str, expected: list[str], utc: None) -> None:
    assert times(NIGHT, zone, after, 2) == expected


def test_a_day_that_a_zone_leaves_out_is_one_moment() -> None:
    """Samoa went over the date line: there was no 30 December 2011."""
    assert times("0 12 * * *", "Pacific/Apia", "2011-12-29T00:00", 3) == [
        "2011-12-29T22:00", "2011-12-30T10:00", "2011-12-30T22:00",
    ]  # fmt: skip


def test_midnight_may_be_skipped() -> None:
    assert times("@daily", "America/Sao_Paulo", "2018-11-03T12:00", 2) == [
        "2018-11-04T03:00",
        "2018-11-05T02:00",
    ]


def test_what_is_meant_every_ten_minutes_rests_for_the_hour_that_comes_twice() -> None:
    assert times("*/30 * * * *", "Europe/Berlin", "2026-10-25T00:10", 4) == [
        "2026-10-25T00:30", "2026-10-25T02:00", "2026-10-25T02:30", "2026-10-25T03:00",
    ]  # fmt: skip
    assert times("*/30 * * * *", "Europe/Berlin", "2026-10-25T01:10", 1) == ["2026-10-25T02:00"]
    assert times("*/30 * * * *", "Europe/Berlin", "2026-03-29T00:40", 2) == [
        "2026-03-29T01:00",
        "2026-03-29T01:30",
    ]


def test_leap_days_come_in_leap_years() -> None:
    assert times("0 0 29 2 *", "UTC", "2026-01-01T00:00", 2) == ["2028-02-29T00:00", "2032-02-29T00:00"]
    assert times("0 0 29 2 *", "UTC", "2096-03-01T00:00", 1) == ["2104-02-29T00:00"], "2100 is none"


def test_the_day_fields_are_those_of_vixie_cron() -> None:
    assert times("0 0 13 * FRI", "UTC", "2026-01-08T00:00", 3) == [
        "2026-01-09T00:00", "2026-01-13T00:00", "2026-01-16T00:00",
    ]  # fmt: skip
    assert times("0 0 * * 7", "UTC", "2026-01-08T00:00", 1) == ["2026-01-11T00:00"]
    assert times("0 0 1-7 * sun", "UTC", "2026-01-01T00:00", 1) == ["2026-01-02T00:00"]
    assert times("0 0 * feb,MAR *", "UTC", "2026-01-08T00:00", 1) == ["2026-02-01T00:00"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("@reboot", "at_start"),
        ("* * * * * *", "seconds"),
        ("* * * *", "five fields"),
        ("", "five fields"),
        ("@often", "five fields"),
        ("61 * * * *", "minute is wrong"),
        ("* 24 * * *", "hour is wrong"),
        ("*/0 * * * *", "minute is wrong"),
        ("* * * * mun", "day-of-week is wrong"),
        ("0 0 30 2 *", "never comes"),
        ("0 0 31 4,6,9,11 *", "never comes"),
        ("1" * 5000 + " * * * *", "five fields"),
    ],
)
def test_what_is_no_expression_says_why(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        check_cron(text)


@pytest.mark.parametrize("macro", MACROS)
def test_words_are_expressions_in_any_case(macro: str) -> None:
    check_cron(macro.upper())


@pytest.mark.parametrize("name", ["Mars/Olympus", "../../etc/passwd", "/etc/passwd", "a\0b", "Europe", "é"])
def test_what_is_no_zone_says_so(name: str) -> None:
    with pytest.raises(ValueError, match="no time zone"):
        check_zone(name)


@pytest.mark.parametrize("after", [-1e18, 1e18, float("inf"), 253402300799.0, -62135596800.0])
def test_the_ends_of_the_calendar_are_no_error(after: float) -> None:
    next_after("* * * * *", "Europe/Berlin", after)


ZONES = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
    "Africa/Casablanca",
]
EXPRESSIONS = ["* * * * *", "*/7 1-3 * * *", "30 2 * * *", "0 0 1 * *", "15,45 * * * sat,sun"]


@given(st.sampled_from(EXPRESSIONS), st.sampled_from(ZONES), st.floats(1.7e9, 1.9e9), st.floats(0, 1e7))
@settings(max_examples=300, deadline=None)
def test_the_next_time_is_the_first_one_after(expression: str, zone: str, after: float, more: float) -> None:
    """It lies ahead, and no moment before it has another answer: nothing is left out, or comes twice."""
    found = next_after(expression, zone, after)
    assert found is not None and found > after
    between = min(after + more, found - 1e-3)
    assert next_after(expression, zone, max(after, between)) == found
    following = next_after(expression, zone, found)
    assert following is not None and following > found


@pytest.fixture
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine whose own zone is UTC."""
    before = os.environ.get("TZ")
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    assert os.environ.get("TZ") == before
    time.tzset()
