"""Actions into system calls, and what comes of them into facts.

Theory of operation: `perform` carries one action out and tells the loop what happened. Exits come
from the reaper (children) and from pidfds (adopted processes). Starts are in `starter`; what a main
program leaves behind when it ends is in `tree_reaper`: an instance ends for the core only when its
whole tree is gone.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable

from pmond.core.actions import Action, Forget, Kill, PassDeadline, Reload, RunProbe, Start, Stop
from pmond.core.facts import DeadlinePassed, Exited, KillSent, ReloadBegun, Reloaded, StopSent
from pmond.core.model import ExitStatus
from pmond.runtime.base.clock import Clock
from pmond.runtime.base.failpoints import FailPoint, reached
from pmond.runtime.base.journal import Journal
from pmond.runtime.processes import tree
from pmond.runtime.processes.cgroups import Cgroups
from pmond.runtime.processes.identity import Identity, real_uid
from pmond.runtime.processes.instances import Instances, Running
from pmond.runtime.processes.spawn import SpawnContext
from pmond.runtime.state.starts import Starts
from pmond.runtime.supervise.loop import Loop
from pmond.runtime.supervise.orphans import Orphans
from pmond.runtime.supervise.probes.prober import Prober
from pmond.runtime.supervise.reloads import Reloads
from pmond.runtime.supervise.starter import Starter
from pmond.runtime.supervise.tree_reaper import TreeReaper


class Performer:
    """Carries actions out; knows the instances that run."""

    def __init__(
        self,
        loop: Loop,
        clock: Clock,
        journal: Journal,
        state_uuid: str,
        context: SpawnContext,
        forget: Callable[[str], None],
        starts: Starts,
        cgroups: Cgroups,
        watch_stranger: Callable[[Identity], bool],
    ) -> None:
        """`watch_stranger`: have `exited` called for a process that is not our child."""
        self.instances = instances = Instances()
        self.reloads = Reloads(loop)
        self.prober = Prober(loop, lambda: self.starter.context)
        self.starter = Starter(loop, clock, instances, starts, cgroups, state_uuid, context, self.prober)
        self._orphans = Orphans(instances, cgroups, state_uuid, clock, journal)
        self.tree_reaper = TreeReaper(loop, instances, cgroups, self._orphans, watch_stranger)
        self._loop = loop
        self._clock = clock
        self._journal = journal
        self._state_uuid = state_uuid
        self._forget = forget
        self._starts = starts
        self._cgroups = cgroups

    def perform(self, action: Action) -> None:
        """Carry out one action; the facts are told to the loop."""
        match action:
            case Start():
                self.starter.start(action)
            case Stop():
                self._stop(action)
            case Kill():
                self._kill(action)
            case Reload():
                self._reload(action)
            case RunProbe():
                self._probe(action)
            case PassDeadline():
                self._loop.tell(DeadlinePassed(action.name))
            case Forget():
                self._forget(action.name)

    def exited(self, pid: int, status: ExitStatus) -> None:
        """A child, or an adopted process, ended; called before a child is reaped."""
        running = self.instances.of_pid(pid)
        if running is not None and running.own and not running.group and 0 in running.uids:
            # What it has left may run as the user that it became. Where there are groups, they tell.
            running.note_uid(real_uid(pid))
        asyncio.get_running_loop().call_soon(self._after_reaping, pid, status)

    def rename(self, old: str, new: str) -> None:
        """A process is called `new` from now on."""
        self.starter.renames = True
        self.instances.rename(old, new)
        self.tree_reaper.rename(old, new)

    def group_of(self, pid: int, marker: str) -> str:
        """The control group of an instance that was started earlier, by one of its processes."""
        return self._cgroups.adopt(pid, marker)

    def exempt(self, name: str) -> None:
        """What an earlier instance of this process left running may go on."""
        self._orphans.exempt(name)

    def find_left(self) -> None:
        """Once, after adoption: what is in the groups of no instance are orphans, unless it is exempt."""
        for name, wanted in self._loop.desired.wanted.items():
            if not wanted.spec.stop.kill_group:
                self._orphans.exempt(name)
        self._cgroups.find_left({running.group for running in self.instances}, self._state_uuid)
        self._orphans.schedule_check()

    def sweep(self) -> None:
        """Look again at what no event may have told about."""
        self.tree_reaper.look()
        self._orphans.schedule_check()

    def _stop(self, action: Stop) -> None:
        running = self.instances.named(action.name, action.number)
        self.prober.forget(action.name, action.number)
        self._starts.note_stop(action.name, action.number, action.ending)
        reached(FailPoint.STOP_NOTED)
        if running is not None:
            self._ask(running, action.signal, action.tree)
        reached(FailPoint.STOP_SENT)
        kill_at = self._clock.now() + action.grace
        self._loop.tell(StopSent(action.name, action.number, action.ending, kill_at, action.reason))
        if running is None:
            self._gone(action.name, action.number)

    def _reload(self, action: Reload) -> None:
        running = self.instances.named(action.name, action.number)
        if running is None or running.ended:
            return  # its end is told, and a new instance reads the files by itself
        wanted = self._loop.desired.wanted[action.name]
        if wanted.spec.on_change == "reload":
            self.reloads.begin(running, wanted, action.files, self.starter.context)
            return
        self._loop.tell(ReloadBegun(action.name, action.number, action.files))
        self._ask(running, wanted.spec.reload.signal, False)
        self._loop.tell(Reloaded(action.name, action.number, action.files))

    def _probe(self, action: RunProbe) -> None:
        running = self.instances.named(action.name, action.number)
        if running is None or running.ended:
            return  # its end is told
        self.prober.begin(action, running, self._loop.desired.wanted[action.name])

    def _ask(self, running: Running, number: int, whole_tree: bool) -> None:
        if running.own and not running.ended:
            send = tree.signal_group if whole_tree else tree.signal_main
            send(running.pid, number, resume=True)
            return
        everyone = whole_tree or running.ended
        for identity in self.tree_reaper.reachable(running) if everyone else {running.identity}:
            tree.try_signal(identity, number)
            tree.try_signal(identity, signal.SIGCONT)

    def _kill(self, action: Kill) -> None:
        running = self.instances.named(action.name, action.number)
        self._starts.note_stop(action.name, action.number, action.ending)
        self._loop.tell(KillSent(action.name, action.number, action.ending))
        if running is None:
            self._gone(action.name, action.number)
            return
        if action.tree:
            self._cgroups.kill(running.group)
        if not running.ended:
            if running.own:
                send = tree.signal_group if action.tree else tree.signal_main
                send(running.pid, signal.SIGKILL)
            else:
                tree.try_signal(running.identity, signal.SIGKILL)
        if action.tree and (running.ended or not running.own):
            self.tree_reaper.kill(running)
        reached(FailPoint.KILL_SENT)

    def _after_reaping(self, pid: int, status: ExitStatus) -> None:
        running = self.instances.of_pid(pid)
        if running is None:
            self.tree_reaper.look()
            return
        self.starter.report(running)
        self.instances.main_ended(running)
        self.prober.forget(running.name, running.number)
        if running.failure is not None:
            self.tree_reaper.remove(running)
            self.starter.failed(running, running.failure)
            return
        left = self.tree_reaper.leaves_tree(running)
        if left:
            self.tree_reaper.expect(running)
        else:
            self.tree_reaper.remove(running)
        self._loop.tell(Exited(running.name, running.number, status, tree_left=left))
        if left:
            self.tree_reaper.follow_up(running)
        self._orphans.schedule_check()

    def _gone(self, name: str, number: int) -> None:
        """The core believes in an instance that is not there: say that it ended, somehow."""
        self._journal.warn("instance.missing", name=name, number=number)
        self._loop.tell(Exited(name, number, ExitStatus()))
