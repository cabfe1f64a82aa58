"""The daemon put together: what is made first, what needs what, and in which order it ends.

Start: state is locked and read, survivors are adopted, the socket answers, the manifest is
brought in, and only then does the loop act. End: processes are stopped with it, or left running
for the next pmond (`handle_interrupts`); what was wanted stays wanted in both cases.
"""

from __future__ import annotations

import asyncio
import gc
import os
import resource
import sys
from collections.abc import Iterable, Mapping, Set
from contextlib import suppress
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from pmon3_schema.errors import ErrorCode, PmonError
from pmon3_schema.paths import Places, socket_path
from pmon3_schema.process import LogRotate
from pmon3_schema.settings import Settings
from pmond.core.events import Event
from pmond.core.model import ExitStatus, State
from pmond.runtime import clock
from pmond.runtime.configuration import Configuration, policy_of
from pmond.runtime.controller import Controller
from pmond.runtime.doctor import Surroundings, examine
from pmond.runtime.files import folders
from pmond.runtime.files.folders import ensure_folder, group_of, owner_of
from pmond.runtime.files.rotating import Rotating
from pmond.runtime.files.watch import Watcher
from pmond.runtime.http import auth
from pmond.runtime.http.api import Api
from pmond.runtime.http.listener import socket_name
from pmond.runtime.http.server import Server
from pmond.runtime.intent.acting import Acting
from pmond.runtime.intent.applying import Applying
from pmond.runtime.intent.expiring import Expiring
from pmond.runtime.intent.grouping import Grouping
from pmond.runtime.intent.owning import Owning
from pmond.runtime.intent.registry import Declared, Registry
from pmond.runtime.intent.rollback import RollingBack, RolloutEnded
from pmond.runtime.intent.rollouts import Rollouts
from pmond.runtime.intent.set_view import SetView
from pmond.runtime.intent.sets import Sets
from pmond.runtime.intent.sources import Sources
from pmond.runtime.intent.starts import Starts
from pmond.runtime.intent.waiting import Waiting
from pmond.runtime.journal import Journal
from pmond.runtime.loop import Loop
from pmond.runtime.notify import Notifier
from pmond.runtime.perform import Performer
from pmond.runtime.processes import adopt, tree
from pmond.runtime.processes.exit_on import ExitOn
from pmond.runtime.processes.foreign_exits import ForeignExits
from pmond.runtime.processes.identity import Identity
from pmond.runtime.processes.keeper import Keeper
from pmond.runtime.processes.reaper import Reaper
from pmond.runtime.processes.spawn import SpawnContext, seal_descriptors
from pmond.runtime.processes.tuning import Tuner
from pmond.runtime.publish.bus import Bus
from pmond.runtime.publish.hooks import Hooks
from pmond.runtime.publish.keeping import Keeping
from pmond.runtime.publish.process_json import Describer
from pmond.runtime.publish.publishing import Publisher
from pmond.runtime.state.state_lock import keep_lock, lock_state
from pmond.runtime.state.store import Store
from pmond.runtime.upgrade import Upgrade, held_back_signals

_RESYNC_SECONDS = 30.0
"""Between two looks at everything, in case an event was lost."""
_RESYNC_PER_PROCESS = 0.03
"""Seconds added per process, so that looking costs an idle daemon next to nothing."""
_COLLECT_AFTER = 5_000
"""New objects between two collections of the youngest; Python's 700 is made for short programs."""
_NEVER = 1_000_000
_SWITCH_SECONDS = 0.0005
_LAUNCH_LIMIT = 1.0
"""Seconds that programs which are just being set up may take before an upgrade."""
_END_MARGIN = 10.0
"""Seconds beyond the longest grace until pmond ends although something does not die."""


