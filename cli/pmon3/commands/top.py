"""`top`: a live table of processes, each with its whole tree."""

from __future__ import annotations

import os
import time
from enum import StrEnum
from typing import Annotated, Any

import typer

from pmon3 import options, render_top
from pmon3.address import connect
from pmon3.client import Client, Query
from pmon3.names import measured, query
from pmon3.screen import DOWN, ESCAPE, PAGE_DOWN, PAGE_UP, QUIT, UP, Screen
from pmon3_schema.errors import PmonError


class SortKey(StrEnum):
    """What can be sorted by."""

    CPU = "cpu"
    MEMORY = "memory"
    NAME = "name"
    ID = "id"
    RESTARTS = "restarts"


def command(
    references: options.References = None,
    groups: options.Groups = None,
    labels: options.Labels = None,
    seconds: Annotated[
        float, typer.Option("--seconds", "-s", min=0.5, max=3600, metavar="N", help="Between two looks.")
    ] = 2.0,
    order: Annotated[SortKey, typer.Option("--sort", help="What to sort by.")] = SortKey.CPU,
) -> None:
    """Show processes live, with what their whole trees use.

    Keys: c, m, n, i, r sort by CPU, memory, name, id, restarts; press the same key again to
    reverse the order;
    arrows and page keys scroll; q or Escape ends.
    """
    which: Query = []
    if references or groups or labels:
        which = query(options.selection(references, groups, labels))
    client = connect()
    live = Live(client, which, render_top.View(order.value), seconds)
    live.look()  # what cannot be shown at all is said before the screen changes
    with Screen("a live table", "pmon3 ls prints it once") as screen:
        live.run(screen)


class Live:
    """The loop of the view: look, draw, wait for a key or for the next look."""

    def __init__(self, client: Client, which: Query, view: render_top.View, seconds: float) -> None:
        self._client = client
        self._which = which
        self._view = view
        self._seconds = seconds
        self._processes: list[dict[str, Any]] = []

    def look(self) -> None:
        """Ask pmond. Raises PmonError."""
        self._processes = measured(self._client, self._which)

    def run(self, screen: Screen) -> None:
        """Return when the person wants to leave."""
        error = ""
        due = time.monotonic() + self._seconds
        key: str | int | None = ""
        while key not in ("q", "Q", ESCAPE, QUIT):
            if time.monotonic() >= due:
                error = self._try_to_look()
                due = time.monotonic() + self._seconds
            screen.draw(self._frame(screen.size, error))
            key = screen.key(due - time.monotonic())
            self._press(key, screen.size[1])

    def _try_to_look(self) -> str:
        try:
            self.look()
        except PmonError as error:
            return error.message  # what was there last stays on the screen
        return ""

    def _frame(self, size: tuple[int, int], error: str) -> list[str]:
        load = " ".join(f"{value:.2f}" for value in os.getloadavg())
        head = f"pmon3 top - {time.strftime('%H:%M:%S')}  load {load}  {os.uname().nodename}"
        return render_top.frame(self._processes, self._view, size, time.time(), head, error)

    def _press(self, key: str | int | None, lines: int) -> None:
        page = render_top.room(lines)
        moves = {UP: -1, "k": -1, DOWN: 1, "j": 1, PAGE_UP: -page, PAGE_DOWN: page}
        if not isinstance(key, str):
            return
        if key in render_top.KEYS:
            self._view.sort_by(render_top.KEYS[key])
        elif key in moves:
            self._view.scroll(moves[key], len(self._processes), lines)
