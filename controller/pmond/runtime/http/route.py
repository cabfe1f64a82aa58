"""One row of the table of requests, and the reading of its query.

Theory of operation: `get`, `post` and `delete` make rows. Their types tie the columns together: mypy refuses
a row whose handler takes another body than the row names, or answers with something else.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from enum import StrEnum
from typing import Any, Literal, TypeVar

from msgspec import Struct

from pmon3_schema.errors import ErrorCode, PmonError
from pmon3_schema.protocol import AnyBody, BodyClass
from pmond.runtime.http.call import Arguments, Call
from pmond.runtime.http.messages import Stream

Found = TypeVar("Found")


class Scope(StrEnum):
    """Who may use a route; further checks, process by process, are the resource's."""

    READ = "read"
    """Everybody who is admitted; secrets of others' processes are masked."""
    CONTROL = "control"
    """Everybody who is admitted, for the processes that they may control or submit."""
    ADMINISTER = "administer"
    """Root, pmond's own user and the control group."""


class Parameter(Struct, frozen=True):
    """One key of a query."""

    name: str
    description: str
    kind: Literal["text", "flag", "number"] = "text"
    default: str = ""
    repeated: bool = False


class Route(Struct, frozen=True):
    """One request: the method of a resource that answers it, the type of its body and that of its answer."""

    method: str
    pattern: str
    handler: Callable[..., Awaitable[Any]]
    answer: Any
    summary: str
    access: Scope
    body: BodyClass | None = None
    parameters: tuple[Parameter, ...] = ()
    waits: bool = False
    """The answer may take long, and nothing is lost with it: it is given up when the client goes away."""

    @property
    def operation(self) -> str:
        """Its name, unique among all."""
        return self.handler.__name__


def get(
    pattern: str,
    handler: Callable[[Any, Call[None]], Awaitable[Found | Stream]],
    answer: type[Found],
    summary: str,
    access: Scope,
    *parameters: Parameter,
) -> Route:
    """Something to look at; it may be followed as a stream."""
    return Route("GET", pattern, handler, answer, summary, access, parameters=parameters)


def post(
    pattern: str,
    handler: Callable[[Any, Call[AnyBody]], Awaitable[Found]],
    body: type[AnyBody],
    answer: type[Found],
    summary: str,
    access: Scope,
    *,
    waits: bool = False,
) -> Route:
    """Something to do, or a question that is too long for a query."""
    return Route("POST", pattern, handler, answer, summary, access, body, waits=waits)


def delete(
    pattern: str,
    handler: Callable[[Any, Call[None]], Awaitable[Found]],
    answer: type[Found],
    summary: str,
    access: Scope,
) -> Route:
    """Something to remove."""
    return Route("DELETE", pattern, handler, answer, summary, access)


def arguments_of(route: Route, query: Mapping[str, list[str]]) -> Arguments:
    """The query of a request. Raises PmonError `bad_request` that names a wrong key."""
    known = {parameter.name: parameter for parameter in route.parameters}
    for name in query:
        if name not in known:
            raise _wrong(name, "there is no such key")
    return Arguments({name: _checked(known[name], query.get(name)) for name in known})


def _checked(parameter: Parameter, given: list[str] | None) -> list[str]:
    if given is None:
        return [] if parameter.repeated else [parameter.default]
    if len(given) > 1 and not parameter.repeated:
        raise _wrong(parameter.name, "it is given more than once")
    if parameter.kind == "flag" and given[0] not in ("0", "1", "false", "true"):
        raise _wrong(parameter.name, "it is 0 or 1")
    if parameter.kind == "number" and not (given[0].isascii() and given[0].isdigit() and len(given[0]) < 19):
        raise _wrong(parameter.name, "it is a whole number")
    return given


def _wrong(name: str, why: str) -> PmonError:
    return PmonError(ErrorCode.BAD_REQUEST, f"cannot read the query: {name!r}: {why}", "see /openapi.json")
