"""The table of everything that can be asked over the socket.

Theory of operation: one row per request: path, the method of the resource that answers it, the types of the
body and of the answer, and who may ask. `match` finds a row; `openapi` describes the table to others. What is
not in the table does not exist.
"""

from __future__ import annotations

from typing import Any

from pmon3_schema import answers, protocol
from pmon3_schema.errors import ErrorCode
from pmon3_schema.status import ProcessRun, ProcessStatus
from pmond.runtime.http.messages import Exposition, HttpError, Stream, segments_of
from pmond.runtime.http.resources.actions import ActionResource
from pmond.runtime.http.resources.events import EventResource
from pmond.runtime.http.resources.graph import GraphResource
from pmond.runtime.http.resources.groups import GroupResource
from pmond.runtime.http.resources.holds import HoldResource
from pmond.runtime.http.resources.logs import LogResource
from pmond.runtime.http.resources.manifests import ManifestResource
from pmond.runtime.http.resources.metrics import MetricResource
from pmond.runtime.http.resources.pmond import DaemonResource
from pmond.runtime.http.resources.processes import ProcessResource
from pmond.runtime.http.resources.runs import RunResource
from pmond.runtime.http.resources.sets import SetResource
from pmond.runtime.http.resources.signals import SignalResource
from pmond.runtime.http.resources.surroundings import SurroundingsResource
from pmond.runtime.http.resources.waits import WaitResource
from pmond.runtime.http.route import Parameter, Route, Scope, delete, get, post

READ, CONTROL, ADMINISTER = Scope.READ, Scope.CONTROL, Scope.ADMINISTER

_REF = Parameter("ref", "id, name or glob", repeated=True)
_SELECTION = (
    _REF,
    Parameter("group", "only members of this group", repeated=True),
    Parameter("label", "only with this label: key=value", repeated=True),
)
_USAGE = Parameter("usage", "measure processor and memory", "flag", "0")
_FOLLOW = Parameter("follow", "go on with what is new", "flag", "0")
_ONLY_CONFIG = Parameter("process_config_only", "only processes of the process config file", "flag", "0")
_ORDER = Parameter("order", "the field to sort by", "text", "id")
_HISTORY = (
    Parameter("set", "the set; that of the process config file by default"),
    Parameter("limit", "the newest so many", "number", "20"),
)
_FORMAT = Parameter("format", "openmetrics, or prometheus for what knows only that", "text", "openmetrics")
_STDERR = Parameter("stderr", "the separate file of standard error", "flag", "0")
_LOG = (
    Parameter("lines", "that many last lines; +K: from line K on; @P: from position P on", "text", "10"),
    _FOLLOW,
    Parameter("all", "rotated files too, oldest first", "flag", "0"),
    _STDERR,
    Parameter("positions", "in frames: a line POSITION LENGTH, then so many bytes", "flag", "0"),
)
_EVENTS = (
    _REF,
    Parameter("limit", "the newest so many", "number", "50"),
    Parameter("since", "only events with a greater id", "number", "0"),
    _FOLLOW,
)

_RUNS = (
    Parameter("ref", "id or name of the process", "text", ""),
    Parameter("limit", "the newest so many", "number", "50"),
)

