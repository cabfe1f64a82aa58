"""What an operator says to programs that run: a signal, or to read their files again.

Theory of operation: nothing of it is kept. A program that is started anew has read its files and knows of no
earlier signal, so what is lost with a killed pmond is lost to the caller alone, who hears nothing. It is done
to all that are named or to none: first each is looked at, then each is told.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence

from msgspec import Struct

from pmon3_schema.errors import ErrorCode, PmonError
from pmon3_schema.scalars import signal_name
from pmond.core.model import Intent
from pmond.runtime.access import users
from pmond.runtime.processes import tree
from pmond.runtime.processes.identity import Identity, real_uid
from pmond.runtime.processes.instances import Instances, Running
from pmond.runtime.supervise.loop import Loop
from pmond.runtime.supervise.perform import Performer

Announce = Callable[[str, str, str], None]


class _Told(Struct, frozen=True):
    """A process that runs, and whom of it a signal goes to."""

    intent: Intent
    running: Running
    members: frozenset[Identity]


class Signalling:
    """Tells them."""

    def __init__(self, loop: Loop, instances: Instances, performer: Performer, announce: Announce) -> None:
        self._loop = loop
        self._instances = instances
        self._performer = performer
        self._announce = announce

    def signal(self, chosen: Sequence[Intent], number: int, *, whole_tree: bool, by: str) -> None:
        """Send a signal to main programs, or to whole trees.

        Raises PmonError, having sent nothing: `conflict` when one does not run, `forbidden` when what it runs
        has become somebody else's than its user.
        """
        told = [self._told(one, whole_tree) for one in chosen]
        for one in told:
            for identity in one.members:
                tree.try_signal(identity, number)
            whom = "its whole tree" if whole_tree else f"pid {one.running.pid}"
            said = f"{by} sent {signal_name(number)} to {whom}"
            self._announce("Signalled", said, one.intent.name)

    async def reload(self, chosen: Sequence[Intent]) -> None:
        """Have programs read their files again, as their specs say; return when they have been told.

        Raises PmonError: as `signal`; `conflict` too while one is being told already; `unmet` with what was
        wrong when a reload command fails.
        """
        told = [(one, self._running("reload", one)) for one in chosen]
        for one, _ in told:
            seen = self._loop.observed[one.name].instance
            if seen is not None and seen.reloading is not None:
                why = f"cannot reload {one.name}: it is being reloaded already"
                raise PmonError(ErrorCode.CONFLICT, why, "try again when that has ended")
        ends = [self._performer.reload(one, running) for one, running in told]
        errors = await asyncio.shield(asyncio.gather(*ends))
        failed = [f"{one.name}: {error}" for (one, _), error in zip(told, errors, strict=True) if error]
        if failed:
            raise PmonError(
                ErrorCode.UNMET, f"cannot reload {'; '.join(failed)}", "see reload in the manifest"
            )

    def _told(self, one: Intent, whole_tree: bool) -> _Told:
        running = self._running("signal", one)
        try:
            members = self._performer.members(running) if whole_tree else frozenset({running.identity})
        except OSError as error:
            why = f"cannot signal {one.name}: its tree cannot be looked at: {error.strerror}"
            raise PmonError(ErrorCode.INTERNAL, why, "leave out --tree") from None
        if not one.trusted:
            _check_whose(one, members)
        return _Told(one, running, members)

    def _running(self, verb: str, one: Intent) -> Running:
        running = self._instances.get(one.name)
        if running is None or running.ended:
            raise PmonError(
                ErrorCode.CONFLICT, f"cannot {verb} {one.name}: it does not run", f"see pmon3 desc {one.name}"
            )
        return running


def _check_whose(one: Intent, members: Iterable[Identity]) -> None:
    """What has become somebody else's (set-user-ID) is none of its user's to signal."""
    user = users.uid_of(one.spec.user)
    if any(real_uid(member.pid) not in (user, None) for member in members):
        raise PmonError(
            ErrorCode.FORBIDDEN,
            f"cannot signal {one.name}: a process of it belongs to somebody else than {one.spec.user}",
            "ask as root",
        )
