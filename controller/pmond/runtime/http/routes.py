"""The table of everything that can be asked over the socket.

Theory of operation: one `Route` per request. `match` finds it, `arguments_of` checks its query;
the handler named in it is a method of `api.Api`; `openapi` describes the table to others. What
is not in the table does not exist.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Literal

from msgspec import Struct

from pmon3_schema import answers, protocol
from pmon3_schema.errors import ErrorCode, PmonError
from pmon3_schema.status import ProcessStatus
from pmond.runtime.http.messages import HttpError, segments_of


class Scope(StrEnum):
    """Who may use a route; further checks, process by process, are the controller's."""

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
    """One request. `answer` is the type that its body is described by; None: plain text."""

    method: str
    pattern: str
    handler: str
    summary: str
    answer: Any
    access: Scope
    body: protocol.BodyClass | None = None
    parameters: tuple[Parameter, ...] = ()


class Arguments(Struct, frozen=True):
    """The checked query of a request, with defaults filled in."""

    values: Mapping[str, list[str]]

    def text(self, name: str) -> str:
        return self.values[name][0]

    def texts(self, name: str) -> tuple[str, ...]:
        return tuple(self.values[name])

    def flag(self, name: str) -> bool:
        return self.values[name][0] in ("1", "true")

    def number(self, name: str) -> int:
        return int(self.values[name][0])


_REF = Parameter("ref", "id, name or glob", repeated=True)
_SELECTION = (
    _REF,
    Parameter("group", "only members of this group", repeated=True),
    Parameter("label", "only with this label: key=value", repeated=True),
)
_FOLLOW = Parameter("follow", "go on with what is new", "flag", "0")
_ONLY_CONFIG = Parameter("process_config_only", "only processes of the process config file", "flag", "0")

