"""The runs of a process."""

from __future__ import annotations

from pmon3_schema.status import ProcessRun
from pmond.core.model import NOTHING_SEEN
from pmond.runtime.http.call import Call
from pmond.runtime.intent.registry import Registry
from pmond.runtime.supervise.loop import Loop
from pmond.runtime.views.runs import RunList


class RunResource:
    """Answers from the state file, and with what runs now."""

    def __init__(self, registry: Registry, loop: Loop, runs: RunList) -> None:
        self._registry = registry
        self._loop = loop
        self._runs = runs

    async def runs(self, call: Call[None]) -> list[ProcessRun]:
        limit = call.query.number("limit")
        one = self._registry.one(call.query.text("ref"))
        state = self._loop.observed.get(one.name, NOTHING_SEEN)
        return self._runs.listed(one, state, limit)
