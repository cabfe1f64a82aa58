"""Boxed tables: widths, alignment, untrusted text."""

from __future__ import annotations

import re
import unicodedata

from hypothesis import given
from hypothesis import strategies as st
from tests.support.command_line import assert_screen
from tests.support.fake_daemon import process

from pmon3.fitting import Column, width
from pmon3.render import group_table, memory, process_table, property_table
from pmon3.table import CENTRE, RIGHT, Style, table, visible
from pmon3.times import local_time

CELL = st.text(max_size=12)


def test_wide_and_combining_characters_take_their_columns() -> None:
    assert width("web") == 3
    assert width("日本") == 4
    assert width("e\N{COMBINING ACUTE ACCENT}") == 1


def test_control_characters_are_shown_not_sent() -> None:
    assert visible("a\x1b[2Jb\n") == "a\\x1b[2Jb\\n"


@given(st.lists(st.tuples(CELL, CELL, CELL), max_size=6))
def test_every_line_of_a_table_has_the_same_width(rows: list[tuple[str, str, str]]) -> None:
    columns = [Column("ID", 2, CENTRE), Column("Name", 5), Column("CPU", 4, RIGHT)]
    lines = table(columns, rows).splitlines()
    assert len({width(line) for line in lines}) == 1
    assert all(unicodedata.category(character) != "Cc" for line in lines for character in line)


@given(st.lists(st.tuples(CELL, CELL), max_size=4))
def test_colour_changes_nothing_but_colour(rows: list[tuple[str, str]]) -> None:
    columns = [Column("ID", 2, CENTRE, 142), Column("Name", 5)]
    coloured = table(columns, rows, style=Style(coloured=True))
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == table(columns, rows)


def test_the_process_table_has_the_layout_of_the_seed() -> None:
    rows = [
        process(1, "web", updated_at="2025-03-04 05:06:07", memory_bytes=3 * 1024**3, restart_count=12),
        process(2, "データ", "backoff", updated_at="2025-03-04 05:06:07"),
        process(103, "a-rather-long-name", "waiting", updated_at="2025-03-04 05:06:07", user="somebody"),
    ]
    assert_screen("process_table", process_table([row | {"updated_at": "then"} for row in rows]))
    assert_screen(
        "process_table_coloured", process_table([row | {"updated_at": "then"} for row in rows], Style(True))
    )


def test_empty_tables_are_a_closed_header() -> None:
    assert_screen("process_table_empty", process_table([]))
    assert_screen("group_table_empty", group_table([]))


def test_properties_without_a_value_are_left_out_but_never_the_status() -> None:
    text = property_table([("status", ""), ("args", ""), ("name", "web")])
    assert "status" in text and "name" in text and "args" not in text


def test_memory_is_written_as_the_seed_does() -> None:
    written = [memory(size) for size in (0, 1000, 1024, 1536, 1363149, 5 * 1024**3)]
    assert written == ["0.0 MB", "1000", "1024", "1.5 KB", "1.3 MB", "5.0 GB"]


def test_a_time_that_is_none_is_shown_as_it_came() -> None:
    assert local_time(None) == "" and local_time("soon") == "soon"
