"""What is wanted and what is seen, as frozen values.

Three axes are kept apart, each with one writer. *Desired* is written by callers and manifests:
the spec, whether it should be up, which restart was asked for. *Observed* is written by
`evolve` alone: at most one `Instance` (one run; its phase only moves forward) and a `History`
(what the last runs mean for the next one). *Status* is derived from both by `report` and
stored nowhere.

A process has at most one instance at any time; that is what "never two" means here, and the
type says so. An instance whose main program has ended but whose tree has not is still that
instance: no second one starts beside what the first one left behind.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum, StrEnum
from typing import NamedTuple

from msgspec import Struct, field
from msgspec.structs import force_setattr, replace

from pmon3_schema.process import ProcessSpec
from pmon3_schema.revision import revision
from pmond.core.hooking import Hooking
from pmond.core.probing import NOT_PROBED, Probing
from pmond.core.timing import Timing


class Phase(IntEnum):
    """The life of one instance; it only moves forward."""

    STARTING = 1
    """The program runs, not yet long enough to count as running."""
    RUNNING = 2
    STOPPING = 3
    """It was asked to end, or its main program has ended and its tree is being cleared."""


class Ending(StrEnum):
    """Why an instance was asked to end, or that it was not."""

    ITSELF = "itself"
    """Nobody asked: it exited or was killed from outside."""
    UNWANTED = "unwanted"
    """A person, a manifest or the end of pmond wants it down."""
    SUPERSEDED = "superseded"
    """It is replaced: a restart was asked for, or its spec changed."""
    SHUTDOWN = "shutdown"
    """pmond ends and takes it along; it comes back with pmond."""
    UNREADY = "unready"
    """It was not ready in time."""
    UNHEALTHY = "unhealthy"
    """Its liveness probe failed."""
    OVERDUE = "overdue"
    """A one-shot took longer than it may."""
    OVERSIZE = "oversize"
    """Its tree held more memory than it may: it is replaced, and that is no failure."""

    @property
    def is_fault(self) -> bool:
        """pmond stopped it because it did not do its work: a failure, whatever its exit status says."""
        return self in (Ending.UNREADY, Ending.UNHEALTHY, Ending.OVERDUE)

    @property
    def is_own(self) -> bool:
        """Nobody wanted it to end; what follows is a restart, by the restart policy."""
        return self is Ending.ITSELF or self.is_fault

    @property
    def counts(self) -> bool:
        """Nobody asked for the start that follows: it is counted as a restart."""
        return self.is_own or self is Ending.OVERSIZE


class ExitStatus(Struct, frozen=True):
    """How a program ended: a code, a signal, or unknown (both None), which is never read as 0."""

    code: int | None = None
    signal: int | None = None
    out_of_memory: bool = False
    """It was killed while the kernel killed processes for want of memory, and not by pmond."""

    @property
    def known(self) -> bool:
        return self.code is not None or self.signal is not None


class SourceLocation(NamedTuple):
    """Where a process is declared; empty for one of the command line."""

    file: str = ""
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.file else ""


NOWHERE = SourceLocation()
CLI = "cli"
"""The owner of processes that were submitted by command."""


class Hold(Struct, frozen=True):
    """What a person's `stop` and `start` lay over the spec; never silently reverted."""

    up: bool
    by: str
    at: str
    reason: str = ""
    until: str | None = None
    """When it ends by itself; None: when somebody lifts it."""


class Replica(Struct, frozen=True):
    """Its place among the processes that one entry stands for."""

    entry: ProcessSpec
    """What is declared: the name is that of all of them, and `${REPLICA}` stands in it as it was written."""
    index: int
    count: int
    """How many there are. Where the entry says something else, somebody has scaled it."""

    @property
    def scaled(self) -> bool:
        return self.count != self.entry.replicas


