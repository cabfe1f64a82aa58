"""The history lines that one step of `evolve` means, for people: a closed set of words.

Derived from the states before and after, so that every path to a state tells the same story.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Any

from msgspec import Struct, field

from pmon3_schema.scalars import signal_name
from pmond.core.case import changed_files, describe_end, describe_exit, has_daemonized
from pmond.core.model import Ending, History, Instance, Phase, State


class EventType(StrEnum):
    """What can be read in a process's history."""

    STARTED = "Started"
    """A new instance was spawned."""
    START_FAILED = "StartFailed"
    """It could not be spawned; the message says why."""
    RUNNING = "Running"
    """It has lived long enough to count as running, or its probe found it ready."""
    READY = "Ready"
    """Its ready probe passes: for the first time, or again."""
    NOT_READY = "NotReady"
    """Its ready probe failed several times in a row; it runs on."""
    READY_TIMEOUT = "ReadyTimeout"
    """It was not ready in time, and is stopped for it."""
    UNHEALTHY = "Unhealthy"
    """Its live probe failed several times in a row, and it is stopped for it."""
    OVERDUE = "Overdue"
    """A one-shot took longer than it may, and is stopped for it."""
    HOOK_FAILED = "HookFailed"
    """A command after an end failed; the message says how."""
    MEMORY_EXCEEDED = "MemoryExceeded"
    """Its tree held more memory than `restart.above_memory`, and it is replaced."""
    EXITED = "Exited"
    """It ended by itself; the message has its exit code or signal."""
    TREE_LEFT = "TreeLeft"
    """Its main program ended and left other processes behind, which are cleared."""
    STOPPING = "Stopping"
    """It was asked to end; the message says why: who stopped it, or what changed."""
    KILLED = "Killed"
    """Its time to end was over: SIGKILL."""
    STOPPED = "Stopped"
    """It ended as asked."""
    FILES_CHANGED = "FilesChanged"
    """A file that it watches says something else than when it read it."""
    RELOADED = "Reloaded"
    """It was told to read its files again."""
    RELOAD_FAILED = "ReloadFailed"
    """It could not be told, or its reload command failed; the message says why."""
    ADOPTED = "Adopted"
    """A pmond that started found it running and took it over."""


class ProcessEvent(Struct, frozen=True):
    """One line of history. `fields` has what a program would want to know."""

    name: str
    type: EventType
    message: str
    fields: dict[str, Any] = field(default_factory=dict)


def events(name: str, before: State, after: State) -> Iterator[ProcessEvent]:
    """The lines that the step from `before` to `after` means."""
    if before is after:
        return
    old, new = before.instance, after.instance
    if new is not None and (old is None or old.number != new.number):
        yield _appeared(name, before.history, new)
    elif new is not None and old is not None:
        yield from _moved(name, old, new)
        yield from _reread(name, before, after, old, new)
    elif old is not None and after.history.error:  # its launcher says that it never became the program
        yield _start_failed(name, after.history)
    elif old is not None:
        yield _ended(name, old, after.history)
    yield from _hooks(name, before.history, after.history)
    if after.history.error and after.history.number != before.history.number:
        yield _start_failed(name, after.history)


def _start_failed(name: str, history: History) -> ProcessEvent:
    fields = {"code": history.error_code, "instance": history.number}
    return ProcessEvent(name, EventType.START_FAILED, history.error, fields)


def _hooks(name: str, before: History, after: History) -> Iterator[ProcessEvent]:
    """A failed command after an end; one before a start is told as a start that failed."""
    old, new = before.hooking, after.hooking
    if old is None or new is None or not old.under_way or new.under_way or not new.error:
        return
    fields = {"hook": new.moment.value, "instance": new.number}
    yield ProcessEvent(name, EventType.HOOK_FAILED, new.error, fields)


def _appeared(name: str, history: History, new: Instance) -> ProcessEvent:
    fields = {"pid": new.pid, "instance": new.number}
    if new.adopted:
        return ProcessEvent(name, EventType.ADOPTED, f"found running as pid {new.pid} and taken over", fields)
    own = history.ending is not None and history.ending.counts
    again = own or bool(history.error)
    return ProcessEvent(
        name, EventType.STARTED, f"{'started again' if again else 'started'} as pid {new.pid}", fields
    )


