"""Requests to the resources that answer them, and what comes back into answers.

Theory of operation: `Dispatcher.handle` admits the caller, finds the route, reads query and body as the route
declares them, and calls its handler: the method of one resource. Who may do what to which process is checked
below, where the process is known; what is checked here is who may use a route.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Any

from pmon3_schema import protocol
from pmon3_schema.errors import ErrorCode, PmonError
from pmond.runtime.access.authority import Authority, Right, Role
from pmond.runtime.access.principal import Principal
from pmond.runtime.base.long_work import in_thread
from pmond.runtime.http.call import Call
from pmond.runtime.http.long_answers import long_answer
from pmond.runtime.http.messages import Answer, Pending, Request, Response, Stream
from pmond.runtime.http.route import Route, Scope, arguments_of
from pmond.runtime.http.routes import ROUTES, match

_LONG = 64 * 1024
"""Bytes of a body from which on a thread reads it: those of thousands of targets."""


class Dispatcher:
    """The handler of the server: `Server(dispatcher.handle, ...)`.

    `authority` decides who may do what, as config.yml says it now.
    """

    def __init__(
        self,
        resources: Iterable[object],
        authority: Callable[[], Authority],
        refuse: Callable[[Principal], None] = lambda peer: None,
    ) -> None:
        """`refuse` raises PmonError for callers that are answered nothing."""
        self._authority = authority
        self._refuse = refuse
        methods = ((one, member) for one in resources for member in vars(type(one)).values())
        owners = {member: one for one, member in methods if callable(member)}
        self._handlers: dict[str, Callable[[Call[Any]], Awaitable[Any]]] = {
            route.operation: partial(route.handler, owners[route.handler]) for route in ROUTES
        }

    async def handle(self, request: Request) -> Answer:
        """The answer to one request. Raises PmonError when it cannot be done."""
        authority, peer = self._authority(), request.peer
        self._refuse(peer)
        if authority.role(peer) is Role.STRANGER:
            why = f"cannot do that: this pmond does not know {peer.user}"
            raise PmonError(ErrorCode.FORBIDDEN, why, "ask as root, or as that user")
        route, variables = match(request.method, request.path)
        if route.access is Scope.ADMINISTER:
            authority.require(peer, Right.ADMINISTER)
        query = arguments_of(route, request.query)
        call = Call(peer, variables, query, await _body_of(route, request))
        if route.waits:
            return Pending(self._respond(route, call))
        found = await self._handlers[route.operation](call)
        return found if isinstance(found, Stream | Response) else await long_answer(found)

    async def _respond(self, route: Route, call: Call[Any]) -> Response:
        return await long_answer(await self._handlers[route.operation](call))


async def _body_of(route: Route, request: Request) -> protocol.Body | None:
    if route.body is None:
        return None
    if len(request.body) < _LONG:
        return protocol.read_body(route.body, request.body)
    return await in_thread(protocol.read_body, route.body, request.body)
