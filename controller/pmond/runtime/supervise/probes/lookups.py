"""Names of hosts and their addresses: asked for beside the loop, since the C library cannot do it within it.

Theory of operation: each name that is asked for has one thread, however many wait for it; who asks in the
meantime waits with them. As many threads at once as the owner of these lookups may have; further names
wait for a place, and are dropped when nobody waits for them any more. A lookup that is under way cannot
be called off: it keeps its thread until the name server answers or the C library gives up, and so no
second one of that name is begun. All but the lookup itself happens in the loop, which owns all state here.

The threads do not hold up the end of pmond, as those of a pool of Python would: a name server that does not
answer, of a domain that anybody may name, would be waited for then.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from contextlib import suppress
from functools import partial

from msgspec import Struct

from pmond.runtime.base.threads import start_thread

_Found = list[str] | OSError


class _Lookup(Struct):
    """One name that somebody waits for, or that is under way."""

    host: str
    found: asyncio.Future[_Found]
    waiting: int = 0
    begun: bool = False


class Lookups:
    """Those of one owner, all in one loop."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._loop = asyncio.get_running_loop()
        self._lookups: dict[str, _Lookup] = {}

    async def addresses_of(self, host: str) -> Sequence[str]:
        """The addresses of a host, each once. Raises OSError."""
        one = self._lookups.get(host)
        if one is None:
            one = self._lookups[host] = _Lookup(host, self._loop.create_future())
            self._begin()
        one.waiting += 1
        try:
            found = await asyncio.shield(one.found)  # others may wait for it too
        finally:
            one.waiting -= 1
            self._drop_unwanted(one)
        if isinstance(found, OSError):
            raise OSError(*found.args)  # one for each who waits: an exception remembers where it was raised
        return found

    def _begin(self) -> None:
        """As many as have a place; those for which the system has no thread fail at once."""
        begun = sum(one.begun for one in self._lookups.values())
        for one in [one for one in self._lookups.values() if not one.begun]:
            if begun >= self._most:
                return
            try:
                start_thread(partial(self._look_up, one.host), "name of a probe")
            except OSError as error:
                self._lookups.pop(one.host).found.set_result(error)
            else:
                one.begun = True
                begun += 1

    def _look_up(self, host: str) -> None:
        """In its thread."""
        try:
            found: _Found = _addresses(host)
        except OSError as error:
            found = error
        except ValueError as error:  # what cannot be a name: an empty label, or one that is too long
            found = OSError(f"{host}: {error}")
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(self._finish, host, found)

    def _finish(self, host: str, found: _Found) -> None:
        self._lookups.pop(host).found.set_result(found)
        self._begin()

    def _drop_unwanted(self, one: _Lookup) -> None:
        if not one.waiting and not one.begun:
            self._lookups.pop(one.host, None)


def _addresses(host: str) -> list[str]:
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(where[0]) for *_, where in found))
