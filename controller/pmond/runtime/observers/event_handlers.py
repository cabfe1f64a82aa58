"""Event handlers: programs of the administrator that are told of restarts, failures and backoffs.

Theory of operation: at the end of each turn the core says which steps are worth a notification. For each one
the process is described as JSON at once, and the commands of that event are queued behind the
earlier ones of the same process: per process one after the other, over all a few at a time.
Nothing in the loop waits for them. The JSON is one argument, the last; no shell sees it. A handler
has a time limit, after which its group gets SIGTERM and then SIGKILL. One that fails is told in
the journal with the end of its output; it is not tried again.

The exits of handlers come from the daemon's one reaper, as those of all children do.
"""

from __future__ import annotations

import asyncio
import signal
from collections import deque
from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct

from pmon3_schema.settings import EventHandling
from pmond.core.events import ProcessEvent
from pmond.core.model import ExitStatus, State
from pmond.core.notifications import Notification, NotificationType, notification
from pmond.runtime.base.clock import Clock
from pmond.runtime.base.journal import Journal
from pmond.runtime.processes.short_command import ShortCommand, ShortCommandError
from pmond.runtime.supervise.loop import Loop

AT_ONCE = 4
"""Handlers that run at the same time."""
_MOST_WAITING = 100
"""Of one process; a handler slower than a crash loop must not use up memory."""
_GRACE_SECONDS = 5.0
"""Between SIGTERM and SIGKILL of a handler that takes too long."""

Command = tuple[str, ...]
Describe = Callable[[Notification], str | None]
"""The JSON for handlers; None for a process that is not declared any more."""


class _HandlerJob(Struct, frozen=True):
    type: NotificationType
    commands: tuple[Command, ...]
    text: str
    time_limit: float


class EventHandlers:
    """Runs event handlers, in order for each process."""

    def __init__(
        self,
        loop: Loop,
        settings: Callable[[], EventHandling],
        describe: Describe,
        environment: Mapping[str, str],
        clock: Clock,
        journal: Journal,
        quiet_until: float,
    ) -> None:
        self._loop = loop
        self._settings = settings
        self._describe = describe
        self._environment = environment
        self._clock = clock
        self._journal = journal
        self._quiet_until = quiet_until
        """Until then restarts notify nobody (`initialization_period`)."""
        self._waiting: dict[str, deque[_HandlerJob]] = {}
        self._workers: dict[str, asyncio.Task[None]] = {}
        self._running: dict[int, ShortCommand] = {}
        self._free = asyncio.Semaphore(AT_ONCE)

    def turn_ended(self, before: Mapping[str, State], happened: Sequence[ProcessEvent]) -> None:
        """Look at what changed in one turn."""
        settings = self._settings()
        if not any(getattr(settings, f"process_{type}") for type in NotificationType):
            return
        now, loop = self._clock.now(), self._loop
        for name, old in before.items():
            found = notification(name, old, loop.desired, loop.observed, now, loop.policy)
            if found is not None and not (found.type is NotificationType.RESTART and now < self._quiet_until):
                self._queue(found, settings)

    def exited(self, pid: int, status: ExitStatus) -> bool:
        """A child ended; False when it is none of the handlers."""
        handler = self._running.pop(pid, None)
        if handler is None:
            return False
        handler.ended(status)
        return True

    def close(self) -> None:
        """Start no more. Those that run end by themselves."""
        left = sum(map(len, self._waiting.values()))
        for worker in self._workers.values():
            worker.cancel()
        if left:
            self._journal.warn("handler.not_run", count=left)

    def _queue(self, found: Notification, settings: EventHandling) -> None:
        commands: tuple[Command, ...] = getattr(settings, f"process_{found.type}")
        text = self._describe(found) if commands else None
        if text is None:
            return
        waiting = self._waiting.setdefault(found.name, deque())
        if len(waiting) == _MOST_WAITING:
            waiting.popleft()
            self._journal.warn("handler.not_run", name=found.name, count=1)
        waiting.append(_HandlerJob(found.type, commands, text, settings.timeout))
        if found.name not in self._workers:
            self._workers[found.name] = asyncio.get_running_loop().create_task(self._work(found.name))

    async def _work(self, name: str) -> None:
        """Run what waits for one process, one after the other."""
        waiting = self._waiting[name]
        try:
            while waiting:
                async with self._free:
                    job = waiting.popleft()
                    for command in job.commands:
                        await self._run(name, command, job)
        finally:
            del self._waiting[name], self._workers[name]

    async def _run(self, name: str, command: Command, job: _HandlerJob) -> None:
        try:
            handler = ShortCommand(command, job.text, self._environment)
        except ShortCommandError as error:
            self._journal.error("handler.failed", name=name, type=job.type, message=str(error))
            return
        self._running[handler.pid] = handler
        problem = await self._outcome(handler, job.time_limit)
        if problem:
            self._journal.error(
                "handler.failed", name=name, type=job.type, program=command[0], message=problem,
                output=handler.output,
            )  # fmt: skip
        else:
            self._journal.debug("handler.done", name=name, type=job.type, program=command[0])

    async def _outcome(self, handler: ShortCommand, time_limit: float) -> str:
        """Wait for the end; what went wrong, or nothing."""
        if await handler.wait(time_limit):
            return handler.problem
        handler.signal(signal.SIGTERM)
        if not await handler.wait(_GRACE_SECONDS):
            handler.signal(signal.SIGKILL)
            await handler.wait(None)
        return f"it took longer than {time_limit:g} s and was ended"
