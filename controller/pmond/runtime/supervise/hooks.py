"""Hooks: commands before a start and after an end, run as a start of their process would be.

Theory of operation: a command has the user, folder, environment, limits and log of its process, and a mark
of its own by which it, and what it leaves running, is known from a run of the process. It is noted before
it is started, so that a pmond that is killed in between never starts it a second time. Its end, reported
by the daemon's one reaper, is a fact. One that takes too long is killed; what it has left in its process
group ends with it, and what has left that too is an orphan. A command that outlives its pmond is watched by
the next one.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from contextlib import suppress

from msgspec import Struct

from pmon3_schema.scalars import format_duration, signal_name
from pmond.core import hooking
from pmond.core.actions import EndHook, RunHook
from pmond.core.case import describe_exit
from pmond.core.facts import HookBegun, HookEnded
from pmond.core.hooking import Moment
from pmond.core.model import NOTHING_SEEN, ExitStatus, Intent
from pmond.runtime.base.failpoints import FailPoint, reached
from pmond.runtime.processes import environment, tree
from pmond.runtime.processes.failures import SpawnError
from pmond.runtime.processes.identity import Identity
from pmond.runtime.processes.launch import SpawnContext, prepare
from pmond.runtime.processes.spawn import Child, read_report, spawn
from pmond.runtime.state.starts import Starts
from pmond.runtime.supervise.loop import Loop
from pmond.runtime.supervise.probes.command import command_of

_HOOK = "PMON3_HOOK"
"""The variable that says to a command which hook it is."""
_SHOWN = 60
"""Characters of a command that a message shows."""


class HookId(Struct, frozen=True):
    """One command of one run."""

    name: str
    number: int
    moment: Moment
    index: int

    @property
    def noted_as(self) -> str:
        """In notes and marks it has the place of a process: no process can have that name."""
        return f"{self.name}/{self.moment.value}/{self.index}"


def parse_noted(text: str, number: int) -> HookId | None:
    """What was noted; None: it is no hook."""
    rest, _, index = text.rpartition("/")
    name, _, moment = rest.rpartition("/")
    if not name or not index.isascii() or not index.isdecimal() or moment not in set(Moment):
        return None
    return HookId(name, number, Moment(moment), int(index))


class _HookCommand(Struct):
    """One that runs."""

    id: HookId
    words: tuple[str, ...]
    child: Child | None
    """None: it was found running."""
    identity: Identity | None = None
    timer: asyncio.TimerHandle | None = None
    late: str = ""
    given_up: str = ""


class Hooks:
    """Runs them, at most one for each process."""

    def __init__(
        self,
        loop: Loop,
        context: Callable[[], SpawnContext],
        starts: Starts,
        state_uuid: str,
        watch: Callable[[Identity, Callable[[int, ExitStatus], None]], bool],
    ) -> None:
        """`watch`: be told of the end of a process that is not our child; False when it is gone already."""
        self._loop = loop
        self._context = context
        self._starts = starts
        self._state_uuid = state_uuid
        self._watch = watch
        self._running: dict[int, _HookCommand] = {}

    def begin(self, action: RunHook) -> None:
        """Run a command; the loop is told how that ends."""
        id = HookId(action.name, action.number, action.moment, action.index)
        wanted = self._loop.desired.wanted[action.name]
        words = hooking.commands(wanted.spec.hooks, action.moment)[action.index]
        self._starts.note(id.noted_as, id.number)
        reached(FailPoint.HOOK_NOTED)
        try:
            child = self._spawn(id, words, wanted)
        except SpawnError as error:
            self._begun(id, wanted)
            self._end(id, _could_not(id, words, error.message), transient=error.transient)
            return
        reached(FailPoint.HOOK_SPAWNED)
        limit = wanted.spec.hooks.timeout
        timer = asyncio.get_running_loop().call_later(limit, self._too_late, child.pid, limit)
        self._running[child.pid] = _HookCommand(id, words, child, timer=timer)
        self._begun(id, wanted)

    def end(self, action: EndHook) -> None:
        """End what runs; the fact follows, at once where nothing runs."""
        known = [one for one in self._running.values() if one.id.name == action.name]
        for one in known:
            one.given_up = action.reason
            self._kill(one)
        if not known:
            id = HookId(action.name, action.number, action.moment, action.index)
            self._end(id, action.reason, given_up=True)

    def adopt(self, id: HookId, identity: Identity | None, own: bool) -> None:
        """A command that was under way when an earlier pmond ended; `identity`: it still runs."""
        wanted = self._loop.desired.wanted.get(id.name)
        if identity is None or wanted is None:
            self._end(id, _unseen(id), transient=True)
            return
        spec = wanted.spec.hooks
        words = hooking.commands(spec, id.moment)[id.index : id.index + 1]
        found = _HookCommand(id, words[0] if words else (), None, identity)
        self._running[identity.pid] = found
        found.timer = asyncio.get_running_loop().call_later(
            spec.timeout, self._too_late, identity.pid, spec.timeout
        )
        if not own and not self._watch(identity, self._stranger_ended):
            self._stranger_ended(identity.pid, ExitStatus())

    def exited(self, pid: int, status: ExitStatus) -> bool:
        """A child ended; False when it is none of these. Called before its number is free."""
        command = self._running.pop(pid, None)
        if command is None:
            return False
        if command.timer is not None:
            command.timer.cancel()
        tree.signal_group(pid, signal.SIGKILL)  # what it has left in its group
        failure = _failure(command.child)
        if failure is not None:
            self._end(command.id, _could_not(command.id, command.words, failure.message))
        elif command.given_up:
            self._end(command.id, command.given_up, given_up=True)
        elif not status.known:
            self._end(command.id, _unseen(command.id), transient=True)
        else:
            self._end(command.id, _problem(command, status))
        return True

    @property
    def pids(self) -> set[int]:
        """The commands that run."""
        return set(self._running)

    def _spawn(self, id: HookId, words: tuple[str, ...], wanted: Intent) -> Child:
        variables = {_HOOK: id.moment.value}
        if id.moment is not Moment.PRE_START:
            variables |= self._how_it_ended(id.name)
        spec = command_of(wanted.spec, words, variables)
        marker = environment.marker(self._state_uuid, id.noted_as, id.number)
        launch = prepare(
            spec,
            context=self._context(),
            marker=marker,
            trusted=wanted.trusted,
            replica=wanted.replica,
        )
        return spawn(launch)

    def _how_it_ended(self, name: str) -> dict[str, str]:
        exit = self._loop.observed.get(name, NOTHING_SEEN).history.exit
        if exit is None or not exit.known:
            return {}
        if exit.signal is not None:
            return {"EXIT_SIGNAL": signal_name(exit.signal)}
        return {"EXIT_CODE": str(exit.code)}

    def _begun(self, id: HookId, wanted: Intent) -> None:
        self._loop.tell(HookBegun(id.name, id.number, id.moment, id.index, wanted.revision, wanted.token))

    def _end(self, id: HookId, error: str, *, transient: bool = False, given_up: bool = False) -> None:
        self._loop.tell(HookEnded(id.name, id.number, id.moment, id.index, error, transient, given_up))

    def _too_late(self, pid: int, limit: float) -> None:
        command = self._running.get(pid)
        if command is not None:
            command.late = f"took longer than {format_duration(limit)} and was killed"
            self._kill(command)

    def _kill(self, command: _HookCommand) -> None:
        if command.identity is not None:
            tree.try_signal(command.identity, signal.SIGKILL)
        elif command.child is not None:
            tree.signal_group(command.child.pid, signal.SIGKILL)

    def _stranger_ended(self, pid: int, status: ExitStatus) -> None:
        asyncio.get_running_loop().call_soon(self._take_stranger, pid, status)

    def _take_stranger(self, pid: int, status: ExitStatus) -> None:
        command = self._running.pop(pid, None)
        if command is None:
            return
        if command.timer is not None:
            command.timer.cancel()
        if command.given_up:
            self._end(command.id, command.given_up, given_up=True)
        elif status.known:
            self._end(command.id, _problem(command, status))
        else:
            self._end(command.id, _unseen(command.id), transient=True)


def _failure(child: Child | None) -> SpawnError | None:
    """Why the launcher of a command never became it."""
    if child is None or child.report_fd is None:
        return None
    with suppress(BlockingIOError):
        return read_report(child)
    os.close(child.report_fd)
    return None


def _problem(command: _HookCommand, status: ExitStatus) -> str:
    if status == ExitStatus(code=0):
        return ""
    return (
        f"its {command.id.moment.value} hook {_shown(command.words)} {command.late or describe_exit(status)}"
    )


def _could_not(id: HookId, words: tuple[str, ...], message: str) -> str:
    """The words of a failed start, for a command that is none of the process itself."""
    hook = f"its {id.moment.value} hook {_shown(words)}"
    return message.replace(f"cannot start {id.name}:", f"cannot run {hook}:", 1)


def _unseen(id: HookId) -> str:
    return f"its {id.moment.value} hook ran when pmond was killed, and nobody saw how it ended"


def _shown(words: tuple[str, ...]) -> str:
    """The program of a command; its arguments may be nobody's business."""
    text = words[0] if words else ""
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
