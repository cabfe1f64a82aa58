"""What the page answers to its own scripts: a route each, with the least role that it takes.

What is not in `ROUTES` cannot be had through the page, whatever pmond offers.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator

from starlette.responses import JSONResponse, Response, StreamingResponse

from pmon3.client import path_segment
from pmon3.following import FollowedStream
from pmon3_schema.errors import ErrorCode, PmonError
from pmon3_schema.masking import masked_action, masked_description, masked_event, masked_set
from pmon3_web.access import PageRole
from pmon3_web.asking import PageRequest, PageRoute
from pmon3_web.hub import shown

_VERBS = ("start", "stop", "restart", "reset")
_STILL = 20.0
"""Seconds without a message after which one that says nothing is sent: dead connections are noticed."""
_AGAIN = 2.0
"""Seconds after which it is looked at again whether a token was revoked."""
_MOST_LINES = 5000
_OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


async def me(asked: PageRequest) -> Response:
    """Who looks, and at which pmond."""
    try:
        version = await asked.get("/v1/version")
        pmond = {key: version[key] for key in ("version", "host", "started_at")}
    except PmonError as error:
        pmond = {"error": str(error)}
    csrf = asked.session.csrf if asked.session else ""
    return JSONResponse({"role": asked.role.word, "csrf": csrf, "pmond": pmond})


async def processes(asked: PageRequest) -> Response:
    rows = asked.page.hub.usage.added_to(await asked.get("/v1/processes"))
    return JSONResponse([shown(row, asked.role) for row in rows])


async def process(asked: PageRequest) -> Response:
    found = await asked.get(f"/v1/processes/{_name(asked)}")
    return JSONResponse(found if asked.role.sees_secrets else masked_description(found))


async def usage(asked: PageRequest) -> Response:
    return JSONResponse(asked.page.hub.usage.of(asked.variable("name")))


async def runs(asked: PageRequest) -> Response:
    return JSONResponse(await asked.get("/v1/runs", [("ref", asked.variable("name")), ("limit", "50")]))


async def events(asked: PageRequest) -> Response:
    query = [("limit", "500")]
    if name := asked.request.query_params.get("name"):
        query.append(("ref", name))
    found = await asked.get("/v1/events", query)
    return JSONResponse(found if asked.role.sees_secrets else [masked_event(event) for event in found])


async def graph(asked: PageRequest) -> Response:
    return JSONResponse(await asked.get("/v1/graph"))


async def sets(asked: PageRequest) -> Response:
    found = await asked.get("/v1/sets")
    return JSONResponse(found if asked.role.sees_secrets else [masked_set(one) for one in found])


async def history(asked: PageRequest) -> Response:
    query = [("set", asked.request.query_params.get("set", "")), ("limit", "100")]
    return JSONResponse(await asked.get("/v1/history", query))


async def act(asked: PageRequest) -> Response:
    verb, name = asked.variable("verb"), asked.text("name")
    if verb not in _VERBS:
        raise PmonError(ErrorCode.NOT_FOUND, f"cannot {verb}: the page does not do that")
    return JSONResponse(await asked.post(f"/v1/actions/{verb}", {"refs": [_one(name)]}))


async def source(asked: PageRequest) -> Response:
    """The processes of a set as manifest data, to be edited."""
    wanted = asked.request.query_params.get("set", "")
    found = [one for one in await asked.get("/v1/sets") if one["name"] == wanted]
    if not found:
        raise PmonError(ErrorCode.NOT_FOUND, f"cannot find set {wanted!r}: there is none")
    names = {member["name"] for member in found[0]["inventory"]}
    names |= {name.rpartition("@")[0] for name in names}  # an entry stands for all its replicas
    exported = await asked.get("/v1/export")
    return JSONResponse({"processes": [one for one in exported["processes"] if one["name"] in names]})


async def plan(asked: PageRequest) -> Response:
    made = await asked.post("/v1/plan", _manifest(asked), None)
    if not asked.role.sees_secrets:
        made["actions"] = [masked_action(action) for action in made["actions"]]
    return JSONResponse(made)


async def apply(asked: PageRequest) -> Response:
    body = {**_manifest(asked), "plan_digest": asked.text("plan_digest"), "message": "by the page"}
    return JSONResponse(await asked.post("/v1/apply", body, None))


async def rollback(asked: PageRequest) -> Response:
    to = asked.body.get("to") if isinstance(asked.body, dict) else None
    if not isinstance(to, int):
        raise PmonError(ErrorCode.BAD_REQUEST, "cannot roll back: 'to' must be the number of a revision")
    body = {"set": asked.text("set"), "to": to, "dry_run": asked.body.get("dry_run") is True}
    return JSONResponse(await asked.post("/v1/rollback", body, None))


async def stream(asked: PageRequest) -> Response:
    """What changes, as server-sent events, until somebody looks away."""
    hub, look = asked.page.hub, asked.page.hub.look(asked.role)
    if look is None:
        raise PmonError(
            ErrorCode.UNREACHABLE, "cannot show what changes: too many look at once", "try again later"
        )

    async def messages() -> AsyncIterator[bytes]:
        allowed = _Allowance(asked)
        try:
            while allowed.is_valid():
                try:
                    message = await asyncio.wait_for(look.messages.get(), _STILL)
                except TimeoutError:
                    message = b": still here\n\n"
                if message is None:
                    return
                yield message
        finally:
            hub.leave(look)

    return StreamingResponse(messages(), media_type="text/event-stream", headers={"x-accel-buffering": "no"})


async def log(asked: PageRequest) -> Response:
    """The last lines of a log, and then what is written, until somebody looks away."""
    params = asked.request.query_params
    lines = params.get("lines", "1000")
    if not re.fullmatch("[0-9]{1,4}", lines) or int(lines) > _MOST_LINES:
        raise PmonError(ErrorCode.BAD_REQUEST, f"cannot show the log: lines must be 0 to {_MOST_LINES}")
    query = [("lines", lines), ("follow", "1"), ("stderr", "1" if params.get("stderr") == "1" else "0")]
    opened = await asyncio.to_thread(lambda: asked.page.client().stream(f"/v1/logs/{_name(asked)}", query))

    async def pieces() -> AsyncIterator[bytes]:
        hub, followed, allowed = asked.page.hub, FollowedStream(opened), _Allowance(asked)
        reading: asyncio.Future[bytes | None] | None = None
        try:
            while allowed.is_valid() and not hub.is_closed:
                reading = asyncio.ensure_future(followed.receive())
                with hub.woken_at_the_end(reading.cancel):
                    await asyncio.wait({reading}, timeout=_STILL)
                if not reading.done():
                    reading.cancel()
                    continue
                piece = None if reading.cancelled() else reading.result()
                if piece is None:
                    return
                yield piece
        finally:
            if reading is not None:
                reading.cancel()
            followed.close()

    headers = {"x-accel-buffering": "no"}
    return StreamingResponse(pieces(), media_type="text/plain; charset=utf-8", headers=headers)


async def metrics(asked: PageRequest) -> Response:
    def whole() -> bytes:
        return b"".join(asked.page.client().stream("/metrics", [("format", "openmetrics")]))

    return Response(await asyncio.to_thread(whole), media_type=_OPENMETRICS)


class _Allowance:
    """Whether a token is still good, looked at again and again while an answer goes on."""

    def __init__(self, asked: PageRequest) -> None:
        self._asked = asked
        self._looked_at = asked.page.clock()

    def is_valid(self) -> bool:
        now = self._asked.page.clock()
        if now - self._looked_at < _AGAIN:
            return True
        self._looked_at = now
        try:
            return self._asked.is_still_allowed()
        except PmonError:
            return False


def _name(asked: PageRequest) -> str:
    return path_segment(_one(asked.variable("name")))


def _one(name: str) -> str:
    """The name of one process: no pattern that means several."""
    if not name or any(letter in name for letter in "*?["):
        raise PmonError(ErrorCode.BAD_REQUEST, f"cannot use {name!r}: the page names one process at a time")
    return name


def _manifest(asked: PageRequest) -> dict[str, object]:
    """A manifest that somebody has edited in the page, for pmond; what is no longer in it is pruned."""
    documents = [{"path": "/page.yaml", "text": asked.text("text")}]
    return {"set": asked.text("set"), "documents": documents, "prune": True}


VIEWER, OPERATOR, ADMINISTRATOR = PageRole.VIEWER, PageRole.OPERATOR, PageRole.ADMINISTRATOR

ROUTES: tuple[PageRoute, ...] = (
    PageRoute("GET", "/api/me", VIEWER, me),
    PageRoute("GET", "/api/stream", VIEWER, stream),
    PageRoute("GET", "/api/processes", VIEWER, processes),
    PageRoute("GET", "/api/processes/{name}", VIEWER, process),
    PageRoute("GET", "/api/processes/{name}/usage", VIEWER, usage),
    PageRoute("GET", "/api/processes/{name}/runs", VIEWER, runs),
    PageRoute("GET", "/api/processes/{name}/log", ADMINISTRATOR, log),
    PageRoute("GET", "/api/events", VIEWER, events),
    PageRoute("GET", "/api/graph", VIEWER, graph),
    PageRoute("GET", "/api/sets", VIEWER, sets),
    PageRoute("GET", "/api/history", VIEWER, history),
    PageRoute("GET", "/api/source", ADMINISTRATOR, source),
    PageRoute("POST", "/api/actions/{verb}", OPERATOR, act),
    PageRoute("POST", "/api/plan", ADMINISTRATOR, plan),
    PageRoute("POST", "/api/apply", ADMINISTRATOR, apply),
    PageRoute("POST", "/api/rollback", ADMINISTRATOR, rollback),
)
