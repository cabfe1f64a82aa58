"""Takes over the commands of hooks that were under way when an earlier pmond ended.

Theory of operation: such a command bears a mark of its own, which is that of no process. It is never started
a second time beside itself: one that still runs is watched, and of one that does not nobody saw the end.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from pmond.core.facts import HookBegun
from pmond.runtime.processes.identity import pidfd_inode, real_uid
from pmond.runtime.supervise.hooks import HookId, parse_noted
from pmond.runtime.supervise.loop import Loop
from pmond.runtime.supervise.perform import Performer
from pmond.runtime.supervise.survivors import Run, Survivor, Unclaimed
from pmond.runtime.supervise.takeover import uids_of


class AdoptedHooks:
    """Used at start, before the loop acts."""

    def __init__(self, loop: Loop, performer: Performer) -> None:
        self._loop = loop
        self._performer = performer

    def noted(self, starts: Iterable[Run]) -> None:
        """They were perhaps started, in a turn of which nothing was saved: they never are again."""
        for start in starts:
            hook = parse_noted(*start)
            wanted = self._loop.desired.wanted.get(hook.name) if hook is not None else None
            if hook is not None and wanted is not None:
                run = (hook.name, hook.number, hook.moment, hook.index)
                self._loop.tell(HookBegun(*run, wanted.revision, wanted.token))

    def take(self, unclaimed: Sequence[Unclaimed]) -> list[Unclaimed]:
        """Go on with those that run, and say of the others that nobody saw their end; what is left over."""
        taken: dict[Run, Survivor] = {}
        for name, state in list(self._loop.observed.items()):
            hooking = state.history.hooking
            if state.instance is not None or hooking is None or not hooking.under_way:
                continue
            hook = HookId(name, hooking.number, hooking.moment, hooking.begun - 1)
            main = self._main_of(hook, unclaimed)
            if main is not None:
                taken[hook.noted_as, hook.number] = main
            identity = replace(main.identity, pidfd_inode=pidfd_inode(main.pid)) if main is not None else None
            self._performer.adopt_hook(hook, identity, main is not None and main.own)
        return [
            rest for one in unclaimed if (rest := _without(one, taken.get((one.name, one.number)))).members
        ]

    def take_lost(self, unclaimed: Sequence[Unclaimed]) -> list[Unclaimed]:
        """The same where the state that knew them is lost: by their marks alone."""
        running = [one for one in unclaimed if self._is_running(one)]
        self.noted((one.name, one.number) for one in running)
        return self.take(unclaimed) if running else list(unclaimed)

    def _is_running(self, one: Unclaimed) -> bool:
        hook = parse_noted(one.name, one.number)
        return hook is not None and self._main_of(hook, [one]) is not None

    def _main_of(self, hook: HookId, unclaimed: Sequence[Unclaimed]) -> Survivor | None:
        wanted = self._loop.desired.wanted.get(hook.name)
        if wanted is None:
            return None
        uids = uids_of(wanted)
        mine = (one for one in unclaimed if (one.name, one.number) == (hook.noted_as, hook.number))
        return next((m for one in mine for m in one.members if m.leads and real_uid(m.pid) in uids), None)


def _without(one: Unclaimed, taken: Survivor | None) -> Unclaimed:
    return replace(one, members=[member for member in one.members if member is not taken]) if taken else one
