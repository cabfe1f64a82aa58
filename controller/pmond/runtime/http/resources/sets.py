"""Sets: what is in force of their sources, their history, and the ways back and around."""

from __future__ import annotations

import asyncio

from pmon3_schema.answers import Applied, Nothing, Revision, Set
from pmon3_schema.errors import ErrorCode, PmonError
from pmon3_schema.protocol import Resume, Rollback, Suspend
from pmond.runtime.http.call import Call
from pmond.runtime.http.visibility import Visibility
from pmond.runtime.intent.ownership import Ownership
from pmond.runtime.intent.rollbacks import RollbackRequest, Rollbacks
from pmond.runtime.intent.sources import Sources
from pmond.runtime.views.set_view import SetView


class SetResource:
    """Answers about sets; where none is named, that of the process config file is meant."""

    def __init__(
        self,
        view: SetView,
        ownership: Ownership,
        sources: Sources,
        rollbacks: Rollbacks,
        visibility: Visibility,
    ) -> None:
        self._view = view
        self._ownership = ownership
        self._sources = sources
        self._rollbacks = rollbacks
        self._visibility = visibility

    async def list_sets(self, call: Call[None]) -> list[Set]:
        return await self._view.all(call.peer)

    async def history(self, call: Call[None]) -> list[Revision]:
        return self._view.history(call.query.text("set") or self._sources.owner, call.query.number("limit"))

    async def suspend(self, call: Call[Suspend]) -> Nothing:
        self._ownership.suspend(call.body.set, call.peer, call.body.reason, call.body.seconds)
        return {}

    async def resume(self, call: Call[Resume]) -> Nothing:
        record = self._ownership.resume(call.body.set, call.peer)
        if record.set_name == self._sources.owner:
            await self._sources.reload()
        return {}

    async def rollback(self, call: Call[Rollback]) -> Applied:
        body = call.body
        if body.to is not None and body.stable:
            why = "cannot roll back: to and stable exclude each other"
            raise PmonError(ErrorCode.BAD_REQUEST, why, "leave one of them out")
        record = self._ownership.controlled("roll back", body.set or self._sources.owner, call.peer)
        request = RollbackRequest(body.to, body.stable, body.dry_run, body.message)
        applied = await self._rollbacks.roll_back(record.set_name, request, call.peer)
        await asyncio.sleep(0)  # to bring thousands in was a turn's work of its own
        plan = await self._visibility.plan(applied.plan, call.peer)
        return {"plan": plan, "targets": applied.targets, "revision": applied.revision}
