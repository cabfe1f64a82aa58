"""The words that are published about a process; their numbers are those of the Go pmon3.

Nothing here is heavy: the command line imports it on its fastest path.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TypedDict


class Status(IntEnum):
    """The state of a process, as `ls` shows it. Derived from what is seen, never stored."""

    QUEUED = 0
    """Wanted, about to be started."""
    INIT = 1
    """Started, and not ready yet: by its probe, or not alive long enough to count as running."""
    RUNNING = 2
    """It runs."""
    STOPPED = 3
    """A person stopped it, or it is not started by itself."""
    FAILED = 4
    """It ended or could not start, and nothing more happens by itself."""
    CLOSED = 5
    """It was running when pmond shut down; it comes back when pmond does."""
    BACKOFF = 6
    """It ended and is started again after a delay."""
    RESTARTING = 7
    """It is being stopped in order to be started again."""
    WAITING = 8
    """It starts when its dependencies run."""
    STOPPING = 9
    """It was asked to end and has not yet."""
    COMPLETED = 10
    """It ended with success and is not to be restarted."""

    SCHEDULED = 11
    """It runs when its time comes; see `next_run_at`."""

    @property
    def word(self) -> str:
        return self.name.lower()


FINAL = frozenset({Status.FAILED, Status.STOPPED, Status.CLOSED, Status.COMPLETED})
"""Nothing more happens by itself."""


DELETED = "Deleted"
"""The reason why a set is not in sync of which somebody has deleted what it declares."""


class HoldStatus(TypedDict):
    """What a person laid over what is declared: up or down, who, when, why and until when."""

    up: bool
    by: str
    at: str
    reason: str
    until: str | None


class ProbeStatus(TypedDict):
    """What a probe has found last. `in_a_row`: results of that kind, as far as they count."""

    kind: str
    ok: bool | None
    message: str
    at: str | None
    in_a_row: int


class ProcessRun(TypedDict):
    """One run of a process; `ended_at` is null while it goes on.

    `outcome` is running, succeeded, failed, stopped, unknown, or `not started`. `by`: who asked for it
    (a user), or what: schedule, catch_up, at_start, queue; pmond for those that nobody asked for.
    """

    number: int
    started_at: str
    ended_at: str | None
    duration_seconds: float
    outcome: str
    exit_code: int | None
    exit_signal: str | None
    by: str


class ReplicaStatus(TypedDict):
    """Which one it is of the processes that one entry stands for."""

    of: str
    """The name of all of them."""
    index: int
    count: int
    declared: int | None
    """How many the entry says; another number than `count` where somebody has scaled it."""


class ProcessStatus(TypedDict):
    """One row of `ls -o json`. Keys may be added, never renamed or removed."""

    id: int
    name: str
    status: str
    status_code: int
    pid: int
    restart_count: int
    user: str
    cpu_percent: float
    memory_bytes: int
    started_at: str | None
    updated_at: str
    next_start_at: str | None
    next_run_at: str | None
    last_run: ProcessRun | None
    """Of a one-shot: its last run that has ended."""
    file: str
    args: list[str]
    env_keys: list[str]
    log: str
    dependencies: list[str]
    groups: list[str]
    labels: dict[str, str]
    ready: bool
    probe: dict[str, ProbeStatus]
    """The last results by probe: `ready`, `live`; only those that are declared."""
    replica: ReplicaStatus | None
    """None: its entry stands for nothing else."""
    owner: str
    hold: HoldStatus | None
    generation: int
    observed_generation: int
    exit_code: int | None
    exit_signal: str | None
    reason: str


class Condition(TypedDict):
    """A named truth about a process: type, status (True, False, Unknown), reason and message."""

    type: str
    status: str
    reason: str
    message: str
    last_transition_time: str
    observed_generation: int


class Target(TypedDict):
    """What the answer of a command promises: `wait` judges no state older than this."""

    name: str
    generation: int
    token: int
