"""The bodies of answers that cross the socket, as plain typed dictionaries.

Theory of operation: the daemon writes these and a client reads them; nothing is checked at run
time, so nothing heavy is imported. The OpenAPI document is generated from them. Keys may be
added, never renamed or removed.
"""

from __future__ import annotations

from typing import Any, TypedDict

from pmon3_schema.status import Condition, ProcessStatus, Target


class Version(TypedDict):
    """Which pmond answers, and where it keeps things."""

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


class Event(TypedDict):
    """One line of the history. `id` only grows; `name` is empty when it is about the daemon."""

    id: int
    time: str
    name: str
    reason: str
    message: str


class Description(ProcessStatus):
    """What `desc` shows: a status and what is behind it."""

    declared_at: str
    origins: dict[str, str]
    spec: dict[str, Any]
    conditions: list[Condition]
    events: list[Event]
    instances: list[dict[str, Any]]


class Targets(TypedDict):
    """What a command promises to bring about."""

    targets: list[Target]


class Change(TypedDict):
    """One field that differs."""

    path: str
    before: Any
    after: Any
    effect: str


class PlannedAction(TypedDict):
    """One step of a plan, with its cause."""

    action: str
    name: str
    effect: str
    changes: list[Change]
    causes: list[str]
    wave: int


class Plan(TypedDict):
    """What would be done; `diff` and `plan` print it."""

    format: str
    set: str
    set_version: int
    source_digest: str
    plan_digest: str
    options: dict[str, Any]
    summary: dict[str, int]
    actions: list[PlannedAction]
    notes: list[dict[str, str]]
    diagnostics: list[dict[str, Any]]


class Applied(TypedDict):
    """What is being done, and what to wait for."""

    plan: Plan
    targets: list[Target]
    revision: int


class Lifted(TypedDict):
    """A stop that a person had made, and that counts no longer."""

    name: str
    hold: dict[str, Any]


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


class Set(TypedDict):
    """A set: what is in force of its source, and how its processes are."""

    name: str
    sync: str
    health: str
    accepted: bool
    followed: bool
    reason: str
    message: str
    diagnostics: list[dict[str, Any]]
    suspended: dict[str, Any] | None
    chosen: dict[str, list[str]] | None
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
    """A target that cannot get into the state any more by itself."""

    name: str
    reason: str
    log_tail: list[str]


class WaitOutcome(TypedDict):
    """How a wait ended: met, timeout or failed."""

    outcome: str
    processes: list[ProcessStatus]
    failures: list[WaitFailure]


class Graph(TypedDict):
    """Dependencies: the start order, who depends on whom, and cycles."""

    order: list[str]
    dependents: list[str]
    edges: list[list[str]]
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
    """What went wrong: `code` for programs, `message` and `hint` for people."""

    code: str
    message: str
    hint: str


class ErrorAnswer(TypedDict):
    """The body of every answer that is not 200."""

    error: ErrorBody


class Check(TypedDict):
    """One thing that pmond can make use of: `status` is ok, limited or failed."""

    name: str
    status: str
    in_use: str
    message: str


class Doctor(TypedDict):
    """What this host offers to pmond, and what is in use."""

    checks: list[Check]


class Nothing(TypedDict):
    """An empty object: the request has been done."""
