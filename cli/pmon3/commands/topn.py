"""`topn`: the system's own `top`, with nothing but pmond and what it runs."""

from __future__ import annotations

from typing import Annotated

import typer

from pmon3 import native_top
from pmon3.address import connect
from pmon3.client import Client
from pmon3.screen import ESCAPE, QUIT, Screen
from pmon3_schema.errors import PmonError

_PIECES = 0.05
"""Seconds of silence that end one picture of `top`, which says nothing at its end."""


def command(
    seconds: Annotated[
        int, typer.Option("--seconds", "-s", min=1, max=3600, metavar="N", help="Between two looks.")
    ] = 1,
) -> None:
    """Show pmond and its processes with the system's top.

    s sorts by CPU, and by memory again; Escape or q ends. See also: pmon3 top.
    """
    client = connect()
    pids = native_top.pids(client)
    with Screen("top", "pmon3 ls prints processes once") as screen, native_top.NativeTop(seconds) as top:
        show(client, screen, top, pids)


def show(client: Client, screen: Screen, top: native_top.NativeTop, pids: set[int]) -> None:
    """Draw each picture as it comes, until the person wants to leave."""
    by_cpu, key = False, None
    while key not in ("q", ESCAPE, QUIT):
        columns, lines = screen.size
        screen.draw(native_top.page(top.picture, pids, by_cpu, columns, lines))
        key = screen.key(3600, top.fileno())
        if key == top.fileno():
            if not top.read(_PIECES):
                return
            pids = _now(client, pids)
        elif key == "s":
            by_cpu = not by_cpu


def _now(client: Client, before: set[int]) -> set[int]:
    try:
        return native_top.pids(client)
    except PmonError:
        return before  # pmond is being restarted perhaps; what it ran is still worth seeing
