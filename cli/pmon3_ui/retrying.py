"""When something that has gone away is asked for again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

_PAUSE = 1.0
"""Seconds: pmond is away for less when it is replaced, and a try costs next to nothing."""


async def attempts(pause: float = _PAUSE) -> AsyncIterator[None]:
    """At once, and then with a pause in front of each further one. Only where nobody could tell."""
    while True:
        yield None
        await asyncio.sleep(pause)
