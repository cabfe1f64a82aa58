"""The screens of `top` and `topn` as text, and the keys."""

from __future__ import annotations

import re

import pytest
from tests.support.fake_daemon import process

from pmon3 import native_top, render_top, screen, times
from pmon3.fitting import width
from pmon3.render_top import View

NOW = 1741064767.0  # 2025-03-04T05:06:07Z

PROCESSES = [
    process(1, "web", cpu_percent=12.5, memory_bytes=3 << 20, restart_count=2),
    process(2, "db", cpu_percent=80.0, memory_bytes=2 << 30, user="a-user-with-a-long-name"),
    process(3, "a-worker-with-a-name-longer-than-any-column", "stopped"),
    process(4, "日本語のプロセス名がとても長い", cpu_percent=0.1, memory_bytes=500),
]

PICTURE = """top - 04:48:53 up  1:19,  0 user,  load average: 2.82, 2.02, 1.36
Tasks: 118 total

  PID USER      PR  NI    VIRT    RES    SHR S  %CPU  %MEM     TIME+ COMMAND
    1 root      20   0   55092  47820  16684 S   9.0   9.2   0:01.42 init
   12 root      20   0   55092  47820  16684 S   1.0   0.2   0:01.42 pmond
   17 root      20   0    2592   1696   1580 R  22.8   0.1   0:12.11 sh -c x y
   19 root      20   0    2592   1696   1580 R  22.8
""".splitlines()


def plain(lines: list[str]) -> list[str]:
    return [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in lines]


def frame(view: View, columns: int = 80, lines: int = 12, error: str = "") -> list[str]:
    return plain(render_top.frame(PROCESSES, view, (columns, lines), NOW, "head", error))


@pytest.mark.parametrize("columns", [1, 5, 20, 40, 57, 79, 80, 81, 132, 300])
@pytest.mark.parametrize("lines", [1, 2, 4, 5, 12, 50])
def test_a_frame_fills_the_screen_and_no_more(columns: int, lines: int) -> None:
    shown = frame(View(), columns, lines)
    assert len(shown) == lines
    assert all(width(line) <= columns for line in shown), shown


def test_eighty_columns_show_every_column() -> None:
    titles = frame(View())[2]
    assert titles.split() == ["ID", "NAME", "PID", "⟳", "STATUS", "USER", "CPU%▾", "MEMORY", "UP"]
    assert width(titles) == 80


@pytest.mark.parametrize(
    ("keys", "ids"),
    [("c", "2 1 4 3"), ("cc", "3 4 1 2"), ("m", "2 1 4 3"), ("n", "3 2 1 4"), ("nn", "4 1 2 3"),
     ("i", "1 2 3 4"), ("ii", "4 3 2 1"), ("r", "1 2 3 4"), ("mn", "3 2 1 4"), ("ccc", "2 1 4 3")],
)  # fmt: skip
def test_keys_sort_and_turn_round(keys: str, ids: str) -> None:
    view = View("id", True)
    for key in keys:
        view.sort_by(render_top.KEYS[key])
    assert [line.split()[0] for line in frame(view)[3:7]] == ids.split()


def test_scrolling_stays_within_what_there_is() -> None:
    view = View("id")
    view.scroll(100, processes=4, screen_lines=6)
    assert [line.split()[0] for line in frame(view, lines=6)[3:5]] == ["3", "4"]
    view.scroll(-100, processes=4, screen_lines=6)
    assert view.first == 0


def test_an_error_is_shown_above_what_was_there_last() -> None:
    shown = frame(View(), error="cannot reach pmond")
    assert shown[1] == "cannot reach pmond"
    assert "web" in "".join(shown)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (59, "59s"), (60, "1m00s"), (3723, "1h02m"), (93784, "1d02h"), (-5, "0s")],
)
def test_uptime(seconds: int, text: str) -> None:
    assert times.uptime(PROCESSES[0], NOW + seconds) == text
    assert times.uptime(PROCESSES[2], NOW) == "-"


@pytest.mark.parametrize(
    ("typed", "keys"),
    [
        (b"q", ["q"]),
        (b"\x1b", [screen.ESCAPE]),
        (b"\x1b[A\x1b[B\x1bOA", [screen.UP, screen.DOWN, screen.UP]),
        (b"\x1b[5~n", [screen.PAGE_UP, "n"]),
        (b"\x1b[1;5C", [screen.RESIZED]),
        (b"\x03", [screen.QUIT]),
        (b"", [screen.QUIT]),
    ],
)
def test_keys(typed: bytes, keys: list[str]) -> None:
    assert screen.keys(typed) == keys


def test_topn_shows_the_totals_and_only_ours_in_order() -> None:
    by_memory = plain(native_top.page(PICTURE, {12, 17, 19}, False, 60, 20))
    assert by_memory[0] == "Press ESC to quit, (s) to sort by CPU utilization"
    assert by_memory[1:5] == [line[:60] for line in PICTURE[:4]]
    assert [line.split()[0] for line in by_memory[5:]] == ["12", "17"]
    by_cpu = plain(native_top.page(PICTURE, {12, 17}, True, 60, 20))
    assert by_cpu[0] == "Press ESC to quit, (s) to sort by Memory utilization"
    assert [line.split()[0] for line in by_cpu[5:]] == ["17", "12"]
    assert plain(native_top.page([], {12}, False, 20, 5)) == ["Press ESC to quit, ("]
    assert len(native_top.page(PICTURE, {12, 17}, False, 60, 4)) == 4