class Intent(Struct, frozen=True):
    """What is wanted of one process, by whom, and what a person laid over it.

    The one value for that, from a manifest's step to the row of the state file. `revision` follows
    from the spec where it is not given; a spec is exchanged by `with_spec`, which keeps it so.
    """

    spec: ProcessSpec
    revision: str = ""
    """Hash of the restart-relevant values; an instance of another revision is out of date."""
    id: int = 0
    """Small, for people; 0 until it is saved for the first time."""
    owner: str = CLI
    """``file:PATH``, a set's name, or `CLI`."""
    place: SourceLocation = NOWHERE
    generation: int = 1
    """Counts changes of the spec and of what a person asked for."""
    token: int = 1
    """Counts restarts that were asked for; an instance of a smaller token is replaced."""
    hold: Hold | None = None
    deferred: bool = False
    """A new revision waits for the next start instead of causing a restart."""
    staged: bool = False
    """It is new and starts when its turn in a rollout comes."""
    deleting: bool = False
    """It is to be stopped and then forgotten."""
    forced: bool = False
    """Stop with SIGKILL at once."""
    trusted: bool = True
    """It comes from somebody with the daemon's own rights; others' files are opened as their user."""
    asked_by: str = ""
    """Who asked for the run of the present token; empty: nobody in particular."""
    replica: Replica | None = None
    """None: its entry stands for nothing else."""
    undeclared: bool = False
    """Its owner no longer declares it; it is kept because it is protected, or nothing was pruned."""
    created_at: str = ""
    updated_at: str = ""

    def __post_init__(self) -> None:
        if not self.revision:
            force_setattr(self, "revision", revision(self.spec))

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def up(self) -> bool:
        """Whether it should run now."""
        return not self.staged and self.up_in_turn

    @property
    def up_in_turn(self) -> bool:
        """Whether it should run once its turn has come: deletion, then the hold, then the spec decides."""
        if self.deleting or self.is_none:
            return False
        return self.hold.up if self.hold is not None else self.spec.autostart

    @property
    def is_none(self) -> bool:
        """It stands for an entry of which there are no replicas."""
        return self.replica is not None and self.replica.count == 0

    @property
    def entry_name(self) -> str:
        """The name of what is declared: of all replicas the same."""
        return self.replica.entry.name if self.replica is not None else self.spec.name

    def with_spec(self, spec: ProcessSpec) -> Intent:
        """The same intent for another spec; the generation is the caller's to count."""
        return self if spec is self.spec else replace(self, spec=spec, revision="")


UNDECLARED = ProcessSpec(file="/")
"""What holds for a process of which nothing is wanted: the defaults."""
Files = tuple[tuple[str, str], ...]
"""For each path that a process watches, a digest of what is there."""


class Instance(Struct, frozen=True):
    """One run of a process. Times are in seconds of the loop's clock."""

    number: int
    """Counts the runs of this process; with the name it is the instance's identity."""
    pid: int
    revision: str
    token: int
    started_at: float
    phase: Phase = Phase.STARTING
    ending: Ending = Ending.ITSELF
    stop_reason: str = ""
    """Why it was asked to end, for people."""
    kill_at: float | None = None
    """The end of its grace: SIGKILL from then on."""
    killed_at: float | None = None
    """When SIGKILL was last sent."""
    ended_at: float | None = None
    """When its main program ended; set while the rest of its tree is being cleared."""
    exit: ExitStatus | None = None
    adopted: bool = False
    """It outlived an earlier pmond."""
    files: Files = ()
    """What its watched files said when it was started, or when it was last told to read them again."""
    reloading: Files | None = None
    """What they say that it is being told to read."""
    reload_error: str = ""
    """Why it could not be told; empty when it could."""
    needs: tuple[tuple[str, int], ...] = ()
    """Which runs there were of the dependencies whose replacement replaces it too."""
    ready: Probing = NOT_PROBED
    live: Probing = NOT_PROBED
    ready_at: float | None = None
    """When it first became ready, by its probe or by the clock."""
    lost_ready: bool = False
    """Its ready probe failed so often since then that it is not ready; until the next pass."""
    extended_until: float | None = None
    """It asked for time until then, to become ready or to run; or has it, to end as it says that it does."""
    said: str = ""
    """What it says of itself."""
    by: str = ""
    """Who asked for this run, or what (a reason of `timing`); empty: it is one that pmond made by itself."""
    announced: str = ""
    """That it is `stopping` or `reloading`, as it says."""
    memory: int = 0
    """Bytes that its tree held when it was last found to hold more than it may; 0: that was never so."""

    @property
    def ends_itself(self) -> bool:
        """It says that it is about to end: it serves no more, and nobody asks whether it lives."""
        return self.announced == "stopping"


