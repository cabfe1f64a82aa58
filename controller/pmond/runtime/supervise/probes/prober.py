"""The tries that are under way: begun when the core asks, ended when they answer, are late, or unwanted.

At most one try of each kind of an instance runs at a time, whatever the core asks (a result may have
been lost on its way to it); commands wait for one of the places that config.yml gives them. The
results are facts.
"""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Callable
from functools import partial

from msgspec import Struct

from pmon3_schema.probes import ProbeSpec
from pmon3_schema.scalars import format_duration
from pmond.core.actions import RunProbe
from pmond.core.facts import LineSeen, ProbeBegun, ProbeFailed, ProbePassed
from pmond.core.model import ExitStatus, Intent
from pmond.core.probing import Aspect
from pmond.runtime.access import users
from pmond.runtime.processes import environment
from pmond.runtime.processes.failures import SpawnError
from pmond.runtime.processes.instances import Running
from pmond.runtime.processes.launch import SpawnContext, prepare
from pmond.runtime.supervise.loop import Loop
from pmond.runtime.supervise.probes.command import PROBE, ProbeCommand, command_of
from pmond.runtime.supervise.probes.log_listener import LogListener
from pmond.runtime.supervise.probes.network import Ongoing, begin_http, begin_tcp
from pmond.runtime.supervise.probes.result import ProbeResult

_AS_PMOND = "a socket would see pmond, not the user of the process (ask it by exec: curl --unix-socket)"
"""Pmond must not lend its rights to whoever names a socket."""

Key = tuple[str, int, Aspect]


_SHARE = 4
"""Of the places for commands, processes that root did not declare have half, those of one user this part."""


class _Try(Struct):
    """One that is under way, or waits for its place."""

    key: Key
    attempt: int
    limit: float
    of: str = ""
    """The user of a process that root did not declare; empty for all others."""
    ongoing: Ongoing | None = None
    command: ProbeCommand | None = None
    timer: asyncio.TimerHandle | None = None
    unwanted: bool = False


