"""The bodies of answers that cross the socket, as plain typed dictionaries.

Theory of operation: the daemon writes these and a client reads them; nothing is checked at run
time, so nothing heavy is imported. Handlers return them, which mypy holds; the OpenAPI document is generated
from them, and a test compares it with what a real pmond answers. Keys may be added, never renamed or removed.
What is `NotRequired` is left out where there is nothing to say.
"""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypedDict

from pmon3_schema.status import Condition, HoldStatus, ProcessStatus, Target


class Version(TypedDict):
    """Which pmond answers, and where it keeps things. `degraded`: why the state is kept in memory only.

    `user` is the caller, and `you_are` what it is to this pmond: owner, administrator, operator or viewer.
    """

    version: str
    api: int
    pid: int
    started_at: str
    socket: str
    config_file: str
    process_config_file: str
    state_dir: str
    log_dir: str
    host: str
    degraded: str | None
    user: str
    you_are: str


class Event(TypedDict):
    """One line of the history. `id` only grows; `name` is empty when it is about the daemon.

    `fields` has the figures of the message, for programs: those that the kind of event has.
    """

    id: int
    time: str
    name: str
    reason: str
    message: str
    fields: dict[str, Any]


class LogMark(TypedDict):
    """A log ended at this position at that time: what stands before it was written by then."""

    position: int
    time: str


class RunBegin(TypedDict):
    """What a run of a process has written begins at this position."""

    name: str
    number: int
    position: int


class LogTimes(TypedDict):
    """What is known of when a log was written. Positions count all bytes ever written, rotated ones too."""

    name: str
    path: str
    marks: list[LogMark]
    runs: list[RunBegin]


class InstanceStatus(TypedDict):
    """The run of a process that is under way. `adopted`: a pmond that started later took it over."""

    number: int
    pid: int
    phase: str
    started_at: str
    adopted: bool
    revision: str


class Change(TypedDict):
    """One field that differs."""

    path: str
    before: Any
    after: Any
    effect: str


class TreeMember(TypedDict):
    """A process of an instance. `name`: what its executable is called, or what it calls itself."""

    pid: int
    parent: int
    depth: int
    name: str
    memory_bytes: int


class Description(ProcessStatus):
    """What `desc` shows: a status and what is behind it.

    `tree`: what it has running, each after the one that has started it; empty for who may not see secrets.
    """

    declared_at: str
    origins: dict[str, str]
    spec: dict[str, Any]
    conditions: list[Condition]
    pending: list[Change]
    events: list[Event]
    instances: list[InstanceStatus]
    tree: list[TreeMember]


class SandboxOrders(TypedDict):
    """What a sandbox is made of. `uid`: as whom the program runs; `network`: it has none."""

    uid: int
    no_new_privileges: bool
    capabilities: list[str] | None
    private_tmp: bool
    read_only: list[str]
    hidden: list[str]
    writable: list[str]
    network: bool


class ProcessSurroundings(TypedDict):
    """What the program of a process is started in, nothing masked. `limits`: by their names in a manifest.

    `sandbox`: null where there is none.
    """

    name: str
    user: str
    uid: int
    gid: int
    groups: list[int]
    cwd: str
    environment: dict[str, str]
    umask: int | None
    priority: int | None
    limits: dict[str, int]
    sandbox: SandboxOrders | None


class Targets(TypedDict):
    """What a command promises to bring about."""

    targets: list[Target]


class Scaled(Targets):
    """The same of processes that there are more or fewer of."""

    gone: list[Target]
    """Those that are stopped, and then forgotten."""


class TextPosition(TypedDict):
    """A place in a text, counted from 1. `offset`: in bytes, where the text was at hand."""

    line: int
    column: int
    offset: NotRequired[int]


class TextRange(TypedDict):
    """From one place to another, which does not belong to it."""

    start: TextPosition
    end: TextPosition


class RelatedPlace(TypedDict):
    """Another place that belongs to a diagnostic."""

    file: str
    range: TextRange
    message: str


class DiagnosticObject(TypedDict):
    """One thing wrong with one file. `path`: a JSON pointer; empty for the whole file."""

    severity: str
    code: str
    message: str
    file: str
    range: TextRange
    path: str
    hint: str
    related: NotRequired[list[RelatedPlace]]


class PlannedAction(TypedDict):
    """One step of a plan, with its cause.

    `moved_from`: the name that a renamed process had; the entries are there if they were asked for (`full`).
    """

    action: str
    name: str
    effect: str
    changes: list[Change]
    causes: list[str]
    wave: int
    moved_from: NotRequired[str]
    entry_before: NotRequired[dict[str, Any] | None]
    entry_after: NotRequired[dict[str, Any] | None]


