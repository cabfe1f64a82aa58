"""Waiting until processes or a set are as a caller wants them."""

from __future__ import annotations

from pmon3_schema.answers import WaitOutcome
from pmon3_schema.protocol import Wait
from pmond.runtime.http.call import Call
from pmond.runtime.http.visibility import Visibility
from pmond.runtime.views.readable_logs import ReadableLogs
from pmond.runtime.views.set_view import SetView
from pmond.runtime.views.waiter import Waiter


class WaitResource:
    """Answers when it is so, or cannot become so."""

    def __init__(self, waiter: Waiter, logs: ReadableLogs, sets: SetView, visibility: Visibility) -> None:
        self._waiter = waiter
        self._logs = logs
        self._sets = sets
        self._visibility = visibility

    async def wait(self, call: Call[Wait]) -> WaitOutcome:
        body, peer = call.body, call.peer
        found = await self._waiter.wait(
            body, lambda one: self._logs.of(one, peer), lambda: self._sets.set_status(body.set, peer)
        )
        rows = await self._visibility.rows(found["processes"], peer)
        failures = self._visibility.failures(found["failures"], {row["name"]: row for row in rows}, peer)
        return {**found, "processes": rows, "failures": failures}
