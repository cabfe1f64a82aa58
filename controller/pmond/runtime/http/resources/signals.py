"""Signals and reloads, which change nothing of what is declared."""

from __future__ import annotations

from collections.abc import Callable

from pmon3_schema.answers import Names
from pmon3_schema.protocol import Choice, SendSignal
from pmond.core.model import Intent
from pmond.runtime.access.authority import Authority, Right
from pmond.runtime.http.call import Call, chosen
from pmond.runtime.intent.process_rights import check_processes
from pmond.runtime.intent.registry import Registry
from pmond.runtime.supervise.signalling import Signalling


class SignalResource:
    """Has programs told. Only who may have them run something else may tell them anything."""

    def __init__(
        self, registry: Registry, signalling: Signalling, authority: Callable[[], Authority]
    ) -> None:
        self._registry = registry
        self._signalling = signalling
        self._authority = authority

    async def signal(self, call: Call[SendSignal]) -> Names:
        told = self._chosen("signal", call)
        self._signalling.signal(told, call.body.signal, whole_tree=call.body.tree, by=call.peer.user)
        return {"names": [one.name for one in told]}

    async def reload(self, call: Call[Choice]) -> Names:
        told = self._chosen("reload", call)
        await self._signalling.reload(told)
        return {"names": [one.name for one in told]}

    def _chosen(self, verb: str, call: Call[Choice] | Call[SendSignal]) -> list[Intent]:
        found = self._registry.select(chosen(call.body, verb))
        check_processes(verb, Right.CHANGE, found, call.peer, self._authority())
        return found