class PlanOptions(TypedDict):
    """With which options a plan was made."""

    prune: bool
    prune_limit: str
    allow_empty: bool
    take_over: bool
    restart: list[str]


class PlanNote(TypedDict):
    """Something to know about a process, though nothing is done to it."""

    code: str
    name: str
    message: str


class Plan(TypedDict):
    """What would be done; `diff` and `plan` print it."""

    format: str
    set: str
    set_version: int
    source_digest: str
    plan_digest: str
    options: PlanOptions
    summary: dict[str, int]
    actions: list[PlannedAction]
    notes: list[PlanNote]
    diagnostics: list[DiagnosticObject]


class Applied(TypedDict):
    """What is being done, and what to wait for."""

    plan: Plan
    targets: list[Target]
    revision: int


class Lifted(TypedDict):
    """A stop that a person had made, and that counts no longer."""

    name: str
    hold: HoldStatus


class Initialised(Applied):
    """The same of `init`, which also starts what was stopped."""

    lifted: list[Lifted]


class Member(TypedDict):
    """One process of a set's inventory."""

    name: str
    prune: bool | str
    declared: bool
    file: str
    line: int


class Suspension(TypedDict):
    """Who lets no new content in, since when, why and until when.

    With a digest it ends when the source has another one.
    """

    by: str
    at: str
    reason: str
    until: str | None
    digest: NotRequired[str]


class ProfileChoice(TypedDict):
    """The profiles that were chosen, and the names of the variables; their values may be secrets."""

    profiles: list[str]
    variables: list[str]


class Set(TypedDict):
    """A set: what is in force of its source, and how its processes are."""

    name: str
    sync: str
    health: str
    accepted: bool
    followed: bool
    reason: str
    message: str
    diagnostics: list[DiagnosticObject]
    suspended: Suspension | None
    chosen: ProfileChoice | None
    version: int
    revision: int
    checked_at: str | None
    processes: int
    inventory: list[Member]
    conditions: list[Condition]


class Revision(TypedDict):
    """One accepted change of a set."""

    revision: int
    set: str
    time: str
    by: str
    message: str
    digest: str
    commit: str
    outcome: str
    summary: dict[str, int]


class Names(TypedDict):
    """The processes that were changed."""

    names: list[str]


class WaitFailure(TypedDict):
    """A target that cannot get into the state any more by itself, or is not in it in time.

    `blocker` is the dependency that is in its way for good, if one is. `log_tail` is the end of its log,
    or of its blocker's, as text; empty where there is none that the caller may read.
    """

    name: str
    reason: str
    log_tail: str
    blocker: NotRequired[str]


Outcome = Literal["met", "timeout", "failed"]


class WaitOutcome(TypedDict):
    """How a wait ended."""

    outcome: Outcome
    processes: list[ProcessStatus]
    failures: list[WaitFailure]


class GraphDependency(TypedDict):
    """What `process` needs of another one. `condition` is the one in force, said or not."""

    process: str
    needs: str
    condition: str
    required: bool
    restart: bool


class Graph(TypedDict):
    """Dependencies: the start order, who depends on whom and how, and cycles."""

    order: list[str]
    dependents: list[str]
    edges: list[list[str]]
    dependencies: list[GraphDependency]
    cycles: list[list[str]]


class Export(TypedDict):
    """Processes as manifest data in the field order of the Go pmon3."""

    processes: list[dict[str, Any]]


class Group(TypedDict):
    """A group and the names of its processes."""

    id: int
    name: str
    processes: list[str]


class GroupDescription(TypedDict):
    """A group and the status of its processes."""

    id: int
    name: str
    processes: list[ProcessStatus]


class GroupNames(TypedDict):
    """The groups whose members were changed."""

    groups: list[str]


class ErrorBody(TypedDict):
    """What went wrong: `code` for programs, `message` and `hint` for people.

    `diagnostics` are there when a manifest is wrong; `failures` when a goal was missed, which the command
    line adds on standard error.
    """

    code: str
    message: str
    hint: str
    diagnostics: NotRequired[list[DiagnosticObject]]
    failures: NotRequired[list[WaitFailure]]


class ErrorAnswer(TypedDict):
    """The body of every answer that is not 200."""

    error: ErrorBody


class Check(TypedDict):
    """One thing that pmond can make use of."""

    name: str
    status: Literal["ok", "limited", "failed"]
    in_use: str
    message: str


class Doctor(TypedDict):
    """What this host offers to pmond, and what is in use."""

    checks: list[Check]


class Nothing(TypedDict):
    """An empty object: the request has been done."""