ROUTES: tuple[Route, ...] = (
    # Processes, and what is done to them.
    get("/v1/processes", ProcessResource.list_processes, list[ProcessStatus],
        "Status of processes, id ascending", READ, *_SELECTION, _USAGE),
    get("/v1/processes/{ref}", ProcessResource.describe, answers.Description,
        "Everything about one process", READ),
    get("/v1/processes/{ref}/surroundings", SurroundingsResource.surroundings, answers.ProcessSurroundings,
        "As whom, where and with which environment a process is started", CONTROL),
    post("/v1/processes", ProcessResource.submit, protocol.Exec, answers.Targets,
         "Submit a process and start it", CONTROL),
    get("/v1/export", ProcessResource.export, answers.Export, "Processes as manifest data",
        READ, *_SELECTION, _ORDER),
    post("/v1/actions/{verb}", ActionResource.act, protocol.Action, answers.Targets,
         "Start, restart, stop, delete, kill, drop or reset processes", CONTROL),
    post("/v1/signal", SignalResource.signal, protocol.SendSignal, answers.Names,
         "Send a signal to what runs", CONTROL),
    post("/v1/reload", SignalResource.reload, protocol.Choice, answers.Names,
         "Have programs read their files again; answered when they have been told", CONTROL, waits=True),
    post("/v1/holds", HoldResource.hold, protocol.LayHold, answers.Targets,
         "Keep processes down, or up", CONTROL),
    post("/v1/unhold", HoldResource.unhold, protocol.Choice, answers.Targets, "Lift holds", CONTROL),
    post("/v1/scale", HoldResource.scale, protocol.Scale, answers.Scaled,
         "Have more or fewer of processes", CONTROL),
    post("/v1/release", HoldResource.release, protocol.Choice, answers.Names,
         "Hand processes over to the command line", CONTROL),
    post("/v1/approve", HoldResource.approve, protocol.Choice, answers.Targets,
         "Delete processes that asked to be confirmed", CONTROL),
    post("/v1/wait", WaitResource.wait, protocol.Wait, answers.WaitOutcome,
         "Wait for the targets of a command", READ, waits=True),
    # Manifests and their sets.
    post("/v1/apply", ManifestResource.apply, protocol.Apply, answers.Applied,
         "Bring about what manifests declare", CONTROL),
    post("/v1/plan", ManifestResource.plan, protocol.Apply, answers.Plan,
         "What apply would do", READ, waits=True),
    post("/v1/init", ManifestResource.init, protocol.Init, answers.Initialised,
         "Read the process config file again", ADMINISTER),
    post("/v1/reconcile", ManifestResource.reconcile, protocol.Reconcile, answers.Targets,
         "Look again at the process config file and at all processes", ADMINISTER),
    get("/v1/sets", SetResource.list_sets, list[answers.Set], "Sets: sync, health, inventory", READ),
    get("/v1/history", SetResource.history, list[answers.Revision],
        "The revisions of a set, newest first", READ, *_HISTORY),
    post("/v1/suspend", SetResource.suspend, protocol.Suspend, answers.Nothing,
         "Take no new content for a set", CONTROL),
    post("/v1/resume", SetResource.resume, protocol.Resume, answers.Nothing,
         "Take new content for a set again", CONTROL),
    post("/v1/rollback", SetResource.rollback, protocol.Rollback, answers.Applied,
         "Go back to an earlier revision of a set", CONTROL),
    # What has happened, and how things hang together.
    get("/v1/logs/{ref}", LogResource.logs, Stream, "The log of one process, as text", CONTROL, *_LOG),
    get("/v1/logs/{ref}/times", LogResource.times, answers.LogTimes,
        "When a log was how long, and where runs begin in it", CONTROL, _STDERR),
    get("/v1/events", EventResource.events, list[answers.Event],
        "The history, oldest first; followed as server-sent events", READ, *_EVENTS),
    get("/v1/runs", RunResource.runs, list[ProcessRun],
        "The runs of one process, oldest first; the one that goes on is the last", READ, *_RUNS),
    get("/v1/graph", GraphResource.graph, answers.Graph, "Dependencies and the order of starting",
        READ, _ONLY_CONFIG),
    # Groups.
    get("/v1/groups", GroupResource.list_groups, list[answers.Group], "All groups, id ascending", READ),
    get("/v1/groups/{ref}", GroupResource.describe_group, answers.GroupDescription, "One group", READ),
    post("/v1/groups", GroupResource.create_group, protocol.CreateGroup, answers.Group,
         "Create a group", ADMINISTER),
    delete("/v1/groups/{ref}", GroupResource.delete_group, answers.Nothing,
           "Delete a group; its processes stay", ADMINISTER),
    post("/v1/groups/assign", GroupResource.assign, protocol.Membership, answers.GroupNames,
         "Put processes into groups", ADMINISTER),
    post("/v1/groups/remove", GroupResource.remove, protocol.Membership, answers.GroupNames,
         "Take processes out of groups", ADMINISTER),
    # pmond itself.
    get("/openapi.json", DaemonResource.openapi, dict[str, Any], "This description", READ),
    get("/v1/version", DaemonResource.version, answers.Version, "Which pmond answers", READ),
    get("/metrics", MetricResource.metrics, Exposition, "Figures for Prometheus and its like", READ,
        _FORMAT),
    get("/v1/doctor", DaemonResource.doctor, answers.Doctor,
        "What this host offers to pmond, and what is in use", ADMINISTER),
    post("/v1/upgrade", DaemonResource.upgrade, protocol.Upgrade, answers.Nothing,
         "Become the installed code, keeping processes and socket", ADMINISTER),
    post("/v1/shutdown", DaemonResource.shutdown, protocol.Shutdown, answers.Nothing,
         "End pmond after answering", ADMINISTER),
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