def _moved(name: str, old: Instance, new: Instance) -> Iterator[ProcessEvent]:
    fields = {"pid": new.pid, "instance": new.number}
    if old.phase is Phase.STARTING and new.phase is Phase.RUNNING:
        yield ProcessEvent(name, EventType.RUNNING, "running", fields)
    yield from _readiness(name, old, new, fields)
    if new.ended_at is not None and old.ended_at is None:
        yield ProcessEvent(
            name,
            EventType.TREE_LEFT,
            f"{_described(new)}; other processes of it are left{_advice(new)}",
            fields,
        )
    if new.killed_at is not None and old.killed_at != new.killed_at:
        yield ProcessEvent(name, EventType.KILLED, "killed with SIGKILL", fields)
    elif new.kill_at is not None and old.kill_at is None:
        yield ProcessEvent(name, _STOPPING_TYPES.get(new.ending, EventType.STOPPING), _why(new), fields)


def _readiness(name: str, old: Instance, new: Instance, fields: dict[str, Any]) -> Iterator[ProcessEvent]:
    """What its ready probe changes; where there is none, running is all there is to say."""
    first = old.ready_at is None and new.ready_at is not None and new.ready.ok is not None
    if first or (old.lost_ready and not new.lost_ready):
        said = f": {new.ready.message}" if new.ready.message else ""
        yield ProcessEvent(name, EventType.READY, f"ready{said}", fields)
    elif new.lost_ready and not old.lost_ready:
        yield ProcessEvent(name, EventType.NOT_READY, f"not ready: {new.ready.message}", fields)
    elif new.ends_itself and not old.ends_itself and new.phase is Phase.RUNNING:
        yield ProcessEvent(name, EventType.NOT_READY, "it says that it is stopping", fields)
    elif old.ends_itself and not new.ends_itself and new.phase is Phase.RUNNING:
        yield ProcessEvent(name, EventType.READY, "ready: it stops no more, it says", fields)


def _reread(name: str, before: State, after: State, old: Instance, new: Instance) -> Iterator[ProcessEvent]:
    fields = {"pid": new.pid, "instance": new.number}
    changed = changed_files(after)
    if changed and before.files != after.files:
        yield ProcessEvent(name, EventType.FILES_CHANGED, f"{', '.join(changed)} changed", fields)
    if old.reloading is not None and new.reloading is None:
        if new.reload_error:
            yield ProcessEvent(name, EventType.RELOAD_FAILED, new.reload_error, fields)
        else:
            yield ProcessEvent(name, EventType.RELOADED, "told to read its files again", fields)


def _ended(name: str, old: Instance, history: History) -> ProcessEvent:
    exit = history.exit
    fields: dict[str, Any] = {"pid": old.pid, "instance": old.number, "ran_for": round(history.ran_for, 3)}
    if old.by:
        fields["by"] = old.by
    if old.ending.is_fault:
        fields["fault"] = old.ending.value
    if exit is not None:
        fields["exit_code"] = exit.code
        fields["exit_signal"] = signal_name(exit.signal) if exit.signal is not None else None
    asked = old.ending is not Ending.ITSELF
    if exit is not None and exit.out_of_memory and not asked:
        fields["out_of_memory"] = True
    message = describe_exit(exit) if asked else describe_end(exit)
    return ProcessEvent(name, EventType.STOPPED if asked else EventType.EXITED, message, fields)


def _advice(ended: Instance) -> str:
    return (
        " (a program that goes to the background is to run in the foreground)"
        if has_daemonized(ended)
        else ""
    )


def _described(ended: Instance) -> str:
    return describe_end(ended.exit) if ended.ending is Ending.ITSELF else describe_exit(ended.exit)


_STOPPING_TYPES = {
    Ending.UNREADY: EventType.READY_TIMEOUT,
    Ending.UNHEALTHY: EventType.UNHEALTHY,
    Ending.OVERDUE: EventType.OVERDUE,
    Ending.OVERSIZE: EventType.MEMORY_EXCEEDED,
}


def _why(stopping: Instance) -> str:
    what = {
        Ending.ITSELF: "clearing what its main program left behind",
        Ending.UNWANTED: "asked to end",
        Ending.SUPERSEDED: "asked to end, to be started anew",
        Ending.SHUTDOWN: "asked to end, as pmond shuts down",
        Ending.UNREADY: "asked to end",
        Ending.UNHEALTHY: "asked to end",
        Ending.OVERDUE: "asked to end",
        Ending.OVERSIZE: "asked to end, to be started anew",
    }[stopping.ending]
    said = "" if stopping.ending in (Ending.ITSELF, Ending.SHUTDOWN) else stopping.stop_reason
    return f"{what}: {said}" if said else what
