"""Requests into calls of the controller, and what comes back into answers.

Theory of operation: `Api.handle` admits the caller, finds the route, reads query and body, and
calls the handler of that name: one short method each. `Control` (control.py) is all that is
asked of the rest of the daemon. Who may do what to which process is checked by the controller, which knows
the process; what is checked here is who may use a route, and that no answer shows the
environment values of a process to somebody who may not see them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar, cast, get_args

from msgspec import Struct

from pmon3_schema import protocol
from pmon3_schema.errors import ErrorCode, PmonError
from pmon3_schema.protocol import Selection
from pmon3_schema.status import Target
from pmond.runtime.access.authority import Authority, Right, Role
from pmond.runtime.access.masking import masked, masked_action, masked_row
from pmond.runtime.access.principal import Principal
from pmond.runtime.base.long_work import cooperative_map, in_thread, release
from pmond.runtime.http import openapi, routes, streams
from pmond.runtime.http.control import Control
from pmond.runtime.http.long_answers import long_answer
from pmond.runtime.http.messages import Answer, Pending, Request, Response, Stream, json_response

AnyBody = TypeVar("AnyBody", bound=protocol.Body)

_LONG = 64 * 1024
"""Bytes of a body from which on a thread reads it: those of thousands of targets."""


class Call(Struct, frozen=True):
    """A request whose route, path and query have been read."""

    request: Request
    route: routes.Route
    path: Mapping[str, str]
    query: routes.Arguments

    @property
    def peer(self) -> Principal:
        return self.request.peer

    def body(self, model: type[AnyBody]) -> AnyBody:
        """The body, which is of the model that the route names. Raises PmonError `bad_request`."""
        assert self.route.body is model
        return protocol.read_body(model, self.request.body)

    async def long_body(self, model: type[AnyBody]) -> AnyBody:
        """The same of a body that may be long: a thread reads it then."""
        if len(self.request.body) < _LONG:
            return self.body(model)
        return await in_thread(self.body, model)

    def selection(self) -> Selection:
        """The selection in the query."""
        labels = dict(map(_label, self.query.texts("label")))
        return Selection(self.query.texts("ref"), self.query.texts("group"), labels)


class Api:
    """The handler of the server: `Server(api.handle, ...)`.

    `authority` decides who may do what, as config.yml says it now.
    """

    def __init__(self, control: Control, authority: Callable[[], Authority]) -> None:
        self._control = control
        self._authority = authority

    async def handle(self, request: Request) -> Answer:
        """The answer to one request. Raises PmonError when it cannot be done."""
        authority, peer = self._authority(), request.peer
        if authority.role(peer) is Role.STRANGER:
            raise _forbidden(f"this pmond does not know {peer.user}")
        route, variables = routes.match(request.method, request.path)
        if route.access is routes.Scope.ADMINISTER:
            authority.require(peer, Right.ADMINISTER)
        call = Call(request, route, variables, routes.arguments_of(route, request.query))
        return cast(Answer, await getattr(self, route.handler)(call))

    async def openapi(self, call: Call) -> Answer:
        return json_response(openapi.document())

    async def version(self, call: Call) -> Answer:
        return json_response(self._control.version())

    async def list_processes(self, call: Call) -> Answer:
        rows = await self._control.list(call.selection(), call.query.flag("usage"))
        return await long_answer(await self._readable(rows, call.peer))

    async def describe(self, call: Call) -> Answer:
        found = await self._control.describe(call.path["ref"])
        if not self._may_read(call.peer)(found["user"]):
            found = {**masked_row(found), "spec": masked(found["spec"])}
        return json_response(found)

    async def submit(self, call: Call) -> Answer:
        body = call.body(protocol.Exec)
        return await _targets(self._control.submit(body.spec, body.cwd, call.peer, body.replace))

    async def act(self, call: Call) -> Answer:
        verb = call.path["verb"]
        if verb not in get_args(protocol.Verb):
            raise PmonError(ErrorCode.BAD_REQUEST, f"cannot act: {verb!r} is not a verb", "see /openapi.json")
        body = call.body(protocol.Action)
        if not (body.refs or body.groups or body.labels or body.all):
            raise PmonError(
                ErrorCode.BAD_REQUEST, f"cannot {verb}: nothing is selected", "all: true means all"
            )
        done = await self._control.act(
            verb, body.selection, call.peer, force=body.force, changes=body.changes
        )
        return await _targets(done)

    async def apply(self, call: Call) -> Answer:
        body = call.body(protocol.Apply)
        return await self._applied(await self._control.apply(body, call.peer), call.peer)

    async def plan(self, call: Call) -> Answer:
        body = call.body(protocol.Apply)

        async def planned() -> Response:
            plan = await self._control.plan(body, call.peer)
            return await long_answer(await self._visible(plan, call.peer))

        return Pending(planned())

    async def hold(self, call: Call) -> Answer:
        body = call.body(protocol.LayHold)
        chosen = _chosen(body, "hold")
        return await _targets(await self._control.hold(chosen, call.peer, body.up, body.reason, body.seconds))

    async def unhold(self, call: Call) -> Answer:
        return await _targets(
            await self._control.unhold(_chosen(call.body(protocol.Choice), "unhold"), call.peer)
        )

    async def release(self, call: Call) -> Answer:
        chosen = _chosen(call.body(protocol.Choice), "release")
        return await long_answer({"names": list(await self._control.release(chosen, call.peer))})

    async def approve(self, call: Call) -> Answer:
        return await _targets(
            await self._control.approve(_chosen(call.body(protocol.Choice), "approve"), call.peer)
        )

    async def list_sets(self, call: Call) -> Answer:
        return await long_answer(await self._control.sets(call.peer))

    async def history(self, call: Call) -> Answer:
        return json_response(self._control.history(call.query.text("set"), call.query.number("limit")))

    async def suspend(self, call: Call) -> Answer:
        body = call.body(protocol.Suspend)
        self._control.suspend(body.set, call.peer, body.reason, body.seconds)
        return json_response({})

    async def resume(self, call: Call) -> Answer:
        await self._control.resume(call.body(protocol.Resume).set, call.peer)
        return json_response({})

    async def rollback(self, call: Call) -> Answer:
        applied = await self._control.rollback(call.body(protocol.Rollback), call.peer)
        return await self._applied(applied, call.peer)

    async def init(self, call: Call) -> Answer:
        body = call.body(protocol.Init)
        return await long_answer(await self._control.init(call.peer, body.process_config_only))

    async def reconcile(self, call: Call) -> Answer:
        return await long_answer({"targets": await self._control.reconcile()})

    async def wait(self, call: Call) -> Answer:
        body = await call.long_body(protocol.Wait)

        async def waited() -> Response:
            return await long_answer(await self._control.wait(body, call.peer))

        return Pending(waited())

    async def logs(self, call: Call) -> Answer:
        files = self._control.log_files(call.path["ref"], call.peer)
        which = 1 if call.query.flag("stderr") else 0
        if which >= len(files):
            why = "cannot show a separate standard error: it goes to the log"
            raise PmonError(ErrorCode.NOT_FOUND, why, "leave out stderr, or set stderr_log")
        lines, everything = call.query.text("lines"), call.query.flag("all")
        return Stream(streams.log(files[which], lines, everything, call.query.flag("follow")))

    async def events(self, call: Call) -> Answer:
        names = await self._names(call.query.texts("ref"))
        since, limit = call.query.number("since"), call.query.number("limit")
        if call.query.flag("follow"):
            pieces = streams.events(self._control, since, limit, names)
            return Stream(pieces, "text/event-stream")
        return json_response(streams.past_events(self._control, since, limit, names))

    async def graph(self, call: Call) -> Answer:
        return await long_answer(await self._control.graph(call.query.flag("process_config_only")))

    async def export(self, call: Call) -> Answer:
        found = await self._control.export(call.query.text("order"), call.selection(), call.peer)
        may_read = self._may_read(call.peer)

        def visible(spec: dict[str, Any]) -> dict[str, Any]:
            return spec if may_read(spec.get("user", "")) else masked(spec)

        shown = await cooperative_map(found["processes"], visible)
        release(found["processes"])
        return await long_answer({**found, "processes": shown})

    async def list_groups(self, call: Call) -> Answer:
        return await long_answer(list(self._control.groups()))

    async def describe_group(self, call: Call) -> Answer:
        found = await self._control.describe_group(call.path["ref"])
        return await long_answer({**found, "processes": await self._readable(found["processes"], call.peer)})

    async def create_group(self, call: Call) -> Answer:
        return json_response(self._control.create_group(call.body(protocol.CreateGroup).name))

    async def delete_group(self, call: Call) -> Answer:
        await self._control.delete_group(call.path["ref"])
        return json_response({})

    async def assign(self, call: Call) -> Answer:
        body = call.body(protocol.Membership)
        return json_response({"groups": await self._control.assign(body.groups, body.refs)})

    async def remove(self, call: Call) -> Answer:
        body = call.body(protocol.Membership)
        return json_response({"groups": await self._control.remove(body.groups, body.refs)})

    async def upgrade(self, call: Call) -> Answer:
        await self._control.upgrade()
        return json_response({})

    async def doctor(self, call: Call) -> Answer:
        return json_response({"checks": self._control.doctor()})

    async def shutdown(self, call: Call) -> Answer:
        self._control.shutdown(call.body(protocol.Shutdown).stop_processes)
        return json_response({})

    def _may_read(self, peer: Principal) -> Callable[[str], bool]:
        """Whether the caller may see secrets of the processes of a user."""
        return self._authority().over_users(peer, Right.READ_SECRETS)

    async def _readable(self, rows: Sequence[Mapping[str, Any]], peer: Principal) -> list[Mapping[str, Any]]:
        """Status objects without the arguments of processes whose secrets the caller may not see."""
        if self._authority().is_administrator(peer):  # no look-up of users where it makes no difference
            return list(rows)
        may_read = self._may_read(peer)
        return await cooperative_map(rows, lambda row: row if may_read(row["user"]) else masked_row(row))

    async def _applied(self, applied: dict[str, Any], peer: Principal) -> Response:
        await asyncio.sleep(0)  # to bring thousands in was a turn's work of its own
        return await long_answer({**applied, "plan": await self._visible(applied["plan"], peer)})

    async def _visible(self, plan: dict[str, Any], peer: Principal) -> dict[str, Any]:
        """A plan without the environment values of processes that the peer may not read.

        A caller can name any process in its documents; a plan must not tell what is in them.
        """
        if self._authority().is_administrator(peer):
            return plan
        actions = await cooperative_map(plan["actions"], masked_action)
        release(plan["actions"])
        return {**plan, "actions": actions}

    async def _names(self, refs: Sequence[str]) -> set[str] | None:
        """Names that the references mean; a name that is gone may still have a history."""
        if not refs:
            return None
        names: set[str] = set()
        for ref in refs:
            try:
                found = await self._control.list(Selection((ref,)), usage=False)
                names.update(str(process["name"]) for process in found)
            except PmonError as error:
                if error.code is not ErrorCode.NOT_FOUND:
                    raise
                names.add(ref)
        return names


def _chosen(body: protocol.Choice, verb: str) -> Selection:
    if not (body.refs or body.groups or body.labels or body.all):
        raise PmonError(ErrorCode.BAD_REQUEST, f"cannot {verb}: nothing is selected", "all: true means all")
    return body.selection


async def _targets(targets: Sequence[Target]) -> Response:
    return await long_answer({"targets": list(targets)})


def _label(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise PmonError(ErrorCode.BAD_REQUEST, f"cannot read the query: {text!r} is not a label", "key=value")
    return key, value


def _forbidden(why: str) -> PmonError:
    return PmonError(ErrorCode.FORBIDDEN, f"cannot do that: {why}", "ask as root, or as that user")
