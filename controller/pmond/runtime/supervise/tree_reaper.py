"""What a main program leaves behind: found, followed up, and gone before its instance counts as ended.

Theory of operation: at every end of a main program all that knows its instance is asked whether
something of it is left: its control group; and where that need not hold all of it (see `cgroups`), or there
is none, our children, by marker, session and process group, which costs what they are in number. The core
is told with the end, and plans no restart until nothing is left. What is left is sent what the main
program was sent, and killed when that was killed. Processes with `kill_group: false` are spared.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Collection
from contextlib import suppress

from pmond.core.facts import TreeEmpty
from pmond.runtime.base.failpoints import FailPoint, reached
from pmond.runtime.processes import descendants, process_table, tree, tree_claims
from pmond.runtime.processes.cgroups import Cgroups, Grouped
from pmond.runtime.processes.identity import Identity, read_stat, real_uid
from pmond.runtime.processes.instances import Instances, Running
from pmond.runtime.processes.tree import TreeMembership
from pmond.runtime.supervise.loop import Loop
from pmond.runtime.supervise.orphans import Orphans

_LOOK_AGAIN = 0.02
"""Seconds."""


class TreeReaper:
    """Knows the members of each instance, and the instances of which only members are left."""

    def __init__(
        self,
        loop: Loop,
        instances: Instances,
        programs: Callable[[], Collection[int]],
        cgroups: Cgroups,
        orphans: Orphans,
        watch_stranger: Callable[[Identity], bool],
    ) -> None:
        """`programs`: the pids of our children that were started as such. `watch_stranger`: have `look`
        called when a process that is not our child ends.
        """
        self._loop = loop
        self._instances = instances
        self._cgroups = cgroups
        self._orphans = orphans
        self._watch_stranger = watch_stranger
        self._left: dict[str, Running] = {}
        self._killing: set[asyncio.Task[None]] = set()
        self._trees: TreeMembership = descendants.Descendants(programs, instances.users)
        self._table: TreeMembership = process_table.ProcessTable()

    def members(self, running: Running) -> frozenset[Identity]:
        """Everything alive that belongs to an instance. Raises OSError when the system lets nobody look."""
        return self._membership(running).members(running.root)

    def reachable(self, running: Running) -> frozenset[Identity]:
        """The same as far as it can be found now: without a descriptor to look with, nothing."""
        try:
            return self.members(running)
        except OSError:
            return frozenset()

    def may_live(self, running: Running) -> bool:
        """Whether anything of it lives. What cannot be looked at may, and is killed until it can be."""
        try:
            return self._membership(running).may_live(running.root)
        except OSError:
            return True

    def note_users(self, running: Running) -> None:
        """As whom its programs run, while it lives: nothing tells later whose child an orphan was."""
        if not running.ended and self._may_change_users(running):
            with suppress(OSError):  # where nobody can look, the last user of its main program has to do
                running.uids |= tree_claims.users_below(running.root)

    def note_last_user(self, running: Running) -> None:
        """Of its main program, which has ended and is not reaped: what it has left may run as the same."""
        if self._may_change_users(running):
            with suppress(OSError):
                running.note_uid(real_uid(running.pid))

    def _may_change_users(self, running: Running) -> bool:
        """Root may become anybody, as many servers do. Where a group holds all of them, the group tells."""
        return 0 in running.uids and not self._cgroups.encloses(running.group)

    def leaves_tree(self, running: Running) -> bool:
        """Whether processes of the instance outlived its main program."""
        wanted = self._loop.desired.wanted.get(running.name)
        if wanted is not None and not wanted.spec.stop.kill_group:
            self._orphans.exempt(running.name)
            return False
        self._orphans.unexempt(running.name)
        return self.may_live(running)

    def expect(self, running: Running) -> None:
        """Have the end of what its main program left behind noticed."""
        self._left[running.name] = running
        # Somebody may have been taken for alive who is on nobody's list any more.
        asyncio.get_running_loop().call_later(_LOOK_AGAIN, self.look)
        if running.own:
            return  # we are told: orphans become children of pmond
        for identity in self.reachable(running):
            if not self._watch_stranger(identity):
                asyncio.get_running_loop().call_soon(self.look)

    def follow_up(self, running: Running) -> None:
        """Bring what was already done to its group to those of the tree that had left the group."""
        state = self._loop.observed.get(running.name)
        instance = state.instance if state is not None else None
        if instance is not None and instance.killed_at is not None:
            self.kill(running)
            return
        wanted = self._loop.desired.wanted.get(running.name)
        if instance is None or instance.kill_at is None or wanted is None or not running.own:
            return
        for identity in self.reachable(running):
            stat = read_stat(identity.pid)
            if stat is not None and stat.group != running.pid:
                tree.try_signal(identity, wanted.spec.stop.signal)
                tree.try_signal(identity, signal.SIGCONT)

    def kill(self, running: Running) -> None:
        """Kill until nothing is left; the core is told when that is so."""
        task = asyncio.get_running_loop().create_task(self._kill_tree(running))
        self._killing.add(task)
        task.add_done_callback(self._killing.discard)

    def look(self) -> None:
        """A stranger ended: an orphan, perhaps the last one of a tree that is being cleared."""
        for running in list(self._left.values()):
            if not self.may_live(running):
                self._tree_empty(running)

    def remove(self, running: Running) -> None:
        """Nothing is left of it."""
        self._instances.remove(running)
        self._cgroups.left(running.group, running.marker)

    def keep(self, running: Running) -> None:
        """An adopted instance whose main program has ended already, but not all of its tree."""
        self._instances.add(running)
        self._instances.main_ended(running)
        self.expect(running)

    def rename(self, old: str, new: str) -> None:
        """A process is called `new` from now on."""
        if old in self._left:
            self._left[new] = self._left.pop(old)

    async def _kill_tree(self, running: Running) -> None:
        self._cgroups.kill(running.group)
        membership, wait = self._membership(running), self._loop.policy.empty_tree
        try:
            survivors = await tree.kill_tree(membership, running.root, wait)
        except OSError:  # nobody can look now; the core has it killed again
            return
        if not survivors and running.ended:
            self._tree_empty(running)

    def _membership(self, running: Running) -> TreeMembership:
        search = self._trees if running.own else self._table
        return Grouped(self._cgroups, running.group, search) if running.group else search

    def _tree_empty(self, running: Running) -> None:
        reached(FailPoint.TREE_EMPTY)
        self._left.pop(running.name, None)
        self.remove(running)
        self._loop.tell(TreeEmpty(running.name, running.number))
