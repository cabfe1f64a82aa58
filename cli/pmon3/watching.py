"""A list that is shown anew whenever something has happened: in place on a terminal, else one by one.

Theory of operation: pmond's stream of events says when to look, so nothing is asked for while nothing
happens; a terminal also sees the figures of processor and memory every other second. Where pmond goes
away, a terminal keeps what was there last and tries again.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

from pmon3 import output, terminal
from pmon3.client import Client, ResponseStream
from pmon3.render import process_table
from pmon3.screen import ESCAPE, QUIT, Screen, fit
from pmon3.table import RED, Style, paint
from pmon3_schema.errors import PmonError

_PAUSE = 2.0
"""Seconds between two looks of a terminal at the figures."""
_AT_MOST_EVERY = 0.2
"""Seconds: a burst of events is one look."""

_AROUND_ROWS = 3
"""Lines of a table above its rows."""

Look = Callable[[], list[dict[str, Any]]]


def watch(client: Client, look: Look, shape: str) -> None:
    """Show the list until the person leaves, or until pmond ends where nobody can. Raises PmonError."""
    if shape in (output.TABLE, output.WIDE) and terminal.is_terminal(sys.stdout):
        _on_screen(client, look, shape)
    else:
        _in_pipe(client, look, shape)


def _in_pipe(client: Client, look: Look, shape: str) -> None:
    stream = _events(client)
    shown = ""
    while True:
        text = _text(look(), shape)
        if text != shown:
            output.write_now(text if not shown or shape == output.JSON else f"\n{text}")
            shown = text
        if stream.receive() is None:
            return
        time.sleep(_AT_MOST_EVERY)


def _text(processes: list[dict[str, Any]], shape: str) -> str:
    if shape == output.JSON:  # one list in each line, for who reads line by line
        return output.json_line(processes)
    return output.text_of(
        processes, shape, lambda style: process_table(processes, style, shape == output.WIDE)
    )


def _on_screen(client: Client, look: Look, shape: str) -> None:
    processes, error = look(), ""
    stream: ResponseStream | None = _events(client)
    key: str | int | None = ""
    with Screen("a list that changes", "leave out --watch, or pipe it") as screen:
        while key not in ("q", "Q", ESCAPE, QUIT):
            screen.draw(_frame(processes, shape, screen.size, error))
            key = screen.key(_PAUSE, *([stream.fileno()] if stream else []))
            try:
                if stream is None:
                    stream = _events(client)
                if key == stream.fileno() and stream.receive() is None:
                    stream = None
                processes, error = look(), ""
            except PmonError as gone:
                stream, error = None, gone.message
    output.emit_processes(processes, shape)


def _events(client: Client) -> ResponseStream:
    return client.stream("/v1/events", [("limit", "0"), ("follow", "1")])


def _frame(processes: list[dict[str, Any]], shape: str, size: tuple[int, int], error: str) -> list[str]:
    """As many rows as have room; at the bottom what else there is, and how to leave."""
    columns, lines = size
    style = Style(output.coloured(), None if shape == output.WIDE else columns)
    rows = process_table(processes, style, shape == output.WIDE).splitlines()
    room = max(1, lines - 1)
    hidden = len(processes) - max(0, room - _AROUND_ROWS)
    more = f"{hidden} more  " if len(rows) > room and hidden > 0 else ""
    foot = f"{time.strftime('%H:%M:%S')}  {more}q ends"
    return [*rows[:room], paint(fit(error, columns), RED) if error else fit(foot, columns)]
