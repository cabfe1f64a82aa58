"""The page as an ASGI application: its addresses, the form, and the headers that keep others' content out."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pmon3_schema.errors import ErrorCode, PmonError
from pmon3_web import answers
from pmon3_web.access import PageRole
from pmon3_web.asking import (
    COOKIE,
    Door,
    Page,
    PageRequest,
    PageRoute,
    TooManyAttemptsError,
    address_of,
    check,
    problem,
    read,
)
from pmon3_web.sessions import LONGEST
from pmon3_web.tokens import Token

STATIC = Path(__file__).with_name("static")
_LONGEST_FORM = 4096
_OF_SCRAPERS = Token("", PageRole.VIEWER.word, "", "whoever scrapes", 0.0, None)
HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self';"
    " connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "cache-control": "no-store",
}
"""Of every answer: nothing of others is loaded, nobody frames the page, nothing stays in a cache."""


async def view(asked: PageRequest) -> Response:
    """A page for people: the same document, whose scripts look at the address."""
    return FileResponse(STATIC / "index.html")


VIEWS = tuple(
    PageRoute("GET", path, PageRole.VIEWER, view, is_view=True)
    for path in ("/", "/process/{name}", "/graph", "/sets", "/set", "/events")
)


def create(page: Page) -> Starlette:
    """The application."""
    form = LoginForm(page)
    routes = [
        *(
            Route(one.path, Door(page, one).__call__, methods=[one.method])
            for one in (*VIEWS, *answers.ROUTES)
        ),
        Route("/login", form.show, methods=["GET"]),
        Route("/login", form.enter, methods=["POST"]),
        Route("/logout", form.leave, methods=["POST"]),
        Route("/metrics", _Metrics(page), methods=["GET"]),
        Mount("/static", StaticFiles(directory=STATIC)),
    ]

    @contextlib.asynccontextmanager
    async def lifespan(application: Starlette) -> AsyncIterator[None]:
        following = asyncio.create_task(page.hub.run())
        yield
        following.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await following

    async def not_found(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 404
        return problem(
            PmonError(ErrorCode.NOT_FOUND, "cannot answer: there is nothing at this address"), status
        )

    application = Starlette(
        routes=routes, lifespan=lifespan, exception_handlers={404: not_found, 405: not_found}
    )
    application.add_middleware(Headers, secure=page.secure)
    return application


class LoginForm:
    """Where a token is shown to begin a session."""

    def __init__(self, page: Page) -> None:
        self._page = page

    async def show(self, request: Request) -> Response:
        return FileResponse(STATIC / "login.html")

    async def enter(self, request: Request) -> Response:
        """A session for a valid token. The form needs no secret of ours: a token is one."""
        if _comes_from_elsewhere(request):
            return RedirectResponse("/login", 303)
        try:
            content = await read(request, _LONGEST_FORM)
            shown = parse_qs(content.decode("latin-1")).get("token", [""])[0].strip()
            token = check(self._page, shown, address_of(request))
        except TooManyAttemptsError:
            return RedirectResponse("/login#wait", 303)
        except PmonError as error:
            return problem(error)
        if token is None:
            return RedirectResponse("/login#wrong", 303)
        self._page.sessions.end(request.cookies.get(COOKIE, ""))
        name, _ = self._page.sessions.begin(token.id, self._page.clock())
        answer = RedirectResponse("/", 303)
        answer.set_cookie(
            COOKIE, name, max_age=int(LONGEST), httponly=True, samesite="strict", secure=self._page.secure
        )
        return answer

    async def leave(self, request: Request) -> Response:
        """The end of a session. SameSite keeps other sites from ending it."""
        self._page.sessions.end(request.cookies.get(COOKIE, ""))
        answer = RedirectResponse("/login", 303)
        answer.delete_cookie(COOKIE)
        return answer


class _Metrics:
    """Figures for who shows a token, or, if so chosen, for whoever scrapes from this machine."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._route = PageRoute("GET", "/metrics", PageRole.VIEWER, answers.metrics)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        answer = await (
            self._open(request) if self._is_open_to(request) else Door(self._page, self._route)(request)
        )
        await answer(scope, receive, send)

    async def _open(self, request: Request) -> Response:
        try:
            return await answers.metrics(PageRequest(request, self._page, _OF_SCRAPERS, None))
        except PmonError as error:
            return problem(error)

    def _is_open_to(self, request: Request) -> bool:
        # By the name, too, that was asked for: a site whose name leads here is read by no script of its own.
        return (
            self._page.metrics_open
            and is_loopback(address_of(request))
            and is_loopback(_without_port(request.headers.get("host", "")))
        )


def _comes_from_elsewhere(request: Request) -> bool:
    """Whether another site has sent the form: nobody is to look at the page as somebody else."""
    origin = request.headers.get("origin")
    return origin is not None and origin.partition("://")[2] != request.headers.get("host")


def _without_port(host: str) -> str:
    return host.partition("]")[0] if host.startswith("[") else host.partition(":")[0]


def is_loopback(host: str) -> bool:
    """Whether it is this machine and no other can reach it."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


class Headers:
    """Adds `HEADERS` to every answer."""

    def __init__(self, application: ASGIApp, secure: bool) -> None:
        self._application = application
        self._headers = {**HEADERS, **({"strict-transport-security": "max-age=31536000"} if secure else {})}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(self._headers)
            await send(message)

        await self._application(scope, receive, sending)
