"""Facts: what happened to one process, told to `evolve`. Times are the caller's `now`."""

from __future__ import annotations

from dataclasses import dataclass

from pmond.core.model import Ending, ExitStatus


@dataclass(frozen=True, slots=True)
class Spawned:
    """Its program runs as `pid`."""

    name: str
    number: int
    pid: int
    revision: str
    token: int


@dataclass(frozen=True, slots=True)
class SpawnFailed:
    """It could not be started. `code` is one word, `message` says why and what to do."""

    name: str
    number: int
    revision: str
    token: int
    code: str
    message: str
    transient: bool = False
    """The system had no resources for it: not the program's fault, never counted as its failure."""


@dataclass(frozen=True, slots=True)
class StopSent:
    """It was asked to end and has until `kill_at`."""

    name: str
    number: int
    ending: Ending
    kill_at: float


@dataclass(frozen=True, slots=True)
class KillSent:
    """SIGKILL was sent to its tree."""

    name: str
    number: int
    ending: Ending


@dataclass(frozen=True, slots=True)
class Exited:
    """Its main program ended. `tree_left`: other processes of it are still alive."""

    name: str
    number: int
    exit: ExitStatus
    tree_left: bool = False


@dataclass(frozen=True, slots=True)
class TreeEmpty:
    """Nothing of an ended instance is alive any more."""

    name: str
    number: int


@dataclass(frozen=True, slots=True)
class Adopted:
    """It was found alive at start-up, left by an earlier pmond. `age` in seconds."""

    name: str
    number: int
    pid: int
    revision: str
    token: int
    age: float


@dataclass(frozen=True, slots=True)
class DeadlinePassed:
    """A moment that an earlier plan waited for has come; `evolve` looks at the time alone."""

    name: str


@dataclass(frozen=True, slots=True)
class Reset:
    """A person cleared its counters."""

    name: str


@dataclass(frozen=True, slots=True)
class RestartAsked:
    """A person asked for a restart, which counts as one."""

    name: str


Fact = (
    RestartAsked
    | Spawned
    | SpawnFailed
    | StopSent
    | KillSent
    | Exited
    | TreeEmpty
    | Adopted
    | DeadlinePassed
    | Reset
)
