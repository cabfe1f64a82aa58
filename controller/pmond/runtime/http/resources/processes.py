"""Processes: to look at, to submit, and as manifest data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pmon3_schema.answers import Description, Export, Targets
from pmon3_schema.errors import ErrorCode, PmonError
from pmon3_schema.protocol import Exec
from pmon3_schema.status import ProcessStatus
from pmond.core.model import Intent
from pmond.runtime.base.long_work import cooperative_map
from pmond.runtime.http.call import Call
from pmond.runtime.http.visibility import Visibility
from pmond.runtime.intent.commands import Commands
from pmond.runtime.intent.registry import Registry
from pmond.runtime.views.publishing import Publisher

_EXPORT_ORDERS: dict[str, Callable[[Intent], Any]] = {
    "id": lambda one: one.id,
    "name": lambda one: one.name,
    "created_at": lambda one: one.created_at,
    "updated_at": lambda one: one.updated_at,
    "log": lambda one: one.spec.log,
    "file": lambda one: one.spec.file,
    "process_file": lambda one: one.spec.file,
    "args": lambda one: one.spec.args,
    "user": lambda one: one.spec.user,
    "username": lambda one: one.spec.user,
}


class ProcessResource:
    """Answers about processes; secrets are masked for those who may not see them."""

    def __init__(
        self, registry: Registry, publisher: Publisher, commands: Commands, visibility: Visibility
    ) -> None:
        self._registry = registry
        self._publisher = publisher
        self._commands = commands
        self._visibility = visibility

    async def list_processes(self, call: Call[None]) -> list[ProcessStatus]:
        chosen = self._registry.select(call.selection())
        rows = await self._publisher.rows(chosen, call.query.flag("usage"))
        return await self._visibility.rows(rows, call.peer)

    async def describe(self, call: Call[None]) -> Description:
        found = await self._publisher.describe(self._registry.one(call.path["ref"]))
        return self._visibility.description(found, call.peer)

    async def submit(self, call: Call[Exec]) -> Targets:
        body = call.body
        return {"targets": self._commands.submit(body.spec, body.cwd, call.peer, body.replace)}

    async def export(self, call: Call[None]) -> Export:
        order = call.query.text("order")
        key = _EXPORT_ORDERS.get(order)
        if key is None:
            raise PmonError(
                ErrorCode.BAD_REQUEST,
                f"cannot order by {order!r}: there is no such field",
                f"one of {', '.join(_EXPORT_ORDERS)}",
            )
        visible = self._visibility.specs(call.peer)
        found = sorted(self._registry.select(call.selection(), deleting=False), key=key)
        entries = list({one.entry_name: one for one in reversed(found)}.values())[::-1]
        return {
            "processes": await cooperative_map(entries, lambda one: visible(self._publisher.exported(one)))
        }