class Flap(Struct, frozen=True):
    """Flap detection of one process; arithmetic in `flap`."""

    restarts: tuple[float, ...] = ()
    """When it was restarted after failures, within the window; at most the threshold."""
    since: float | None = None
    """Start of the backoff period, if it is in one."""
    forgiven: int = 0
    """How many restarts were given back in this backoff period."""


class History(Struct, frozen=True):
    """What the past runs of a process mean for the next one."""

    number: int = 0
    """The number of the last instance."""
    attempts: int = 0
    """Starts, or tries to start, of the present revision and token."""
    revision: str = ""
    token: int = 0
    ending: Ending | None = None
    """How the last instance came to end; None before the first end."""
    exit: ExitStatus | None = None
    daemonized: bool = False
    """The last main program ended with success at once and left others: it went to the background."""
    fault: str = ""
    """Why pmond took the last instance for failed and stopped it; empty when it did not."""
    pid: int = 0
    """Of the last instance, for people and event handlers; 0 before the first end."""
    error: str = ""
    """Why the last try to start failed; empty when it did not."""
    error_code: str = ""
    """The same as one word, such as FileNotFound."""
    error_transient: bool = False
    """The system had no resources for it; it is tried again whatever the restart policy says."""
    ended_at: float | None = None
    ran_for: float = 0.0
    streak: int = 0
    """Ends in a row without a stable run between them; the delay grows with it."""
    failures: tuple[float, ...] = ()
    """When it failed, newest last, as far as `max_failures` needs them."""
    restart_count: int = 0
    """Restarts shown to people: automatic ones and those asked for; `reset` clears it."""
    flap: Flap = Flap()
    hooking: Hooking | None = None
    """The last hook that was begun, or the one that is due after an end."""
    timing: Timing | None = None
    """What is known of its schedule."""


class State(Struct, frozen=True):
    """What is seen of one process."""

    instance: Instance | None = None
    history: History = History()
    files: Files = ()
    """What its watched files say now."""

    def run(self, number: int) -> Instance | None:
        """The instance, if it is that run; facts about another one are out of date."""
        return self.instance if self.instance is not None and self.instance.number == number else None


class FlapPolicy(Struct, frozen=True):
    """Flap detection as configured; counts of process-monitor intervals are kept as seconds."""

    enabled: bool = False
    threshold: int = 5
    countdown: float = 60.0
    decrement: float = 30.0


class Policy(Struct, frozen=True):
    """Settings of the whole daemon that decisions depend on. Seconds."""

    min_ready: float = 0.2
    """Alive this long counts as running, where there is no readiness probe."""
    settle: float = 1.0
    """Alive this long satisfies a dependant (`wait.dependent_process_enqueued`)."""
    empty_tree: float = 2.0
    """A tree that is not empty this long after SIGKILL is reported, and killed again."""
    flap: FlapPolicy = FlapPolicy()
    parallel_probes: int = 32
    """Commands of probes that run at once."""


class Desired(Struct, frozen=True):
    """Everything that is wanted, with the indexes that planning needs."""

    wanted: Mapping[str, Intent] = field(default_factory=dict)
    dependants: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """For each name, the processes that depend on it."""
    ending: bool = False
    """pmond shuts down and takes its processes along: nothing is up any more."""
    untrusted_until: float | None = None
    """While it shuts down: when what others than its owner want is killed, however long its own grace."""
    replicas: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The names of the processes that one entry stands for, by its name."""

    def named(self, name: str) -> tuple[str, ...]:
        """The processes that a name in a spec means: all replicas, or the one of that name."""
        return self.replicas.get(name) or (name,)

    def up(self, name: str) -> bool:
        wanted = self.wanted.get(name)
        return wanted is not None and wanted.up and not self.ending


Observed = Mapping[str, State]
NOTHING_SEEN = State()
