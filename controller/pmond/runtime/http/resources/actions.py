"""The verbs of processes: start, restart, stop, delete, kill, drop, reset."""

from __future__ import annotations

from collections.abc import Callable
from typing import get_args

from pmon3_schema.answers import Targets
from pmon3_schema.errors import ErrorCode, PmonError
from pmon3_schema.protocol import Action, Selection, Verb
from pmond.runtime.access.authority import Authority
from pmond.runtime.http.call import Call, chosen
from pmond.runtime.intent.commands import Commands
from pmond.runtime.intent.registry import Registry
from pmond.runtime.intent.sources import Sources

_WITH_CHANGES = ("start", "restart")
_WITH_FORCE = ("stop", "kill", "delete", "drop")


class ActionResource:
    """Has them carried out."""

    def __init__(
        self,
        registry: Registry,
        commands: Commands,
        sources: Sources,
        authority: Callable[[], Authority],
    ) -> None:
        self._registry = registry
        self._commands = commands
        self._sources = sources
        self._authority = authority

    async def act(self, call: Call[Action]) -> Targets:
        verb, body = call.path["verb"], call.body
        if verb not in get_args(Verb):
            raise PmonError(ErrorCode.BAD_REQUEST, f"cannot act: {verb!r} is not a verb", "see /openapi.json")
        selection = chosen(body, verb)
        if body.changes and verb not in _WITH_CHANGES:
            raise _without_effect(verb, "changes", _WITH_CHANGES)
        if body.force and verb not in _WITH_FORCE:
            raise _without_effect(verb, "force", _WITH_FORCE)
        if verb in {"start", "restart"} and self._authority().is_administrator(call.peer):
            self._declare_missing(selection)
        return {
            "targets": await self._commands.act(verb, selection, call.peer, body.force, body.changes),
        }

    def _declare_missing(self, selection: Selection) -> None:
        """Names that only the process config file knows are taken from it, as the Go pmon3 does."""
        for ref in [ref for ref in selection.refs if not self._is_known(ref)]:
            self._sources.declare(ref)

    def _is_known(self, ref: str) -> bool:
        try:
            return bool(self._registry.resolve(ref))
        except PmonError:
            return False


def _without_effect(verb: str, field: str, verbs: tuple[str, ...]) -> PmonError:
    why = f"cannot {verb}: {verb} takes no {field}"
    return PmonError(ErrorCode.BAD_REQUEST, why, f"{field} goes with {', '.join(verbs)}")