class Prober:
    """Runs tries, and tells the loop what came of them."""

    def __init__(self, loop: Loop, context: Callable[[], SpawnContext]) -> None:
        self._loop = loop
        self._context = context
        self._tries: dict[Key, _Try] = {}
        self._commands: dict[int, _Try] = {}
        self._waiting: deque[tuple[_Try, Running, Intent]] = deque()
        self._listeners: dict[tuple[str, int], LogListener] = {}

    def begin(self, action: RunProbe, running: Running, intent: Intent) -> None:
        """Try a probe, unless it is being tried already."""
        key = (action.name, action.number, action.aspect)
        self._loop.tell(ProbeBegun(*key, action.attempt))
        known = self._tries.get(key)
        if known is not None:
            known.attempt = action.attempt
            return
        probe = _probe_of(intent, action.aspect)
        of = "" if intent.trusted else intent.spec.user
        one = self._tries[key] = _Try(key, action.attempt, probe.timeout, of)
        match probe.kind:
            case "exec":
                self._waiting.append((one, running, intent))
                self._begin_waiting()
            case "http" if probe.http.is_local and users.uid_of(intent.spec.user) != os.geteuid():
                self._finish(one, ProbeResult(False, _AS_PMOND))
            case "http":
                self._note(one, begin_http(probe.http, one.of, partial(self._finish, one)))
            case "tcp":
                self._note(one, begin_tcp(probe.tcp, one.of, partial(self._finish, one)))
            case _:
                self._finish(one, ProbeResult(False, "there is no such probe any more"))

    def expect(self, name: str, number: int, listener: LogListener) -> None:
        """Listen to what an instance writes that was just started."""
        self._listeners[name, number] = listener
        try:
            listener.listen(lambda line: self._heard(name, number, line))
        except OSError:
            listener.close()

    def exited(self, pid: int, status: ExitStatus) -> bool:
        """A child ended; False when it is none of these."""
        one = self._commands.pop(pid, None)
        if one is None or one.command is None:
            return False
        one.command.exited(status)
        self._begin_waiting()
        return True

    def forget(self, name: str, number: int) -> None:
        """An instance has ended, or is asked to: nothing is asked of it any more."""
        listener = self._listeners.pop((name, number), None)
        if listener is not None:
            listener.close()
        for aspect in Aspect:
            one = self._tries.pop((name, number, aspect), None)
            if one is not None:
                self._drop(one)

    @property
    def pids(self) -> set[int]:
        """The commands that run."""
        return set(self._commands)

    def _drop(self, one: _Try) -> None:
        one.unwanted = True
        if one.ongoing is not None:
            one.ongoing.cancel()
        if one.timer is not None and one.command is None:
            one.timer.cancel()
        if one.command is not None:
            one.command.end("its process has ended")

    def _begin_waiting(self) -> None:
        """Begin those for whom there is a place. Who takes long has others of his wait, and nobody else."""
        passed: deque[tuple[_Try, Running, Intent]] = deque()
        while self._waiting and len(self._commands) < self._loop.policy.parallel_probes:
            one, running, intent = self._waiting.popleft()
            if one.unwanted or running.ended:
                continue
            if self._has_place(one.of):
                self._begin_command(one, running, intent)
            else:
                passed.append((one, running, intent))
        self._waiting.extendleft(reversed(passed))

    def _has_place(self, user: str) -> bool:
        if not user:
            return True
        most = self._loop.policy.parallel_probes
        others = [one.of for one in self._commands.values() if one.of]
        return len(others) < max(1, most // 2) and others.count(user) < max(1, most // _SHARE)

    def _begin_command(self, one: _Try, running: Running, intent: Intent) -> None:
        words = _probe_of(intent, one.key[2]).exec
        variables = {"MAINPID": str(running.pid), PROBE: str(one.attempt)}
        spec = command_of(intent.spec, words, variables)
        try:
            mark = _mark(running.marker, one.key[2])
            launch = prepare(
                spec,
                context=self._context(),
                marker=mark,
                trusted=intent.trusted,
                replica=intent.replica,
            )
            one.command = ProbeCommand(launch, lambda result: self._finish(one, result))
        except SpawnError as error:
            self._finish(one, ProbeResult(False, error.message.replace(f"cannot start {spec.name}: ", "", 1)))
            return
        self._commands[one.command.pid] = one
        late = f"took longer than {format_duration(one.limit)}"
        one.timer = asyncio.get_running_loop().call_later(one.limit, one.command.end, late)

    def _note(self, one: _Try, ongoing: Ongoing) -> None:
        """It goes on by itself, unless it has its result already, or takes too long."""
        if self._tries.get(one.key) is one:
            one.ongoing = ongoing
            one.timer = asyncio.get_running_loop().call_later(one.limit, self._be_late, one)

    def _be_late(self, one: _Try) -> None:
        if one.ongoing is not None:
            one.ongoing.cancel()
        self._finish(one, ProbeResult(False, f"no answer within {format_duration(one.limit)}"))

    def _finish(self, one: _Try, result: ProbeResult) -> None:
        if one.timer is not None:
            one.timer.cancel()
        if one.unwanted or self._tries.pop(one.key, None) is None:
            return
        of = (*one.key, one.attempt)
        fact = ProbePassed(*of, result.message) if result.passed else ProbeFailed(*of, result.message)
        self._loop.tell(fact)

    def _heard(self, name: str, number: int, line: str) -> None:
        self._listeners.pop((name, number), None)
        self._loop.tell(LineSeen(name, number, line))


def _mark(marker: str, aspect: Aspect) -> str:
    """The mark of a command: what it leaves running is an orphan, and no part of the instance."""
    parsed = environment.parse_marker(marker)
    assert parsed is not None, "pmond has made it"
    state, name, number = parsed
    return environment.marker(state, f"{name}/{aspect.value}", number)


def _probe_of(intent: Intent, aspect: Aspect) -> ProbeSpec:
    return intent.spec.ready if aspect is Aspect.READY else intent.spec.live
