"""`pmon3 ui` with a real pmond: what keys do to real processes, and a pmond that is killed under it."""

from __future__ import annotations

import asyncio
import sys

import pytest
from tests.support.pmond import PATIENCE, Pmond
from tests.support.programs import sleeper
from tests.support.terminal import Terminal
from textual.pilot import Pilot
from textual.widgets import Static

from pmon3.client import Client
from pmon3_ui.application import ProcessList, TerminalUI

pytestmark = pytest.mark.slow


async def shows(pilot: Pilot[None], *texts: str) -> None:
    def seen() -> str:
        table = pilot.app.screen_stack[0].query_one(ProcessList)
        head = str(pilot.app.screen_stack[0].query_one("#head", Static).content)
        return "\n".join([head, *(" ".join(map(str, table.get_row(row))) for row in table.rows)])

    async with asyncio.timeout(PATIENCE):
        while not all(text in seen() for text in texts):
            await pilot.pause(0.02)


def test_keys_stop_and_start_and_a_killed_pmond_comes_back(pmond: Pmond) -> None:
    pmond.declare(sleeper("one"), sleeper("two"))
    pmond.until("one", "running")
    pmond.until("two", "running")

    async def story() -> None:
        app = TerminalUI(Client(str(pmond.socket), config_file=str(pmond.config_file)))
        async with app.run_test(size=(80, 24)) as pilot:
            await shows(pilot, "2 processes, 2 running")
            await pilot.press("down", "x", "y")
            await shows(pilot, "1 running", "two stopped")
            await asyncio.to_thread(pmond.kill)
            await shows(pilot, "! trying again", "two stopped")
            await asyncio.to_thread(pmond.start)
            await shows(pilot, "2 processes, 1 running")
            await pilot.press("s", "y")
            await shows(pilot, "2 running", "two running")

    asyncio.run(story())


def test_a_terminal_is_given_back(pmond: Pmond) -> None:
    with Terminal((sys.executable, "-P", "-m", "pmon3", "ui"), pmond.environment) as terminal:
        terminal.until("0 processes")
        terminal.type("\x03")
        assert terminal.ended() == 0
        assert terminal.modes() == terminal.before
