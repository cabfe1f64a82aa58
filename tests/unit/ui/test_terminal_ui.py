"""`pmon3 ui` with keys typed into it, against a pmond that answers from a table."""

from __future__ import annotations

import asyncio
import queue
import sys
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from tests.support.caller import daemon, folders, run
from tests.support.command_line import Run
from tests.support.fake_daemon import CannedAnswer, Chunks, FakeDaemon, process
from textual.pilot import Pilot
from textual.widgets import DataTable, RichLog, Static

from pmon3 import address
from pmon3_schema.errors import ErrorCode, PmonError
from pmon3_ui.application import TerminalUI

pytestmark = pytest.mark.slow

__all__ = ["daemon", "folders", "run"]

PATIENCE = 10.0
Seat = Pilot[None]


class Events:
    """A stream of events that the test feeds."""

    def __init__(self, daemon: FakeDaemon) -> None:
        self._pieces: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        daemon.answers["GET", "/v1/events"] = lambda request: CannedAnswer(Chunks(self._each()))

    def happen(self) -> None:
        self._pieces.put(b"data: {}\n\n")

    def end(self) -> None:
        self._pieces.put(b"")

    def _each(self) -> Iterator[bytes]:
        while piece := self._pieces.get():
            yield piece


@pytest.fixture
def events(daemon: FakeDaemon) -> Iterator[Events]:
    made = Events(daemon)
    yield made
    made.end()


def live(story: Callable[[Seat], Awaitable[None]]) -> None:
    """Run a story at 80 x 24."""

    async def begin() -> None:
        async with TerminalUI(address.connect()).run_test(size=(80, 24)) as pilot:
            await shows(pilot, "web")
            await story(pilot)

    asyncio.run(begin())


def screen(pilot: Seat) -> str:
    """The text of the screen that is on top."""
    lines = []
    for widget in pilot.app.screen.query("*"):
        if isinstance(widget, DataTable):
            lines += ["  ".join(str(cell) for cell in widget.get_row(row)) for row in widget.rows]
        elif isinstance(widget, RichLog):
            lines += [strip.text for strip in widget.lines]
        elif isinstance(widget, Static):
            lines.append(str(widget.content))
    return "\n".join(lines)


async def shows(pilot: Seat, text: str) -> None:
    async with asyncio.timeout(PATIENCE):
        while text not in screen(pilot):
            await pilot.pause(0.01)


def test_what_happens_is_seen_by_one_look_for_each_event(daemon: FakeDaemon, events: Events) -> None:
    async def story(pilot: Seat) -> None:
        daemon.answers["GET", "/v1/processes"] = CannedAnswer([process(1, "web", "failed", reason="why\x07")])
        events.happen()
        await shows(pilot, "failed")
        await shows(pilot, "web: why\\x07")
        assert "1 process, 0 running, 1 not well" in screen(pilot)
        assert sum(request.path == "/v1/processes" for request in daemon.requests) == 2

    live(story)


def test_stopping_asks_first_and_says_a_refusal(
    daemon: FakeDaemon, events: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(TerminalUI, "notify", lambda app, message, **more: said.append(message))
    refusal = PmonError(ErrorCode.FORBIDDEN, "cannot stop web: it is ana's", "ask ana")
    daemon.answers["POST", "/v1/actions/stop"] = CannedAnswer(refusal.to_json(), 403)

    async def story(pilot: Seat) -> None:
        for answer in ("n", "enter", "escape"):
            await pilot.press("x")
            await shows(pilot, "stop web?")
            await pilot.press(answer)
            await shows(pilot, "2 processes")
        assert not daemon.bodies("/v1/actions/stop")
        await pilot.press("x", "y")
        async with asyncio.timeout(PATIENCE):
            while not said:
                await pilot.pause(0.01)
        assert said == ["cannot stop web: it is ana's (ask ana)"]
        assert daemon.bodies("/v1/actions/stop") == [{"refs": ["web"]}]

    live(story)


def test_a_filter_is_typed_kept_and_taken_away(daemon: FakeDaemon, events: Events) -> None:
    async def story(pilot: Seat) -> None:
        await pilot.press("/", "s", "t", "o", "p")
        await shows(pilot, "1 shown  filter: stop")
        await pilot.press("enter", "r")
        await shows(pilot, "restart db?")
        await pilot.press("n", "escape")
        await shows(pilot, "2 processes, 1 running")
        assert "filter:" not in screen(pilot)

    live(story)


def test_a_log_cannot_steer_the_terminal_and_other_screens_come_and_go(
    daemon: FakeDaemon, events: Events
) -> None:
    text = b"one\x1b[2J[bold]\nred\n"
    daemon.answers["GET", "/v1/logs/web"] = CannedAnswer(Chunks([b"0 %d\n" % len(text) + text]))

    async def story(pilot: Seat) -> None:
        await pilot.press("l")
        await shows(pilot, "one\\x1b[2J[bold]")
        await shows(pilot, "pmond has gone away; trying again")
        for key, shown in (("d", "/usr/bin/web"), ("g", "└─ db"), ("question_mark", "Leave ")):
            await pilot.press("escape", key)
            await shows(pilot, shown)
        await pilot.press("q")
        await shows(pilot, "2 processes")

    live(story)
    again = [request for request in daemon.requests if request.path == "/v1/logs/web"]
    assert dict(again[0].query)["lines"] == "200"


def test_a_line_that_never_ends_is_shown_and_not_kept(daemon: FakeDaemon, events: Events) -> None:
    parts = [b"%d %d\n" % (at, 8192) + b"x" * 8192 for at in range(0, 40 * 8192, 8192)]
    daemon.answers["GET", "/v1/logs/web"] = CannedAnswer(Chunks(parts))

    async def story(pilot: Seat) -> None:
        await pilot.press("l")
        await shows(pilot, "x" * 40)

    live(story)


def test_a_pmond_that_goes_away_is_said_and_its_return_noticed(daemon: FakeDaemon, events: Events) -> None:
    async def story(pilot: Seat) -> None:
        answers = dict(daemon.answers)
        daemon.answers.clear()
        events.end()
        await shows(pilot, "! trying again: ")
        assert "web" in screen(pilot)
        daemon.answers = answers
        events.happen()
        await shows(pilot, "2 processes, 1 running")

    live(story)


def test_without_the_extra_it_says_what_to_install(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [one for one in sys.modules if one.startswith("pmon3_ui")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "textual", None)
    ran = run("ui")
    assert ran.code != 0
    assert "textual is not installed (pip install 'pmon3[tui]'" in ran.err


def test_a_pipe_is_no_screen(run: Run) -> None:
    ran: Any = run("ui")
    assert ran.code == 2 and "this is not a terminal" in ran.err
