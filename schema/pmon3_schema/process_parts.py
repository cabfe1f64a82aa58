"""The parts of a process that have fields of their own: needs, restarts, stops, hooks, watches,
logs, limits."""

from __future__ import annotations

from collections.abc import Set
from fnmatch import fnmatch
from typing import Annotated, Any, Literal, Self

from pmon3_schema import input_schema
from pmon3_schema.effect import Effect
from pmon3_schema.field_types import (
    Commands,
    Duration,
    ExitCodes,
    Flag,
    FromText,
    Name,
    Number,
    Part,
    SignalNumber,
    Size,
    Texts,
    Whole,
    Words,
)
from pmon3_schema.fields import Conversion, field, mistake
from pmon3_schema.scalars import LARGEST_SIZE, MOST_COUNTED, MOST_REPLICAS
from pmon3_schema.substituted_text import as_text


class Dependency(Part, frozen=True):
    """Another process that this one needs. A plain name is one whose other fields are not said."""

    name: Name = field(description="the process that is needed")
    condition: Annotated[Literal["", "started", "ready", "completed"], FromText] = field(
        "", description="what it has to have come to; empty: what follows from how it is declared"
    )
    required: Flag = field(True, description="whether it has to be there; else only the order counts")
    restart: Flag = field(False, description="this one is restarted when that one was replaced")

    def to_plain(self) -> Any:
        record = self.to_record()
        return self.name if record.keys() == {"name"} else record

    @classmethod
    def from_plain(cls, plain: Any) -> Self:
        """The reverse of `to_plain`. Raises ValueError."""
        return cls(plain) if isinstance(plain, str) else cls.from_record(plain)


def _named(value: Any) -> Any:
    """A name alone stands for a dependency of which nothing else is said."""
    text = as_text(value)
    return {"name": text} if isinstance(text, str) else value


def _as_tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


Dependencies = Annotated[
    tuple[Annotated[Dependency, Conversion(_named, input_schema.NAME, beside=True)], ...],
    Conversion(_as_tuple),
]

_MOST_DOUBLINGS = 40  # 2**40 times any delay is past every cap; keeps the power finite


class RestartSpec(Part, frozen=True):
    """When a process that ended by itself is started again, and how soon."""

    policy: Annotated[Literal["always", "on-failure", "never"], FromText] = field(
        "always", effect=Effect.IN_PLACE, description="which endings are followed by a restart"
    )
    success_exit_codes: ExitCodes = field(
        (0,), effect=Effect.IN_PLACE, description="exit codes that count as success"
    )
    no_restart_exit_codes: ExitCodes = field(
        (), effect=Effect.IN_PLACE, description="exit codes after which it is never started again"
    )
    delay: Duration = field(
        0.1,
        effect=Effect.IN_PLACE,
        description="delay before the second restart in a row; the first is at once",
    )
    max_delay: Duration = field(
        60.0, effect=Effect.IN_PLACE, description="the delay doubles up to this, and is never below `delay`"
    )
    jitter: Number = field(
        0.1,
        effect=Effect.IN_PLACE,
        ge=0,
        le=1,
        description="share of the delay that varies between processes",
    )
    stable_after: Duration = field(
        10.0,
        effect=Effect.IN_PLACE,
        description="a run of this length makes the next restart immediate again",
    )
    max_failures: Whole = field(
        0,
        effect=Effect.IN_PLACE,
        ge=0,
        le=MOST_COUNTED,
        description="give up after this many failures within the window; 0: never",
    )
    window: Duration = field(60.0, effect=Effect.IN_PLACE, description="the window of max_failures")
    above_memory: Size = field(
        0,
        effect=Effect.IN_PLACE,
        description="replace it when its whole tree holds more memory than this; 0: whatever it holds",
    )

    def delay_after(self, streak: int) -> float:
        """Seconds before the next restart, jitter apart, after `streak` ends without a stable run between."""
        if streak <= 1:
            return 0.0
        doubled = self.delay * 2.0 ** min(streak - 2, _MOST_DOUBLINGS)
        return min(doubled, max(self.delay, self.max_delay))


class StopSpec(Part, frozen=True):
    """How a process is asked to end, and how long it may take."""

    signal: SignalNumber = field(15, effect=Effect.IN_PLACE, description="the signal that asks it to end")
    timeout: Duration = field(10.0, effect=Effect.IN_PLACE, description="time until SIGKILL")
    kill_group: Flag = field(
        True, effect=Effect.IN_PLACE, description="signal the whole process tree, not the main process alone"
    )


