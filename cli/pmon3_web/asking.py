"""One request of a browser: who asks, and what he may be given.

Theory of operation: each address of the page is a `PageRoute` with the least role that it takes. `Door` finds
out who asks, refuses or calls what answers, and turns errors of pmond into answers. A request that changes
something and comes with a cookie also needs the session's own text in a header, which no other site can send.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from pmon3.client import Client
from pmon3_schema.errors import ErrorCode, PmonError
from pmon3_web import tokens
from pmon3_web.access import PageRole
from pmon3_web.hub import Hub
from pmon3_web.sessions import Attempts, BrowserSession, Sessions
from pmon3_web.tokens import Token, TokenFile

COOKIE = "pmon3_session"
CSRF_HEADER = "x-pmon3-csrf"
MOST_BODY = 1 << 20
"""Bytes of a request."""
PATIENCE = 10.0
"""Seconds in which the head of a request must have come, and then its body."""
_STATUS_OF = {
    ErrorCode.NOT_FOUND: 404, ErrorCode.CONFLICT: 409, ErrorCode.REFUSED: 403, ErrorCode.FORBIDDEN: 403,
    ErrorCode.UNREACHABLE: 503, ErrorCode.TIMEOUT: 504, ErrorCode.INTERNAL: 500,
}  # fmt: skip


@dataclass
class Page:
    """What all requests share."""

    client: Callable[[], Client]
    file: TokenFile
    hub: Hub
    sessions: Sessions
    attempts: Attempts
    secure: bool = False
    """It is served over TLS."""
    metrics_open: bool = False
    fleeting: tuple[Token, ...] = ()
    """Tokens that end with the page."""
    clock: Callable[[], float] = time.time

    def all_tokens(self) -> tuple[Token, ...]:
        return (*self.fleeting, *self.file.tokens())

    def token_of(self, session: BrowserSession) -> Token | None:
        """The token that a session was begun with, if it is still valid."""
        return self.valid(session.token)

    def valid(self, ident: str) -> Token | None:
        """The token of that id, if there is one that is valid."""
        now = self.clock()
        return next((one for one in self.all_tokens() if one.id == ident and one.is_valid(now)), None)


@dataclass(frozen=True)
class PageRequest:
    """A request, and who has made it."""

    request: Request
    page: Page
    token: Token
    session: BrowserSession | None
    body: Any = None

    @property
    def role(self) -> PageRole:
        return self.token.rank

    def is_still_allowed(self) -> bool:
        """Whether the token is valid, and the session goes on. Raises PmonError."""
        page, now = self.page, self.page.clock()
        name = self.request.cookies.get(COOKIE, "")
        goes_on = self.session is None or page.sessions.find(name, now) is self.session
        return goes_on and page.valid(self.token.id) is not None

    def variable(self, name: str) -> str:
        return str(self.request.path_params[name])

    async def get(self, path: str, query: list[tuple[str, str]] | None = None) -> Any:
        """What pmond answers. Raises PmonError."""
        return await run_in_threadpool(lambda: self.page.client().get(path, query))

    async def post(self, path: str, body: dict[str, Any], timeout: float | None = 30.0) -> Any:
        """The same of a request that changes something."""
        return await run_in_threadpool(lambda: self.page.client().post(path, body, timeout))

    def text(self, key: str) -> str:
        """A text of the body. Raises PmonError."""
        found = self.body.get(key) if isinstance(self.body, dict) else None
        if not isinstance(found, str):
            raise PmonError(ErrorCode.BAD_REQUEST, f"cannot answer: {key!r} must be a text")
        return found


class TooManyAttemptsError(PmonError):
    """Somebody guesses tokens."""


Handler = Callable[[PageRequest], Awaitable[Response]]


@dataclass(frozen=True)
class PageRoute:
    """One address: what answers it, and the least role that it takes."""

    method: str
    path: str
    role: PageRole
    handler: Handler
    is_view: bool = False
    """A page for people: without a session they are led to the form."""


class Door:
    """Who asks, and whether he may."""

    def __init__(self, page: Page, route: PageRoute) -> None:
        self._page = page
        self._route = route

    async def __call__(self, request: Request) -> Response:
        page, route = self._page, self._route
        try:
            token, session = self._who(request)
            if token is None:
                return self._unknown(request)
            if token.rank < route.role:
                raise PmonError(
                    ErrorCode.FORBIDDEN,
                    f"cannot do this: it takes the role {route.role.word}, yours is {token.role}",
                )
            body = None
            if route.method != "GET":
                self._check_origin(request, session)
                body = await _body_of(request)
            return await route.handler(PageRequest(request, page, token, session, body))
        except PmonError as error:
            return problem(error)

    def _who(self, request: Request) -> tuple[Token | None, BrowserSession | None]:
        page, now = self._page, self._page.clock()
        kind, _, shown = request.headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer":
            return check(page, shown.strip(), address_of(request)), None
        session = page.sessions.find(request.cookies.get(COOKIE, ""), now)
        return (page.token_of(session), session) if session is not None else (None, None)

    def _unknown(self, request: Request) -> Response:
        if self._route.is_view:
            return RedirectResponse("/login", 303)
        why = "cannot answer: no valid token was shown"
        answer = problem(
            PmonError(ErrorCode.FORBIDDEN, why, "log in, or send Authorization: Bearer TOKEN"), 401
        )
        answer.headers["www-authenticate"] = "Bearer"
        return answer

    def _check_origin(self, request: Request, session: BrowserSession | None) -> None:
        said = request.headers.get(CSRF_HEADER, "")
        if session is not None and not hmac.compare_digest(said.encode(), session.csrf.encode()):
            why = "cannot do this: the request does not come from this page (reload it)"
            raise PmonError(ErrorCode.FORBIDDEN, why)


def check(page: Page, shown: str, address: str) -> Token | None:
    """The token that is shown, if it is a valid one. Raises PmonError for who has guessed too often."""
    now = page.clock()
    found = tokens.matching(page.all_tokens(), shown, now)
    if found is not None:
        return found  # first, so that somebody's guesses keep nobody else out
    wait = page.attempts.wait(address, now)
    if wait:
        raise TooManyAttemptsError(
            ErrorCode.REFUSED, "cannot look at a token: too many wrong ones came", f"again in {wait:.0f} s"
        )
    page.attempts.failed(address, now)
    return None


def address_of(request: Request) -> str:
    """From where it was asked."""
    return request.client.host if request.client else ""


def problem(error: PmonError, status: int = 0) -> JSONResponse:
    """An error as the page's scripts read it, and pmond's own callers."""
    known = 429 if isinstance(error, TooManyAttemptsError) else _STATUS_OF.get(error.code, 400)
    return JSONResponse(error.to_json(), status or known)


async def read(request: Request, most: int) -> bytes:
    """All of a body. Raises PmonError where it is too long, or does not come."""
    content = bytearray()
    try:
        async with asyncio.timeout(PATIENCE):
            async for piece in request.stream():
                content += piece
                if len(content) > most:
                    raise PmonError(ErrorCode.BAD_REQUEST, f"cannot take more than {most} bytes")
    except TimeoutError:
        raise PmonError(ErrorCode.TIMEOUT, "cannot take the request: it did not come in time") from None
    return bytes(content)


async def _body_of(request: Request) -> Any:
    content = await read(request, MOST_BODY)
    if not content:
        return {}
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        raise PmonError(ErrorCode.BAD_REQUEST, "cannot read the request: it is not JSON") from None
