"""Tables and text in a terminal of any width."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.fake_daemon import process

from pmon3.fitting import (
    SHORTEN,
    SHORTEN_LEFT,
    WRAP,
    Column,
    cut,
    shortened,
    shortened_left,
    width,
    wrapped,
)
from pmon3.render import event_table, process_table, property_table
from pmon3.render_plan import plan_text
from pmon3.render_sets import history_text
from pmon3.table import CENTRE, RIGHT, Style, table

TEXT = st.text("ab c日é/1", max_size=40)
COLUMNS = [
    Column("ID", 2, CENTRE, rank=3),
    Column("Name", 5, fit=SHORTEN),
    Column("Path", 4, fit=SHORTEN_LEFT),
    Column("CPU", 4, RIGHT, rank=1),
    Column("Message", 7, fit=WRAP),
]


@given(st.lists(st.tuples(*[TEXT] * 5), max_size=4), st.integers(3, 120))
def test_no_line_is_wider_than_the_terminal(rows: list[tuple[str, ...]], columns: int) -> None:
    text = table(COLUMNS, rows, style=Style(columns=columns))
    lines = text.splitlines()
    assert len({width(line) for line in lines}) == 1 and width(lines[0]) <= columns


@given(st.lists(st.tuples(*[TEXT] * 5), max_size=4))
def test_a_table_that_has_room_is_as_it_is_in_a_pipe(rows: list[tuple[str, ...]]) -> None:
    whole = table(COLUMNS, rows)
    assert table(COLUMNS, rows, style=Style(columns=width(whole.splitlines()[0]))) == whole


@given(TEXT, st.integers(1, 30))
def test_wrapping_loses_nothing(text: str, size: int) -> None:
    lines = wrapped(text, size)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert all(width(line) <= max(size, 2) for line in lines)


@given(TEXT, st.integers(1, 30))
def test_what_is_shortened_says_so(text: str, size: int) -> None:
    for short in (shortened(text, size), shortened_left(text, size)):
        assert width(short) <= size
        assert short == text or "…" in short
    assert text.startswith(cut(text, size)) and width(cut(text, size)) <= size


@pytest.mark.parametrize("columns", [200, 100, 80, 60, 40, 20])
def test_the_tables_of_people_have_room_at_any_width(columns: int) -> None:
    style = Style(columns=columns)
    long = process(103, "a-rather-long-name-of-a-process", "restarting", user="somebody-else")
    plan = {
        "actions": [
            {
                "action": "restart", "name": "web", "causes": [],
                "changes": [
                    {"path": "/args", "before": ["x" * 50], "after": ["y" * 50], "effect": "restart"}
                ],
            }
        ],
        "notes": [], "diagnostics": [], "summary": {"restart": 1},
    }  # fmt: skip
    texts = [
        process_table([long], style),
        property_table([("condition", "Ready: " + "word " * 40), ("log", "/var/log/" + "x" * 90)], style),
        event_table([{"time": "2025-03-04T05:06:07Z", "name": "web", "reason": "ManifestRejected",
                      "message": "m" * 300}], style),
        history_text([{"revision": 8, "time": "2025-03-04T05:06:07Z", "by": "root", "outcome": "done",
                       "summary": {"restart": 299}, "commit": "0" * 40, "message": "why " * 30}], style),
    ]  # fmt: skip
    for text in texts:
        assert max(width(line) for line in text.splitlines()) <= columns
    if columns >= 80:  # a value is never cut off: the terminal itself breaks what is longer
        assert max(width(line) for line in plan_text(plan, style).splitlines()) <= columns
    assert '["' + "x" * 50 + '"]' in plan_text(plan, style)


def test_the_least_telling_columns_go_first() -> None:
    def titles(columns: int) -> list[str]:
        head = process_table([process(1, "web")], Style(columns=columns)).splitlines()[1]
        return [cell.strip() for cell in head.strip("│").split("║")]

    assert titles(80) == ["ID", "Name", "PID", "⟳", "Status", "User", "CPU", "Memory", titles(80)[-1]]
    assert titles(80)[-1].startswith("Date (")
    assert titles(60) == ["ID", "Name", "PID", "⟳", "Status", "CPU", "Memory"]
    assert titles(30)[:2] == ["ID", "Name"] or "Name" in titles(30)
    assert "Status" in titles(30)


def test_a_person_sees_which_zone_a_time_is_in_and_a_script_finds_the_title_of_old() -> None:
    assert "║Date  " in process_table([process(1, "web")])
    assert "║Date (" in process_table([process(1, "web")], Style(columns=200))


def test_wide_has_more_columns() -> None:
    (head,) = process_table([process(1, "web")], Style(), more_columns=True).splitlines()[1:2]
    assert all(title in head for title in ("Set", "Command", "Reason"))
