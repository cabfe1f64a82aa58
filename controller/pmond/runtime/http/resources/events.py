"""What has happened: the events that are kept, and the new ones as they come."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable, Collection, Sequence
from contextlib import aclosing

from pmon3_schema.answers import Event
from pmon3_schema.errors import ErrorCode, PmonError
from pmond.runtime.access.principal import Principal
from pmond.runtime.http.call import Call
from pmond.runtime.http.messages import Stream
from pmond.runtime.http.visibility import Visibility
from pmond.runtime.intent.registry import Registry
from pmond.runtime.state.store import Store
from pmond.runtime.supervise.bus import Bus
from pmond.runtime.views.publishing import event_json

_MOST_READ = 10_000


class EventResource:
    """Answers from the state file, then from the bus."""

    def __init__(self, registry: Registry, store: Store, bus: Bus, visibility: Visibility) -> None:
        self._visibility = visibility
        self._registry = registry
        self._store = store
        self._bus = bus

    async def events(self, call: Call[None]) -> list[Event] | Stream:
        names, visible = self._names(call.query.texts("ref")), self._visible(call.peer)
        since, limit = call.query.number("since"), call.query.number("limit")
        if call.query.flag("follow"):
            return Stream(self._followed(since, limit, names, visible), "text/event-stream")
        return [visible(event) for event in self._past(since, limit, names)]

    def _visible(self, peer: Principal) -> Callable[[Event], Event]:
        def user_of(name: str) -> str | None:
            one = self._registry.processes.get(name)
            return one.spec.user if one is not None else None

        return self._visibility.events(peer, user_of)

    def _past(self, since: int, limit: int, names: Collection[str] | None) -> list[Event]:
        """The newest `limit` events with an id above `since`, oldest first, of `names` or of all."""
        only = next(iter(names)) if names is not None and len(names) == 1 else None
        kept = [one for one in self._store.events(only, _MOST_READ) if one.id > since]
        found = [event_json(one) for one in kept if names is None or one.name in names]
        return found[-limit:] if limit else []

    async def _followed(
        self, since: int, limit: int, names: Collection[str] | None, visible: Callable[[Event], Event]
    ) -> AsyncGenerator[bytes, None]:
        """The same as server-sent events, then each new one as it happens."""
        # Subscribed before the past is read: nothing falls between the two.
        async with aclosing(self._bus.subscribe()) as live:
            past = self._past(since, limit, names)
            yield b"".join(_server_sent(visible(event)) for event in past)
            last = past[-1]["id"] if past else since
            async for event in live:
                if event["id"] > last and (names is None or event["name"] in names):
                    yield _server_sent(visible(event))

    def _names(self, refs: Sequence[str]) -> set[str] | None:
        """Names that the references mean; a name that is gone may still have a history."""
        if not refs:
            return None
        names: set[str] = set()
        for ref in refs:
            try:
                names.update(one.name for one in self._registry.resolve(ref))
            except PmonError as error:
                if error.code is not ErrorCode.NOT_FOUND:
                    raise
                names.add(ref)
        return names


def _server_sent(event: Event) -> bytes:
    return f"id: {event['id']}\ndata: {json.dumps(event, separators=(',', ':'))}\n\n".encode("ascii")
