"""When an upgrade is asked for: what comes to rest first, and what goes on when it fails.

From the answer to whoever asked until the new code listens, new clients queue at the socket: who
was told that pmond is upgraded is answered by the new code. What is checked and handed over: see `upgrade`.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from pmon3_schema.errors import ErrorCode, PmonError
from pmond.runtime.base.journal import Journal
from pmond.runtime.http.server import Server
from pmond.runtime.program.parts import Parts
from pmond.runtime.program.shutdown_sequence import ShutdownSequence
from pmond.runtime.program.upgrade import InPlaceUpgrade, held_back_signals

_LAUNCH_LIMIT = 1.0
"""Seconds that programs which are just being set up may take."""


class UpgradeSequence:
    """Takes pmond from its code to the installed code."""

    def __init__(
        self,
        upgrade: InPlaceUpgrade,
        parts: Parts,
        server: Server,
        shutdown_sequence: ShutdownSequence,
        journal: Journal,
        lock: int,
        open_files: int,
    ) -> None:
        """`lock`: the descriptor to hand over; `open_files`: the soft limit pmond was started with."""
        self._upgrade = upgrade
        self._journal = journal
        self._parts = parts
        self._server = server
        self._shutdown_sequence = shutdown_sequence
        self._lock = lock
        self._open_files = open_files
        self._tasks: set[asyncio.Task[None]] = set()

    async def upgrade(self) -> None:
        """Become the code that is installed now. Raises PmonError when it cannot be used."""
        if self._shutdown_sequence.begun:
            raise PmonError(ErrorCode.CONFLICT, "cannot upgrade: pmond is ending", "start it again instead")
        await self._upgrade.check()
        self._server.pause()
        self._tasks.add(asyncio.get_running_loop().create_task(self._become()))

    def asked(self) -> None:
        """SIGUSR2: the same; what is wrong is in the journal."""
        self._tasks.add(asyncio.get_running_loop().create_task(self._try()))

    async def _try(self) -> None:
        with suppress(PmonError):
            await self.upgrade()

    async def _become(self) -> None:
        parts = self._parts
        try:
            await self._come_to_rest_and_change()
        except Exception as error:  # the old code goes on, whatever is wrong
            self._journal.error("upgrade.failed", error)
        if self._shutdown_sequence.begun:
            return
        self._server.resume()
        parts.reaper.start()
        parts.loop.resume()

    async def _come_to_rest_and_change(self) -> None:
        """Returns only when the change was not made."""
        parts = self._parts
        parts.loop.pause()
        await asyncio.gather(parts.performer.launched(_LAUNCH_LIMIT), self._server.quiesce())
        parts.reaper.stop()  # from here on exits wait for the new code
        await parts.cgroups.settle()
        with held_back_signals():
            # Those that have come are taken now, the others by the new code: in one pass of the event loop
            # it is seen that there is one, in the next its handler runs, both after this task's turn.
            for _ in range(3):
                await asyncio.sleep(0)
            parts.loop.save()
            parts.timekeeper.save()
            if not self._shutdown_sequence.begun:
                notify = parts.notify_socket.fileno()
                self._upgrade.become(self._server.fileno(), self._lock, notify, self._open_files)