class Daemon:
    """One pmond."""

    def __init__(
        self,
        settings: Settings,
        places: Places,
        environ: Mapping[str, str],
        journal: Journal,
        inherited: tuple[int | None, int | None] = (None, None),
        exit_on: str = "",
    ) -> None:
        self._environ = environ
        self._journal = journal
        self._open_files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        self._configuration = Configuration(settings, places, environ, self._open_files, journal)
        self._inherited_socket, self._inherited_lock = inherited
        self._exit_on_name = exit_on
        self._tasks: set[asyncio.Task[None]] = set()
        self._notifier = Notifier(environ, journal)
        self._ended = asyncio.Event()
        self._ending = False
        self._end_task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Come up. Raises PmonError or StoreError when that cannot be done."""
        self._seal_and_raise_limits()
        self._open_state()
        self._put_together()
        self._adopt()
        await self._listen()
        self._watch()
        await self._sources.reload()
        await adopt.end(self._left, self._journal)
        self._loop.start(self._performer, self._turn_ended)
        self._reaper.start()
        self._tuner.tune(self._registry.processes)
        self._rollouts.resume()
        self._expiring.look()
        gc.collect()
        gc.freeze()  # what is here now stays: the collector need not look at it again
        # No full collection in the middle of a turn (100 ms at 10,000 processes): `_resync` does it.
        gc.set_threshold(_COLLECT_AFTER, 10, _NEVER)
        # While a thread reads a manifest, the loop gets the interpreter back in half a millisecond.
        sys.setswitchinterval(_SWITCH_SECONDS)
        self._resync_later()
        self._journal.event("daemon.started", pid=os.getpid(), socket=self._socket)

    def _turn_ended(self, before: dict[str, State], happened: list[Event]) -> None:
        self._keeping.turn_ended(before, happened)
        self._hooks.turn_ended(before)
        self._exit_on.turn_ended(before)
        self._expect_logs(before)

    def _expect_logs(self, names: Iterable[str]) -> None:
        processes = self._registry.processes
        if any((one := processes.get(name)) is not None and one.spec.log_rotate.wanted for name in names):
            self._rotating.look_soon()

    def _exited(self, pid: int, status: ExitStatus) -> None:
        if self._keeper.was(pid):
            self._keeper.start()
            self._keeper.refill(self._performer.instances.mains())
        elif not any(one.exited(pid, status) for one in (self._hooks, self._upgrade, self._rotating)):
            self._performer.exited(pid, status)

    @property
    def settings(self) -> Settings:
        """The configuration in force."""
        return self._configuration.settings

    async def run(self) -> None:
        """Return when it has ended."""
        await self._ended.wait()

    @property
    def exit_code(self) -> int:
        """What pmond ends with."""
        return self._exit_on.code

    def _seal_and_raise_limits(self) -> None:
        seal_descriptors()
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        with suppress(ValueError, OSError):  # it stays as it is
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        self._subreaper = tree.become_subreaper()
        if not self._subreaper:
            self._journal.warn("daemon.no_subreaper")

    def _open_state(self) -> None:
        data = self.settings.data
        owner = owner_of(data, "data")
        ensure_folder(data.directory, data.directory_mode, owner)
        self._lock = keep_lock(data.directory, self._inherited_lock) or lock_state(
            data.directory, trusted_uid=owner[0] if owner else None
        )
        access = folders.access_of(data, owner)
        self._store = Store.open(Path(data.directory) / "data.db", clock=clock, access=access)
        self._snapshot = self._store.load()
        self._store.keep_uuid()
        self._starts = Starts(data.directory)
        self._keeper = Keeper(data.directory, self._journal)
        self._upgrade = Upgrade(self._store, data.directory, self._journal, self._environ)
        for notice in self._store.notices:
            self._journal.warn("state.notice", message=notice)

    def _put_together(self) -> None:
        uid = os.geteuid()
        group = self.settings.message_queue.group
        control_group = group_of(group, "message_queue") if group else None
        context = self._configuration.context()
        self._make_loop(context)
        self._make_publishing(context, uid)
        controller = self._make_intent(uid, control_group)
        api = Api(controller, uid, control_group)
        self._server = Server(api.handle, self._report_defect, owner_uid=uid)
        self._make_followers(context)

    def _make_loop(self, context: SpawnContext) -> None:
        """What is wanted, what is seen, and what acts on the difference."""
        self._loop = Loop(clock, self._journal, policy_of(self.settings))
        self._registry = Registry(self._store, self._loop, clock)
        for notice in self._registry.load(self._snapshot):
            self._journal.warn("state.notice", message=notice)
        self._performer = Performer(
            self._loop,
            clock,
            self._journal,
            self._store.uuid,
            context,
            lambda name: self._keeping.forget(name),
            self._starts,
            self._watch_stranger,
        )
        self._registry.renamed = self._renamed
        self._performer.renames = any(record.born_as for record in self._snapshot.instances)

    def _make_publishing(self, context: SpawnContext, uid: int) -> None:
        """What is told and kept of it."""
        instances = self._performer.instances
        user = auth.default_user(auth.Peer(os.getpid(), uid, os.getegid()), uid)
        self._publisher = publisher = Publisher(
            self._registry, self._loop, instances, self._store, clock, user
        )
        publisher.context = context
        self._bus = Bus()
        self._keeping = Keeping(
            self._store, self._registry, self._loop, instances, publisher, self._bus, clock, self._journal,
            lambda name: publisher.log_files(self._registry.processes[name])[0],
            self._starts, self._keeper,
        )  # fmt: skip
        self._tuner = Tuner(self._registry, self._performer, self._journal, self._keeping.announce)
        self._registry.changed = self._wanted_changed

    def _make_intent(self, uid: int, control_group: int | None) -> Controller:
        """Who may change what is wanted, by command and by manifest."""
        acting = Acting(self._registry, self._loop, clock, uid, control_group)
        sets = Sets(self._store, clock)
        sets.load(self._snapshot.sources)
        self._publisher.content_of = sets.in_force
        self._rollouts = Rollouts(self._registry, self._loop, self._bus, sets, clock, self._journal)
        applying = Applying(self._registry, self._loop, acting, sets, self._rollouts, uid)
        self._sources = Sources(
            applying, self._registry, sets, self._journal, lambda: self.settings, self._keeping.announce
        )
        rolling_back = RollingBack(self._registry, applying, sets, clock, self._journal)
        self._rollouts.ended = RolloutEnded(self._keeping.announce, rolling_back)
        owning = Owning(self._registry, acting, sets, clock, uid, control_group)
        self._expiring = Expiring(self._registry, sets, self._journal, lambda name: self._sources.changed())
        owning.held = sets.changed = self._expiring.look
        queue, runtime = self.settings.message_queue, self._configuration.places.runtime
        self._socket = socket_path(queue.directory.shmem, queue.name_suffix, runtime)
        return Controller(
            registry=self._registry,
            acting=acting,
            applying=applying,
            grouping=Grouping(self._registry),
            sources=self._sources,
            waiting=Waiting(
                self._registry, self._loop, self._bus, self._publisher, clock, self._rollouts.active
            ),
            publisher=self._publisher,
            owning=owning,
            sets=sets,
            set_view=SetView(self._registry, self._loop, sets, self._rollouts, clock),
            rolling_back=rolling_back,
            bus=self._bus,
            store=self._store,
            about=self._about(),
            log_dir=lambda: self.settings.logs.directory,
            daemon_uid=uid,
            control_group=control_group,
            shutdown=self.end,
            upgrade=self.upgrade,
            doctor=self._doctor,
        )

    def _make_followers(self, context: SpawnContext) -> None:
        """What follows from turns and exits: scripts, rotation, the end of pmond itself."""
        events = asyncio.get_running_loop()
        self._hooks = Hooks(
            self._loop,
            lambda: self.settings.event_handling,
            Describer(self._registry, self._loop, self._publisher),
            context.environment,
            clock,
            self._journal,
            quiet_until=clock.now() + self.settings.initialization_period,
        )
        self._rotating = Rotating(self._rotated_logs, context.environment, clock, self._journal)
        self._exit_on = ExitOn(self._exit_on_name, self._loop, clock, self.end)
        self._reaper = Reaper(events, self._exited)
        self._foreign = ForeignExits(events, self._performer.exited)

    def _wanted_changed(self, names: Set[str]) -> None:
        self._tuner.tune(names)
        self._bus.changed(names)

    def _renamed(self, one: Declared, new: str) -> None:
        """Carry over what is known of a process, and its log where the name alone says where it is."""
        self._loop.rename(one.name, new)
        self._performer.rename(one.name, new)
        self._publisher.rename(one.name, new)
        before, after = (Path(self.settings.logs.directory) / f"{name}.log" for name in (one.name, new))
        if one.spec.log or one.spec.log_dir or not before.exists() or after.exists():
            return
        try:
            before.rename(after)
        except OSError as error:
            self._journal.warn("log.not_renamed", path=str(before), error=str(error))

    def _about(self) -> dict[str, Any]:
        return {
            "started_at": clock.wall(),
            "socket": self._socket,
            "config_file": self._configuration.places.config_file,
            "state_dir": self.settings.data.directory,
        }

    def _adopt(self) -> None:
        adoption = adopt.Adoption(
            self._loop,
            self._performer,
            self._foreign,
            clock,
            self._journal,
            self._store.uuid,
            self._keeper.ended,
        )
        self._keeper.take_over()
        adoption.histories(self._snapshot.histories)
        self._left = adoption.instances(
            self._snapshot.instances, self._starts.left(), self._starts.stops_left()
        )
        self._keeping.drop(adoption.stale)
        self._keeper.release()
        self._keeper.start()

    async def _listen(self) -> None:
        queue = self.settings.message_queue
        owner = owner_of(queue, "message_queue")
        ensure_folder(str(Path(self._socket).parent), queue.directory_mode, owner)
        uid, gid = owner or (-1, -1)
        if self._inherited_socket is not None and socket_name(self._inherited_socket) == self._socket:
            await self._server.start(self._socket, fd=self._inherited_socket)
            return
        if self._inherited_socket is not None:
            os.close(self._inherited_socket)  # the configuration names another place now
        await self._server.start(self._socket, queue.file_mode, uid, gid)

    def _watch(self) -> None:
        self._watcher = Watcher(self._files_changed, on_fallback=self._watching_fell_back)
        self._watcher.watch(self._watched())

    def _watched(self) -> list[str]:
        return [self._configuration.places.config_file, self.settings.process_config_file]

    def _files_changed(self, paths: list[str]) -> None:
        if self.settings.disable_reloads or self._ending:
            return
        if self._configuration.places.config_file in paths:
            self.reload()
        elif self.settings.process_config_file in paths:
            self._sources.changed()

    def _watching_fell_back(self, error: OSError) -> None:
        self._journal.warn("watch.polling", error=str(error))

    def reload(self) -> None:
        """Read config.yml and the manifest again (SIGHUP, or a change of the file)."""
        self._notifier.reloading()
        self._reload()
        self.announce_ready()

    def announce_ready(self) -> None:
        """Tell the service manager, if there is one, that all is done that it waits for."""
        self._notifier.ready(f"processes declared: {len(self._registry.processes)}; {self._socket}")

    def _reload(self) -> None:
        context = self._configuration.read_again(self._keeping.announce)
        if context is not None:
            self._journal.level = self._configuration.log_level()
            self._loop.policy = policy_of(self.settings)
            self._performer.context = self._publisher.context = context
            self._loop.touch(self._registry.processes)
        self._watcher.watch(self._watched())
        self._sources.changed()

    def end(self, stop_processes: bool) -> None:
        """Begin to end; asked again, do not wait for anything."""
        if self._ending:
            self._ended.set()
            return
        self._ending = True
        self._loop.resume()
        self._journal.event("daemon.ending", stop_processes=stop_processes)
        self._notifier.stopping("stopping processes" if stop_processes else "leaving processes running")
        self._end_task = asyncio.get_running_loop().create_task(self._end(stop_processes))

    def interrupted(self) -> None:
        """SIGTERM or SIGINT: `handle_interrupts` says whether processes are stopped too."""
        self.end(self.settings.handle_interrupts)

    def _rotated_logs(self) -> dict[str, LogRotate]:
        running = (self._registry.processes.get(one.name) for one in self._performer.instances)
        return {
            path: one.spec.log_rotate
            for one in running
            if one is not None and one.spec.log_rotate.wanted
            for path in self._publisher.log_files(one)
        }

    def _doctor(self) -> list[dict[str, Any]]:
        return examine(
            Surroundings(
                state_dir=self.settings.data.directory,
                log_dir=self.settings.logs.directory,
                degraded=self._store.degraded,
                subreaper=self._subreaper,
                keeper=self._keeper.problem,
                trees="no control groups are made",
                processes=len(self._registry.processes),
            )
        )

    async def upgrade(self) -> None:
        """Become the code that is installed now. Raises PmonError when it cannot be used."""
        if self._ending:
            raise PmonError(ErrorCode.CONFLICT, "cannot upgrade: pmond is ending", "start it again instead")
        await self._upgrade.check()
        self._tasks.add(asyncio.get_running_loop().create_task(self._become()))

    def upgrade_asked(self) -> None:
        """SIGUSR2: the same; what is wrong is in the journal."""
        self._tasks.add(asyncio.get_running_loop().create_task(self._try_upgrade()))

    async def _try_upgrade(self) -> None:
        with suppress(PmonError):
            await self.upgrade()

    async def _become(self) -> None:
        self._loop.pause()
        await self._performer.launched(_LAUNCH_LIMIT)
        self._reaper.stop()  # from here on exits wait for the new code
        await self._server.quiesce()
        with held_back_signals():
            await asyncio.sleep(0)  # those that have come are taken now, the others by the new code
            await asyncio.sleep(0)
            self._loop.save()
            if not self._ending:
                self._upgrade.become(self._server.fileno(), self._lock, self._open_files)
        if self._ending:
            return
        self._server.resume()
        self._reaper.start()
        self._loop.resume()

    async def _end(self, stop_processes: bool) -> None:
        try:
            if stop_processes:
                await self._stop_all()
        except Exception as error:  # it ends all the same
            self._journal.error("daemon.end_failed", error)
        self._ended.set()

    async def _stop_all(self) -> None:
        self._loop.desired = replace(self._loop.desired, ending=True)
        graces = [one.spec.stop.timeout for one in self._registry.processes.values()]
        deadline = clock.now() + max(graces, default=0.0) * 2 + _END_MARGIN
        self._loop.touch(self._registry.processes)
        while names := frozenset(name for name, s in self._loop.observed.items() if s.instance is not None):
            left = deadline - clock.now()
            if left <= 0:
                self._journal.error("daemon.left_running", names=sorted(names))
                return
            await self._bus.wait(names, left)

    async def close(self) -> None:
        """Give everything back."""
        self._loop.pause()
        self._hooks.close()
        self._watcher.close()
        self._reaper.stop()
        self._foreign.close()
        await self._server.close()
        self._store.close()
        self._starts.close()
        if any(self._performer.instances):
            self._keeper.close()
        else:
            self._keeper.end()
        os.close(self._lock)
        self._journal.event("daemon.ended")

    def _resync_later(self) -> None:
        seconds = max(_RESYNC_SECONDS, len(self._registry.processes) * _RESYNC_PER_PROCESS)
        asyncio.get_running_loop().call_later(seconds, self._resync)

    def _resync(self) -> None:
        """Look at everything once more, in case something was not told."""
        if self._ending:
            return
        self._reaper.sweep(self._own_mains)
        self._performer.sweep()
        self._rotating.look()
        if not self.settings.disable_reloads:
            self._watcher.resync()
        self._loop.touch(self._registry.processes)
        gc.collect()
        gc.freeze()
        self._resync_later()

    def _watch_stranger(self, identity: Identity) -> bool:
        try:
            return self._foreign.watch(identity)
        except OSError as error:
            self._journal.warn("process.unwatched", pid=identity.pid, error=str(error))
            return True  # the next look at everything finds it

    def _own_mains(self) -> list[int]:
        return [running.pid for running in self._performer.instances if running.own and not running.ended]

    def _report_defect(self, identifier: str, where: str, error: BaseException) -> None:
        self._journal.error("request.failed", error, id=identifier, where=where)


def startup_problem(error: Exception) -> str:
    """What to say when pmond cannot come up."""
    hint = error.hint if isinstance(error, PmonError) else ""
    return f"{error} ({hint})" if hint else str(error)
