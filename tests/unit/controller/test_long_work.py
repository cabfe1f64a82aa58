"""Work on thousands of values, without holding up the loop."""

from __future__ import annotations

import asyncio

from pmond.runtime.base import clock
from pmond.runtime.base.long_work import cooperative_map, drained, in_thread

MANY = 20


def test_others_get_their_turns_between_slow_steps_and_the_order_stays() -> None:
    async def story() -> tuple[list[int], int]:
        turns = 0

        async def count() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        def slow(number: int) -> int:
            until = clock.now() + 0.003  # longer than one turn may take
            while clock.now() < until:
                pass
            return -number

        counting = asyncio.create_task(count())
        found = await cooperative_map(range(MANY), slow)
        counting.cancel()
        return found, turns

    found, turns = asyncio.run(story())
    assert found == [-number for number in range(MANY)]
    assert turns >= MANY // 2


def test_what_is_drained_is_let_go_one_by_one() -> None:
    values = [1, 2, 3]
    rest = drained(values)
    assert (next(rest), values) == (1, [3, 2])
    assert (list(rest), values) == ([2, 3], [])


def test_an_error_in_a_thread_is_the_callers() -> None:
    def fail() -> None:
        raise ValueError("no")

    async def story() -> str:
        try:
            await in_thread(fail)
        except ValueError as error:
            return str(error)
        return ""

    assert asyncio.run(story()) == "no"
