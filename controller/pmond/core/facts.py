"""Facts: what happened to one process, told to `evolve`. Times are the caller's `now`."""

from __future__ import annotations

from msgspec import Struct

from pmond.core.hooking import Moment
from pmond.core.model import Ending, ExitStatus, Files
from pmond.core.probing import Aspect


class Spawned(Struct, frozen=True):
    """Its program runs as `pid`."""

    name: str
    number: int
    pid: int
    revision: str
    token: int
    needs: tuple[tuple[str, int], ...] = ()
    """The runs of its dependencies that there were (see `actions.Start`)."""
    by: str = ""
    """Who asked for a run of this token; empty: nobody in particular."""


class SpawnFailed(Struct, frozen=True):
    """It could not be started. `code` is one word, `message` says why and what to do."""

    name: str
    number: int
    revision: str
    token: int
    code: str
    message: str
    transient: bool = False
    """The system had no resources for it: not the program's fault, never counted as its failure."""


class StopSent(Struct, frozen=True):
    """It was asked to end and has until `kill_at`."""

    name: str
    number: int
    ending: Ending
    kill_at: float
    reason: str = ""


class KillSent(Struct, frozen=True):
    """SIGKILL was sent to its tree."""

    name: str
    number: int
    ending: Ending


class Exited(Struct, frozen=True):
    """Its main program ended. `tree_left`: other processes of it are still alive."""

    name: str
    number: int
    exit: ExitStatus
    tree_left: bool = False


class TreeEmpty(Struct, frozen=True):
    """Nothing of an ended instance is alive any more."""

    name: str
    number: int


class Adopted(Struct, frozen=True):
    """It was found at start-up, left by an earlier pmond. `age` in seconds."""

    name: str
    number: int
    pid: int
    revision: str
    token: int
    age: float
    ending: Ending = Ending.ITSELF
    """Why the earlier pmond had asked it to end, or that it had not."""
    files: Files = ()
    """What its watched files said when it read them last, as far as that is known."""
    ready: bool = False
    """Its probe had found it ready, as far as that is known."""
    needs: tuple[tuple[str, int], ...] = ()
    by: str = ""
    """What asked for the run, where that is a schedule."""


class FilesSeen(Struct, frozen=True):
    """Its watched files say this now."""

    name: str
    files: Files


class MemoryHeld(Struct, frozen=True):
    """Its whole tree holds so many bytes of memory now; told when that may be more than it may."""

    name: str
    number: int
    bytes: int


class ReloadBegun(Struct, frozen=True):
    """It is being told to read its files again, as they are in `files`."""

    name: str
    number: int
    files: Files


class Reloaded(Struct, frozen=True):
    """It was told to read its files again. `error`: why that failed."""

    name: str
    number: int
    files: Files
    error: str = ""


class ProbeBegun(Struct, frozen=True):
    """Try `attempt` of a probe is under way."""

    name: str
    number: int
    aspect: Aspect
    attempt: int


class ProbePassed(Struct, frozen=True):
    """The result of a try: it passed."""

    name: str
    number: int
    aspect: Aspect
    attempt: int
    message: str = ""


class ProbeFailed(Struct, frozen=True):
    """The result of a try: it failed; `message` says how."""

    name: str
    number: int
    aspect: Aspect
    attempt: int
    message: str


class LineSeen(Struct, frozen=True):
    """It wrote a line that the pattern of its ready probe matches."""

    name: str
    number: int
    message: str


class Notified(Struct, frozen=True):
    """It said something of itself, by systemd's protocol. Empty fields say nothing."""

    name: str
    number: int
    ready: bool = False
    status: str | None = None
    watchdog: bool = False
    """It lives."""
    trigger: bool = False
    """It asks to be taken for dead."""
    announced: str = ""
    """`stopping` or `reloading`."""
    extend: float = 0.0
    """Seconds from now that it needs for what it is about."""


class HookBegun(Struct, frozen=True):
    """A command of a hook runs: the one at `index` of those of its moment."""

    name: str
    number: int
    moment: Moment
    index: int
    revision: str = ""
    token: int = 0
    """Of the start that it comes before."""


class HookEnded(Struct, frozen=True):
    """It ended. `error`: why that is a failure."""

    name: str
    number: int
    moment: Moment
    index: int
    error: str = ""
    transient: bool = False
    """Not the command's fault: the system had no resources for it, or its end was not seen."""
    given_up: bool = False
    """It was ended because it is not wanted any more, and so are those that would follow."""


class RunPlanned(Struct, frozen=True):
    """The next time of a schedule was worked out; what the fields mean says `timing.Timing`."""

    name: str
    key: str
    last: float
    last_at: float | None
    due: float | None
    due_at: float | None
    start_at: float | None
    missed: bool = False
    """Times before the present were left out."""
    overlapped: bool = False
    """Its time came while a run was going on."""


class ClockJumped(Struct, frozen=True):
    """The time of day was set: what follows from it is to be worked out anew."""

    name: str


class TimingDropped(Struct, frozen=True):
    """It is not wanted any more, and no time of it is waited for."""

    name: str


class DeadlinePassed(Struct, frozen=True):
    """A moment that an earlier plan waited for has come; `evolve` looks at the time alone."""

    name: str


class Reset(Struct, frozen=True):
    """A person cleared its counters."""

    name: str


class RestartAsked(Struct, frozen=True):
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
    | FilesSeen
    | MemoryHeld
    | ReloadBegun
    | Reloaded
    | ProbeBegun
    | ProbePassed
    | ProbeFailed
    | LineSeen
    | HookBegun
    | HookEnded
    | RunPlanned
    | ClockJumped
    | TimingDropped
    | Notified
)
