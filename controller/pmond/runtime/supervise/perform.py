"""Actions into system calls, and what comes of them into facts.

Theory of operation: `perform` carries one action out and tells the loop what happened. Exits come
from the reaper (children) and from pidfds (adopted processes). Starts are in `starter`; what a main
program leaves behind when it ends is in `tree_reaper`: an instance ends for the core only when its
whole tree is gone.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Collection, Iterable

from pmond.core.actions import (
    Action,
    DropTiming,
    EndHook,
    Forget,
    Kill,
    PassDeadline,
    PlanRun,
    Reload,
    RunHook,
    RunProbe,
    Start,
    Stop,
)
from pmond.core.facts import DeadlinePassed, Exited, KillSent, ReloadBegun, Reloaded, StopSent
from pmond.core.model import ExitStatus, Files, Intent
from pmond.runtime.base.clock import Clock
from pmond.runtime.base.failpoints import FailPoint, reached
from pmond.runtime.base.journal import Journal
from pmond.runtime.processes import tree
from pmond.runtime.processes.adopted_exits import AdoptedExits
from pmond.runtime.processes.cgroups import Cgroups
from pmond.runtime.processes.identity import Identity
from pmond.runtime.processes.instances import Instances, Running
from pmond.runtime.processes.memory import MemoryKills
from pmond.runtime.processes.seal import Seal
from pmond.runtime.processes.spawn import SpawnContext
from pmond.runtime.state.starts import Starts
from pmond.runtime.supervise.hooks import HookId, Hooks
from pmond.runtime.supervise.loop import Loop
from pmond.runtime.supervise.orphans import Orphans
from pmond.runtime.supervise.probes.prober import Prober
from pmond.runtime.supervise.reloads import Reloads, done
from pmond.runtime.supervise.starter import Starter
from pmond.runtime.supervise.tree_reaper import TreeReaper


class Performer:
    """Carries actions out; knows the instances that run."""

    def __init__(
        self,
        loop: Loop,
        instances: Instances,
        context: Callable[[], SpawnContext],
        starts: Starts,
        cgroups: Cgroups,
        adopted_exits: AdoptedExits,
        memory_kills: MemoryKills,
        clock: Clock,
        journal: Journal,
        state_uuid: str,
        seal: Seal,
        renamed: bool,
    ) -> None:
        """`renamed`: a process may bear the marker of another name."""
        self._reloads = Reloads(loop)
        self._prober = Prober(loop, context)
        self._hooks = Hooks(loop, context, starts, state_uuid, adopted_exits.watch)
        self._starter = Starter(
            loop, instances, context, starts, cgroups, self._prober, clock, state_uuid, seal, renamed
        )
        self._orphans = Orphans(instances, self._programs, cgroups, state_uuid, clock, journal)
        self._tree_reaper = TreeReaper(loop, instances, self._programs, cgroups, self._orphans, self.watch)
        self._loop = loop
        self._instances = instances
        self._context = context
        self._adopted_exits = adopted_exits
        self._memory_kills = memory_kills
        self._clock = clock
        self._journal = journal
        self._state_uuid = state_uuid
        self._starts = starts
        self._cgroups = cgroups

    def perform(self, action: Action) -> bool:
        """Carry out one action, unless it is none of system calls; the facts are told to the loop."""
        match action:
            case Start():
                self._starter.start(action)
            case Stop():
                self._stop(action)
            case Kill():
                self._kill(action)
            case Reload():
                self._reload(action)
            case RunProbe():
                self._probe(action)
            case RunHook():
                self._hooks.begin(action)
            case EndHook():
                self._hooks.end(action)
            case PassDeadline():
                self._loop.tell(DeadlinePassed(action.name))
            case Forget() | PlanRun() | DropTiming():
                return False
        return True

    def exited(self, pid: int, status: ExitStatus) -> bool:
        """A child ended, of which nobody else knows anything: a command for a process, or a process."""
        if self._hooks.exited(pid, status) or self._prober.exited(pid, status):
            self._orphans.schedule_check()  # they may have left something running
        elif not self._reloads.exited(pid, status):
            self.process_exited(pid, status)
        return True

    def process_exited(self, pid: int, status: ExitStatus) -> None:
        """A process ended, perhaps an adopted one; called before a child is reaped."""
        running = self._instances.of_pid(pid)
        if running is not None and running.own:
            self._tree_reaper.note_last_user(running)
        status = self._memory_kills.explained(status, running.group if running is not None else "")
        asyncio.get_running_loop().call_soon(self._after_reaping, pid, status)

    def watch(self, identity: Identity) -> bool:
        """Be told of the end of a process that is not our child; False when it is gone already."""
        return self._adopted_exits.watch(identity, self.process_exited)

    def renamed(self, one: Intent, name: str) -> None:
        """What runs of it goes on under its new name."""
        self._starter.renamed = True
        self._instances.rename(one.name, name)
        self._tree_reaper.rename(one.name, name)

    def adopt_hook(self, hook: HookId, identity: Identity | None, own: bool) -> None:
        """A command of a hook was under way when an earlier pmond ended; `identity`: it still runs."""
        self._hooks.adopt(hook, identity, own)

    def keep(self, running: Running) -> None:
        """Go on with an adopted instance whose main program has ended, but not all of its tree."""
        self._tree_reaper.keep(running)

    def members(self, running: Running) -> frozenset[Identity]:
        """Everything alive that belongs to an instance. Raises OSError when the system lets nobody look."""
        return self._tree_reaper.members(running)

    async def launched(self, seconds: float) -> None:
        """Wait until all programs that are being set up have been reached, but not for longer than that."""
        await self._starter.launched(seconds)

    def reload(self, wanted: Intent, running: Running) -> asyncio.Future[str]:
        """Have a program read its files again, by command or by signal. Answers what went wrong."""
        files = self._loop.observed[wanted.name].files
        return self._have_reload(running, wanted, files, by_command=bool(wanted.spec.reload.command))

    def group_of(self, pid: int, marker: str) -> str:
        """The control group of an instance that was started earlier, by one of its processes."""
        return self._cgroups.adopt(pid, marker)

    def group_named(self, marker: str) -> str:
        """The same where nothing of it is known but its marker."""
        return self._cgroups.of(marker)

    def may_live(self, running: Running) -> bool:
        """Whether anything of an instance lives, as far as anybody can tell."""
        return self._tree_reaper.may_live(running)

    def end_orphans(self, marker: str, identities: Iterable[Identity]) -> None:
        """Have these end, which an earlier pmond has left of an instance that is no more."""
        self._orphans.include(marker, identities)

    def exempt(self, name: str) -> None:
        """What an earlier instance of this process left running may go on."""
        self._orphans.exempt(name)

    def find_left(self) -> None:
        """Once, after adoption: what is in the groups of no instance are orphans, unless it is exempt."""
        for name, wanted in self._loop.desired.wanted.items():
            if not wanted.spec.stop.kill_group:
                self._orphans.exempt(name)
        self._cgroups.find_left({running.group for running in self._instances}, self._state_uuid)
        self._orphans.schedule_check()

    async def clear_orphans(self) -> None:
        """Have all that instances have left behind end, for as long as that takes at most."""
        await self._orphans.clear()

    def _programs(self) -> Collection[int]:
        """The pids of our children that were started as such: what else is our child was left to us."""
        commands = self._prober.pids | self._reloads.pids | self._hooks.pids
        mains = self._instances.mains()
        return mains | commands if commands else mains  # of ten thousand, joining them costs 0.3 ms

    def look_again(self) -> None:
        """At what is left of trees, and for orphans."""
        self._tree_reaper.look()
        self._orphans.schedule_check()

    def _stop(self, action: Stop) -> None:
        running = self._instances.named(action.name, action.number)
        self._prober.forget(action.name, action.number)
        self._starts.note_stop(action.name, action.number, action.ending)
        reached(FailPoint.STOP_NOTED)
        if running is not None:
            self._tree_reaper.note_users(running)
            self._ask(running, action.signal, action.tree)
        reached(FailPoint.STOP_SENT)
        kill_at = self._clock.now() + action.grace
        self._loop.tell(StopSent(action.name, action.number, action.ending, kill_at, action.reason))
        if running is None:
            self._gone(action.name, action.number)

    def _reload(self, action: Reload) -> None:
        running = self._instances.named(action.name, action.number)
        if running is None or running.ended:
            return  # its end is told, and a new instance reads the files by itself
        wanted = self._loop.desired.wanted[action.name]
        self._have_reload(running, wanted, action.files, by_command=wanted.spec.on_change == "reload")

    def _have_reload(
        self, running: Running, wanted: Intent, files: Files, *, by_command: bool
    ) -> asyncio.Future[str]:
        if by_command:
            return self._reloads.begin(running, wanted, files, self._context())
        self._loop.tell(ReloadBegun(running.name, running.number, files))
        self._ask(running, wanted.spec.reload.signal, False)
        self._loop.tell(Reloaded(running.name, running.number, files))
        return done("")

    def _probe(self, action: RunProbe) -> None:
        running = self._instances.named(action.name, action.number)
        if running is None or running.ended:
            return  # its end is told
        self._prober.begin(action, running, self._loop.desired.wanted[action.name])

    def _ask(self, running: Running, number: int, whole_tree: bool) -> None:
        if running.own and not running.ended:
            send = tree.signal_group if whole_tree else tree.signal_main
            send(running.pid, number, resume=True)
            return
        everyone = whole_tree or running.ended
        for identity in self._tree_reaper.reachable(running) if everyone else {running.identity}:
            tree.try_signal(identity, number)
            tree.try_signal(identity, signal.SIGCONT)

    def _kill(self, action: Kill) -> None:
        running = self._instances.named(action.name, action.number)
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
            self._tree_reaper.kill(running)
        reached(FailPoint.KILL_SENT)

    def _after_reaping(self, pid: int, status: ExitStatus) -> None:
        running = self._instances.of_pid(pid)
        if running is None:
            self._tree_reaper.look()
            self._orphans.one_ended()
            return
        self._starter.report(running)
        self._instances.main_ended(running)
        self._prober.forget(running.name, running.number)
        if running.failure is not None:
            self._tree_reaper.remove(running)
            self._starter.failed(running, running.failure)
            return
        left = self._tree_reaper.leaves_tree(running)
        if left:
            self._tree_reaper.expect(running)
        else:
            self._tree_reaper.remove(running)
        self._loop.tell(Exited(running.name, running.number, status, tree_left=left))
        if left:
            self._tree_reaper.follow_up(running)
        self._orphans.schedule_check()

    def _gone(self, name: str, number: int) -> None:
        """The core believes in an instance that is not there: say that it ended, somehow."""
        self._journal.warn("instance.missing", name=name, number=number)
        self._loop.tell(Exited(name, number, ExitStatus()))
