"""Actions into system calls, and what comes of them into facts.

Theory of operation: `perform` carries one action out and tells the loop what happened. Exits come
from the reaper (children) and from pidfds (adopted processes). A main program that ended is
followed up by what it left behind: its process group at every exit, and the whole tree, with
orphans that made sessions of their own, when it was being stopped. An instance ends for the core
only when its tree is empty.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable

from pmond.core.actions import Action, Forget, Kill, Reload, Start, Stop
from pmond.core.facts import (
    Exited,
    KillSent,
    ReloadBegun,
    Reloaded,
    Spawned,
    SpawnFailed,
    StopSent,
    TreeEmpty,
)
from pmond.core.model import ExitStatus, Phase, Wanted
from pmond.runtime.clock import Clock
from pmond.runtime.failpoints import FailPoint, reached
from pmond.runtime.intent.starts import Starts
from pmond.runtime.journal import Journal
from pmond.runtime.loop import Loop
from pmond.runtime.processes import environment, tree
from pmond.runtime.processes.cgroups import Cgroups, Grouped
from pmond.runtime.processes.failures import SpawnError
from pmond.runtime.processes.identity import Identity, boot_id, read_stat, send_signal
from pmond.runtime.processes.instances import Instances, Running, tuning_of
from pmond.runtime.processes.reloads import Reloads
from pmond.runtime.processes.spawn import SpawnContext, prepare, read_report, spawn
from pmond.runtime.processes.strays import Strays
from pmond.runtime.processes.tree import Membership

_STORM = 0.005
"""Seconds; starts that follow each other sooner are many at once."""
_BETWEEN_LOOKS = 0.005


class Performer:
    """Starts, stops and kills; knows the instances that run."""

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
        self.context = context
        self.instances = Instances()
        self.reloads = Reloads(loop)
        self._loop = loop
        self._clock = clock
        self._journal = journal
        self._state_uuid = state_uuid
        self._forget = forget
        self._starts = starts
        self._cgroups = cgroups
        self._watch_stranger = watch_stranger
        self.renames = False
        """Whether a process may bear the marker of another name."""
        self._started_at = 0.0
        self._clearing: dict[str, Running] = {}
        self._killing: set[asyncio.Task[None]] = set()
        self._strays = Strays(self.instances, cgroups, state_uuid, clock, journal)
        self._trees: Membership = tree.Descendants(self.instances.mains)
        self._table: Membership = tree.ProcessTable()

    def perform(self, action: Action) -> None:
        """Carry out one action; the facts are told to the loop."""
        match action:
            case Start():
                self._start(action)
            case Stop():
                self._stop(action)
            case Kill():
                self._kill(action)
            case Reload():
                self._reload(action)
            case Forget():
                self._forget(action.name)

    def _start(self, action: Start) -> None:
        wanted = self._loop.desired.wanted[action.name]
        marker = environment.marker(self._state_uuid, action.name, action.number)
        bearer = self.instances.bearer(marker) if self.renames else None
        if bearer is not None:
            self._loop.tell(_borne(action, wanted, bearer.name))
            return
        try:
            launch = prepare(wanted.spec, context=self.context, marker=marker, trusted=wanted.trusted)
            self._starts.note(action.name, action.number)
            reached(FailPoint.START_NOTED)
            child = spawn(launch, hand_over=self._is_single_start())
            reached(FailPoint.START_SPAWNED)
        except SpawnError as error:
            self._loop.tell(_failed(action.name, action.number, wanted, error))
            return
        identity = Identity(child.pid, child.start_ticks, boot_id())
        running = Running(action.name, action.number, identity, marker, own=True)
        running.spec, running.tuning = wanted.spec, tuning_of(wanted.spec)
        self.instances.add(running)
        running.group = self._cgroups.join(child.pid, marker)
        if child.report_fd is not None:
            running.child = child
            asyncio.get_running_loop().add_reader(child.report_fd, self._report, running)
        self._loop.tell(Spawned(action.name, action.number, child.pid, wanted.revision, wanted.token))

    def _is_single_start(self) -> bool:
        """Not one of many: after a crash the new program's first instruction comes before our bookkeeping.

        When hundreds start, waiting for each would leave the other processors idle.
        """
        now = self._clock.now()
        single = now - self._started_at > _STORM
        self._started_at = now
        return single

    async def launched(self, seconds: float) -> None:
        """Wait until all programs that are being set up have been reached, but not for longer than that."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        while loop.time() < deadline and any(one.child and one.child.report_fd for one in self.instances):
            await asyncio.sleep(_BETWEEN_LOOKS)

    def _report(self, running: Running) -> None:
        """The launcher of a child says whether it became the program."""
        child = running.child
        if child is None or child.report_fd is None:
            return
        descriptor = child.report_fd
        try:
            running.failure = read_report(child)
        except BlockingIOError:
            return
        asyncio.get_running_loop().remove_reader(descriptor)
        running.child = None

    def _stop(self, action: Stop) -> None:
        running = self.instances.named(action.name, action.number)
        self._starts.note_stop(action.name, action.number, action.ending)
        reached(FailPoint.STOP_NOTED)
        if running is not None:
            self._ask(running, action.signal, action.tree)
        reached(FailPoint.STOP_SENT)
        kill_at = self._clock.now() + action.grace
        self._loop.tell(StopSent(action.name, action.number, action.ending, kill_at))
        if running is None:
            self._gone(action.name, action.number)

    def _reload(self, action: Reload) -> None:
        running = self.instances.named(action.name, action.number)
        if running is None or running.ended:
            return  # its end is told, and a new instance reads the files by itself
        wanted = self._loop.desired.wanted[action.name]
        if wanted.spec.on_change == "reload":
            self.reloads.begin(running, wanted, action.files, self.context)
            return
        self._loop.tell(ReloadBegun(action.name, action.number, action.files))
        self._ask(running, wanted.spec.reload.signal, False)
        self._loop.tell(Reloaded(action.name, action.number, action.files))

    def _ask(self, running: Running, number: int, whole_tree: bool) -> None:
        if running.own and not running.ended:
            send = tree.signal_group if whole_tree else tree.signal_main
            send(running.pid, number, resume=True)
            return
        targets = self.members(running) if whole_tree or running.ended else frozenset({running.identity})
        for identity in targets:
            _send(identity, number)
            _send(identity, signal.SIGCONT)

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
                _send(running.identity, signal.SIGKILL)
        if action.tree and (running.ended or not running.own):
            self._clear(running)
        reached(FailPoint.KILL_SENT)

    def _clear(self, running: Running) -> None:
        """Kill until the tree is empty; the core is told when it is."""
        task = asyncio.get_running_loop().create_task(self._kill_tree(running))
        self._killing.add(task)
        task.add_done_callback(self._killing.discard)

    async def _kill_tree(self, running: Running) -> None:
        self._cgroups.kill(running.group)
        survivors = await tree.kill_tree(
            self._membership(running), running.root, self._loop.policy.empty_tree
        )
        if not survivors and running.ended:
            self._tree_empty(running)

    def exited(self, pid: int, status: ExitStatus) -> None:
        """A child, or an adopted process, ended; called before a child is reaped."""
        asyncio.get_running_loop().call_soon(self._after_reaping, pid, status)

    def _after_reaping(self, pid: int, status: ExitStatus) -> None:
        running = self.instances.of_pid(pid)
        if running is None:
            self._look_at_cleared()
            return
        self._report(running)
        self.instances.main_ended(running)
        if running.failure is not None:
            self._never_started(running, running.failure)
            return
        left = self._leaves_tree(running)
        if left:
            self._await_clear(running)
        else:
            self._remove(running)
        self._loop.tell(Exited(running.name, running.number, status, tree_left=left))
        if left:
            self._follow_up(running)
        self._strays.look_soon()

    def _await_clear(self, running: Running) -> None:
        """Have the end of what its main program left behind noticed."""
        self._clearing[running.name] = running
        if running.own:
            return  # we are told: orphans become children of pmond
        for identity in self.members(running):
            if not self._watch_stranger(identity):
                asyncio.get_running_loop().call_soon(self._look_at_cleared)

    def _follow_up(self, running: Running) -> None:
        """Bring what was already done to its group to those of the tree that had left the group."""
        state = self._loop.observed.get(running.name)
        instance = state.instance if state is not None else None
        if instance is not None and instance.killed_at is not None:
            self._clear(running)
            return
        wanted = self._loop.desired.wanted.get(running.name)
        if instance is None or instance.kill_at is None or wanted is None or not running.own:
            return
        for identity in self.members(running):
            stat = read_stat(identity.pid)
            if stat is not None and stat.group != running.pid:
                _send(identity, wanted.spec.stop.signal)
                _send(identity, signal.SIGCONT)

    def _never_started(self, running: Running, failure: SpawnError) -> None:
        self._remove(running)
        wanted = self._loop.desired.wanted.get(running.name)
        if wanted is not None:
            self._loop.tell(_failed(running.name, running.number, wanted, failure))

    def _leaves_tree(self, running: Running) -> bool:
        """Whether processes of the instance outlived its main program."""
        wanted = self._loop.desired.wanted.get(running.name)
        if wanted is not None and not wanted.spec.stop.kill_group:
            self._strays.spare(running.name)
            return False
        self._strays.unspare(running.name)
        state = self._loop.observed.get(running.name)
        instance = state.instance if state is not None else None
        stopping = instance is not None and instance.phase is Phase.STOPPING
        if not running.own or stopping:
            return bool(self.members(running))
        # The cheap question first: after a crash nothing may stand in the way of the restart.
        return tree.group_alive(running.pid) and bool(self.members(running))

    def members(self, running: Running) -> frozenset[Identity]:
        """Everything alive that belongs to an instance."""
        return self._membership(running).members(running.root)

    def _membership(self, running: Running) -> Membership:
        search = self._trees if running.own else self._table
        return Grouped(self._cgroups, running.group, search) if running.group else search

    def _look_at_cleared(self) -> None:
        """A stranger ended: an orphan, perhaps the last one of a tree that is being cleared."""
        for running in list(self._clearing.values()):
            if not self.members(running):
                self._tree_empty(running)

    def _tree_empty(self, running: Running) -> None:
        reached(FailPoint.TREE_EMPTY)
        self._clearing.pop(running.name, None)
        self._remove(running)
        self._loop.tell(TreeEmpty(running.name, running.number))

    def _remove(self, running: Running) -> None:
        self.instances.remove(running)
        self._cgroups.left(running.group, running.marker)

    def rename(self, old: str, new: str) -> None:
        """A process is called `new` from now on."""
        self.renames = True
        self.instances.rename(old, new)
        if old in self._clearing:
            self._clearing[new] = self._clearing.pop(old)

    def keep_clearing(self, running: Running) -> None:
        """An adopted instance whose main program has ended already, but not all of its tree."""
        self.instances.add(running)
        self.instances.main_ended(running)
        self._await_clear(running)

    def group_of(self, pid: int, marker: str) -> str:
        """The control group of an instance that was started earlier, by one of its processes."""
        return self._cgroups.adopt(pid, marker)

    def find_left(self) -> None:
        """Once, after adoption: what is in the groups of no instance are strays, unless it is spared."""
        for name, wanted in self._loop.desired.wanted.items():
            if not wanted.spec.stop.kill_group:
                self._strays.spare(name)
        self._cgroups.find_left({running.group for running in self.instances}, self._state_uuid)
        self._strays.look_soon()

    def spare(self, name: str) -> None:
        """What an earlier instance of this process left running may go on."""
        self._strays.spare(name)

    def _gone(self, name: str, number: int) -> None:
        """The core believes in an instance that is not there: say that it ended, somehow."""
        self._journal.warn("instance.missing", name=name, number=number)
        self._loop.tell(Exited(name, number, ExitStatus()))

    def sweep(self) -> None:
        """Look again at what no event may have told about."""
        self._look_at_cleared()
        self._strays.look_soon()


def _failed(name: str, number: int, wanted: Wanted, error: SpawnError) -> SpawnFailed:
    return SpawnFailed(
        name, number, wanted.revision, wanted.token, error.reason, error.message, error.transient
    )


def _borne(action: Start, wanted: Wanted, bearer: str) -> SpawnFailed:
    """Two trees under one marker could not be told apart, and one be killed for the other."""
    return SpawnFailed(
        action.name,
        action.number,
        wanted.revision,
        wanted.token,
        "NameInUse",
        f"cannot start {action.name}: {bearer} was started under that name (pmon3 restart {bearer})",
        transient=True,
    )


def _send(identity: Identity, number: int) -> None:
    try:
        send_signal(identity, number)
    except PermissionError:
        return  # it stays a member of its tree, which is how its survival is noticed
