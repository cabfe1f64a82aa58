"""Orphans: processes that bear the marker of an instance that is no more.

Theory of operation: a program that forks twice and leaves its session outlives its instance. It
becomes our child, because the daemon is a subreaper, and has the instance's marker in its
environment; a control group also holds those that have cleared theirs. After an exit, once restarts
are under way, such processes are asked to end, and killed if they are still there after a while. A
program that wants to leave something running says so: `stop: {kill_group: false}`.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress

from pmond.runtime.base.clock import Clock
from pmond.runtime.base.failpoints import FailPoint, reached
from pmond.runtime.base.journal import Journal
from pmond.runtime.processes import descendants
from pmond.runtime.processes.cgroups import Cgroups
from pmond.runtime.processes.environment import parse_marker
from pmond.runtime.processes.identity import Identity, is_alive, send_signal
from pmond.runtime.processes.instances import Instances

_GRACE = 10.0
"""Seconds between SIGTERM and SIGKILL; the default of `stop.timeout`."""
_LONGEST = 2 * _GRACE
"""Seconds until `clear` gives up: those that are asked first are killed in the middle of it."""
_LOOK_AGAIN = 1.0
"""Seconds, where nobody could look."""
_AFTER_EXITS = 0.05
"""Seconds to let exits gather: one look at all children serves a thousand exits."""


class Orphans:
    """Finds and ends them."""

    def __init__(
        self,
        instances: Instances,
        programs: Callable[[], Collection[int]],
        cgroups: Cgroups,
        state_uuid: str,
        clock: Clock,
        journal: Journal,
    ) -> None:
        """`programs`: the pids of our children that were started as such, and are nobody's orphans."""
        self._instances = instances
        self._programs = programs
        self._cgroups = cgroups
        self._state_uuid = state_uuid
        self._clock = clock
        self._journal = journal
        self._foreign: dict[Identity, str] = {}
        """Those that are not our children, as an earlier pmond left them, by marker."""
        self._asked: dict[Identity, float] = {}
        self._none = asyncio.Event()
        """None is left, as far as the last look tells."""
        self._timer: asyncio.TimerHandle | None = None
        self._spared: set[str] = set()

    def exempt(self, name: str) -> None:
        """What this process leaves running may go on."""
        self._spared.add(name)

    def unexempt(self, name: str) -> None:
        """What this process leaves running is an orphan, as that of every other."""
        self._spared.discard(name)

    def include(self, marker: str, identities: Iterable[Identity]) -> None:
        """What an earlier pmond has left of an instance that is no more."""
        self._foreign.update(dict.fromkeys(identities, marker))

    def schedule_check(self) -> None:
        """Look once, shortly, whenever those that are asked already are looked at again."""
        loop = asyncio.get_running_loop()
        at = loop.time() + _AFTER_EXITS
        if self._timer is not None and self._timer.when() <= at:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer = loop.call_at(at, self._look)

    def one_ended(self) -> None:
        """A child ended that was no main program; perhaps the last of them."""
        if self._asked:
            self.schedule_check()

    async def clear(self) -> None:
        """Have all of them end, and wait for that; not for those that outlive SIGKILL."""
        self._none.clear()
        self._look()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._none.wait(), _LONGEST)
        if self._asked:
            self._journal.error("orphans.live_on", pids=[identity.pid for identity in self._asked])

    def _look(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        now = self._clock.now()
        found: dict[Identity, float] = {}
        try:
            suspects = list(self._suspects())
        except OSError:  # no descriptor is left to look with: nobody is forgotten
            self._timer = asyncio.get_running_loop().call_later(_LOOK_AGAIN, self._look)
            return
        for marker, identities in suspects:
            if self._is_stray(marker):
                for identity in identities:
                    if identity not in found:
                        found[identity] = self._end(identity, marker, now)
        self._asked = found
        if not found:
            self._none.set()
        else:
            self._timer = asyncio.get_running_loop().call_later(_GRACE / 2, self._look)

    def _suspects(self) -> Iterator[tuple[str, list[Identity]]]:
        seen = descendants.orphans(self._programs())
        self._cgroups.note_orphans(seen)
        yield from seen.by_marker.items()
        yield from self._cgroups.orphans().items()
        self._foreign = {one: marker for one, marker in self._foreign.items() if is_alive(one)}
        yield from ((marker, [one]) for one, marker in self._foreign.items())

    def _is_stray(self, marker: str) -> bool:
        parsed = parse_marker(marker)
        if parsed is None or parsed[0] != self._state_uuid or parsed[1] in self._spared:
            return False
        # By the marker at last: a process that was renamed bears that of its old name.
        known = self._instances.named(parsed[1], parsed[2]) or self._instances.bearer(marker)
        return known is None

    def _end(self, identity: Identity, marker: str, now: float) -> float:
        """Ask it to end, or kill it when it was asked long ago; when it was asked first."""
        asked_at = self._asked.get(identity, now)
        number = signal.SIGKILL if now - asked_at >= _GRACE else signal.SIGTERM
        if identity not in self._asked or number == signal.SIGKILL:
            self._journal.warn("orphan.signalled", pid=identity.pid, marker=marker, signal=number.name)
            try:
                send_signal(identity, number)
                reached(FailPoint.ORPHAN_ASKED)
            except OSError as error:
                self._journal.warn("orphan.out_of_reach", pid=identity.pid, marker=marker, error=str(error))
        return asked_at
