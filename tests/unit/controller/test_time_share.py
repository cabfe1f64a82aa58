"""Work without end has a share of the loop's time and no more."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

import pytest

from pmond.runtime.base import clock
from pmond.runtime.base.time_share import TimeShare


def test_pieces_are_done_in_their_order_and_once() -> None:
    async def story() -> None:
        share = TimeShare(0.5)
        done: list[str] = []
        pieces = {name: partial(done.append, name) for name in "abc"}
        for name in "abcab":
            share.ask(pieces[name])
        while len(done) < 3:
            await asyncio.sleep(0)
        share.ask(pieces["a"])
        while len(done) < 4:
            await asyncio.sleep(0)
        assert done == ["a", "b", "c", "a"]

    asyncio.run(story())


def test_a_piece_that_fails_keeps_no_other_from_its_turn() -> None:
    async def story() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: failed.append(context))
        share = TimeShare(0.5)
        share.ask(fails)
        share.ask(lambda: done.append("other"))
        while not done:
            await asyncio.sleep(0)

    def fails() -> None:
        raise ValueError("of one")

    done: list[str] = []
    failed: list[object] = []
    asyncio.run(story())
    assert len(failed) == 1


def test_after_each_there_is_time_for_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tenth of the time: after a piece of one second nine seconds are for others."""

    async def story() -> None:
        loop = asyncio.get_running_loop()
        monkeypatch.setattr(loop, "call_later", later)
        share = TimeShare(0.1)
        share.ask(piece)
        share.ask(other)
        assert waits == [0.0]
        calls.pop()()
        assert waits == [0.0, pytest.approx(9.0)]

    def later(delay: float, call: Callable[[], None]) -> str:
        waits.append(delay)
        calls.append(call)
        return "a timer"

    def piece() -> None:
        now[0] += 1.0

    def other() -> None:
        pass

    now = [100.0]
    waits: list[float] = []
    calls: list[Callable[[], None]] = []
    monkeypatch.setattr(clock, "now", lambda: now[0])
    asyncio.run(story())