ROUTES = (
    Route("GET", "/openapi.json", "openapi", "This description", dict[str, Any], Scope.READ),
    Route("GET", "/v1/version", "version", "Which pmond answers", answers.Version, Scope.READ),
    Route(
        "GET", "/v1/processes", "list_processes", "Status of processes, id ascending", list[ProcessStatus],
        Scope.READ,
        parameters=(*_SELECTION, Parameter("usage", "measure processor and memory", "flag", "0")),
    ),
    Route(
        "GET", "/v1/processes/{ref}", "describe", "Everything about one process", answers.Description,
        Scope.READ,
    ),
    Route(
        "POST", "/v1/processes", "submit", "Submit a process and start it", answers.Targets, Scope.CONTROL,
        protocol.Exec,
    ),
    Route(
        "POST", "/v1/actions/{verb}", "act", "Start, restart, stop, delete, kill, drop or reset processes",
        answers.Targets, Scope.CONTROL, protocol.Action,
    ),
    Route(
        "POST", "/v1/apply", "apply", "Bring about what manifests declare", answers.Applied, Scope.CONTROL,
        protocol.Apply,
    ),
    Route("POST", "/v1/plan", "plan", "What apply would do", answers.Plan, Scope.READ, protocol.Apply),
    Route(
        "POST", "/v1/init", "init", "Read the process config file again", answers.Initialised,
        Scope.ADMINISTER, protocol.Init,
    ),
    Route(
        "POST", "/v1/reconcile", "reconcile", "Look again at the process config file and at all processes",
        answers.Targets, Scope.ADMINISTER, protocol.Reconcile,
    ),
    Route(
        "POST", "/v1/holds", "hold", "Keep processes down, or up", answers.Targets, Scope.CONTROL,
        protocol.LayHold,
    ),
    Route(
        "POST", "/v1/unhold", "unhold", "Lift holds", answers.Targets, Scope.CONTROL, protocol.Choice
    ),
    Route(
        "POST", "/v1/release", "release", "Hand processes over to the command line", answers.Names,
        Scope.CONTROL, protocol.Choice,
    ),
    Route(
        "POST", "/v1/approve", "approve", "Delete processes that asked to be confirmed", answers.Targets,
        Scope.CONTROL, protocol.Choice,
    ),
    Route("GET", "/v1/sets", "list_sets", "Sets: sync, health, inventory", list[answers.Set], Scope.READ),
    Route(
        "GET", "/v1/history", "history", "The revisions of a set, newest first", list[answers.Revision],
        Scope.READ,
        parameters=(
            Parameter("set", "the set; that of the process config file by default"),
            Parameter("limit", "the newest so many", "number", "20"),
        ),
    ),
    Route(
        "POST", "/v1/suspend", "suspend", "Take no new content for a set", answers.Nothing, Scope.CONTROL,
        protocol.Suspend,
    ),
    Route(
        "POST", "/v1/resume", "resume", "Take new content for a set again", answers.Nothing, Scope.CONTROL,
        protocol.Resume,
    ),
    Route(
        "POST", "/v1/rollback", "rollback", "Go back to an earlier revision of a set", answers.Applied,
        Scope.CONTROL, protocol.Rollback,
    ),
    Route(
        "POST", "/v1/wait", "wait", "Wait for the targets of a command", answers.WaitOutcome, Scope.READ,
        protocol.Wait,
    ),
    Route(
        "GET", "/v1/logs/{ref}", "logs", "The log of one process, as text", None, Scope.CONTROL,
        parameters=(
            Parameter("lines", "that many last lines; +K: from line K on", "text", "10"), _FOLLOW,
            Parameter("all", "rotated files too, oldest first", "flag", "0"),
            Parameter("stderr", "the separate file of standard error", "flag", "0"),
        ),
    ),
    Route(
        "GET", "/v1/events", "events", "The history, oldest first; followed as server-sent events",
        list[answers.Event], Scope.READ,
        parameters=(
            _REF, Parameter("limit", "the newest so many", "number", "50"),
            Parameter("since", "only events with a greater id", "number", "0"), _FOLLOW,
        ),
    ),
    Route(
        "GET", "/v1/graph", "graph", "Dependencies and the order of starting", answers.Graph, Scope.READ,
        parameters=(_ONLY_CONFIG,),
    ),
    Route(
        "GET", "/v1/export", "export", "Processes as manifest data", answers.Export, Scope.READ,
        parameters=(*_SELECTION, Parameter("order", "the field to sort by", "text", "id")),
    ),
    Route("GET", "/v1/groups", "list_groups", "All groups, id ascending", list[answers.Group], Scope.READ),
    Route("GET", "/v1/groups/{ref}", "describe_group", "One group", answers.GroupDescription, Scope.READ),
    Route(
        "POST", "/v1/groups", "create_group", "Create a group", answers.Group, Scope.ADMINISTER,
        protocol.CreateGroup,
    ),
    Route(
        "DELETE", "/v1/groups/{ref}", "delete_group", "Delete a group; its processes stay", answers.Nothing,
        Scope.ADMINISTER,
    ),
    Route(
        "POST", "/v1/groups/assign", "assign", "Put processes into groups", answers.GroupNames,
        Scope.ADMINISTER, protocol.Membership,
    ),
    Route(
        "POST", "/v1/groups/remove", "remove", "Take processes out of groups", answers.GroupNames,
        Scope.ADMINISTER, protocol.Membership,
    ),
    Route(
        "GET", "/v1/doctor", "doctor", "What this host offers to pmond, and what is in use", answers.Doctor,
        Scope.ADMINISTER,
    ),
    Route(
        "POST", "/v1/upgrade", "upgrade", "Become the installed code, keeping processes and socket",
        answers.Nothing, Scope.ADMINISTER, protocol.Upgrade,
    ),
    Route(
        "POST", "/v1/shutdown", "shutdown", "End pmond after answering", answers.Nothing, Scope.ADMINISTER,
        protocol.Shutdown,
    ),
)  # fmt: skip

_PARTS = [(route, tuple(route.pattern.split("/")[1:])) for route in ROUTES]


def match(method: str, path: str) -> tuple[Route, dict[str, str]]:
    """The route of a request and the variables of its path. Raises HttpError 404 or 405."""
    parts = segments_of(path)
    methods = set()
    for route, pattern in _PARTS:
        variables = _variables(pattern, parts)
        if variables is not None:
            if route.method == method:
                return route, variables
            methods.add(route.method)
    if methods:
        hint = f"it is asked with {' or '.join(sorted(methods))}"
        raise HttpError(405, ErrorCode.BAD_REQUEST, f"cannot answer: {method} is not for this path", hint)
    raise HttpError(404, ErrorCode.BAD_REQUEST, "cannot answer: there is no such path", "see /openapi.json")


def arguments_of(route: Route, query: Mapping[str, list[str]]) -> Arguments:
    """The query of a request. Raises PmonError `bad_request` that names a wrong key."""
    known = {parameter.name: parameter for parameter in route.parameters}
    for name in query:
        if name not in known:
            raise _wrong(name, "there is no such key")
    return Arguments({name: _checked(known[name], query.get(name)) for name in known})


def _variables(pattern: tuple[str, ...], parts: list[str]) -> dict[str, str] | None:
    if len(pattern) != len(parts):
        return None
    variables = {}
    for expected, part in zip(pattern, parts, strict=True):
        if expected.startswith("{") and part:
            variables[expected[1:-1]] = part
        elif expected != part:
            return None
    return variables


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