class HooksSpec(Part, frozen=True):
    """Commands around the runs of a process: with its user, folder, environment and log."""

    pre_start: Commands = field(
        (),
        effect=Effect.IN_PLACE,
        description="commands before each start, in order; one that fails fails the start",
    )
    post_stop: Commands = field(
        (),
        effect=Effect.IN_PLACE,
        description="commands after each end, when nothing of it is left; EXIT_CODE or EXIT_SIGNAL is set",
    )
    on_failure: Commands = field(
        (),
        effect=Effect.IN_PLACE,
        description="commands after a run or a start that failed, after post_stop",
    )
    timeout: Duration = field(
        60.0, effect=Effect.IN_PLACE, description="how long one command may take before it is killed"
    )


class WatchSpec(Part, frozen=True):
    """Files that the program reads: what happens when they change says `on_change`."""

    paths: Texts = field(
        (),
        effect=Effect.IN_PLACE,
        description="files, and folders with all below them, each as a whole; env_file counts too",
    )
    ignore: Texts = field(
        (),
        effect=Effect.IN_PLACE,
        description="names and globs in folders that do not count, besides hidden ones",
    )
    debounce: Duration = field(
        0.1,
        effect=Effect.IN_PLACE,
        description="how long they must have been still for a change to count",
    )

    def ignores(self, path: str) -> bool:
        """Whether the last part of a path is among those that do not count."""
        return any(fnmatch(path.rpartition("/")[2], pattern) for pattern in self.ignore)


class ReloadSpec(Part, frozen=True):
    """How the program is told to read its files again."""

    command: Words = field(
        (),
        effect=Effect.IN_PLACE,
        description="the program that tells it, run as its user with $MAINPID set"
        " (`pmon3 reload`, on_change: reload)",
    )
    signal: SignalNumber = field(
        1,
        effect=Effect.IN_PLACE,
        description="the signal to its main program (`pmon3 reload` without a command, on_change: signal)",
    )
    timeout: Duration = field(
        10.0, effect=Effect.IN_PLACE, description="how long the command may take before it is killed"
    )


class LogRotateSpec(Part, frozen=True):
    """When pmond rotates the log, and what it keeps. Off unless a size or an age is given."""

    size: Size = field(0, effect=Effect.IN_PLACE, description="rotate at this size; 0: whatever its size")
    age: Duration = field(0.0, effect=Effect.IN_PLACE, description="rotate after this time; 0: never")
    keep: Whole = field(
        5, effect=Effect.IN_PLACE, ge=1, le=MOST_COUNTED, description="rotated files that are kept"
    )
    total: Size = field(
        0,
        effect=Effect.IN_PLACE,
        description="what the log and its rotated files may take together, the oldest go first; 0: any",
    )
    compress: Flag = field(True, effect=Effect.IN_PLACE, description="compress all but the newest of them")

    def check(self, given: Set[str]) -> None:
        if self.total and not 0 < 2 * self.size <= self.total:
            raise mistake(
                "total", "total needs a size of at most half of it (for the log, and one rotated file)"
            )

    @property
    def wanted(self) -> bool:
        """Whether the log is to be rotated at all."""
        return self.size > 0 or self.age > 0


class RolloutSpec(Part, frozen=True):
    """How the replicas of a process are replaced when it changes, and what follows when that fails."""

    max_parallel: Whole = field(
        1,
        effect=Effect.NONE,
        ge=1,
        le=MOST_REPLICAS,
        description="replicas that are replaced at a time; the others serve meanwhile",
    )
    min_ready: Duration = field(
        0.0, effect=Effect.NONE, description="how long a new one is ready before the next one is replaced"
    )
    on_failure: Annotated[Literal["", "stop", "continue", "rollback"], FromText] = field(
        "",
        effect=Effect.NONE,
        description="when a new one does not become ready: stop, go on, or go back to the revision before;"
        " what the caller says by default",
    )
    pause: Duration = field(0.0, effect=Effect.NONE, description="the time between two replacements")


class LimitsSpec(Part, frozen=True):
    """Resource limits (soft and hard alike) of the started program."""

    nofile: Whole | None = field(
        None, effect=Effect.IN_PLACE, ge=0, le=LARGEST_SIZE, description="open files"
    )
    memory: Size | None = field(None, effect=Effect.IN_PLACE, description="address space, bytes")
    cpu_seconds: Whole | None = field(
        None, effect=Effect.IN_PLACE, ge=0, le=LARGEST_SIZE, description="processor time, seconds"
    )
    core: Size | None = field(None, effect=Effect.IN_PLACE, description="core file, bytes")
    nproc: Whole | None = field(
        None, effect=Effect.IN_PLACE, ge=0, le=LARGEST_SIZE, description="processes of the user"
    )
