"""The daemon: in which order its parts come up, and in which order they are given back.

Start: state is locked and read, survivors are adopted, the socket answers, the manifest is
brought in, and only then does the loop act. End: processes are stopped with it, or left running
for the next pmond (`handle_interrupts`); what was wanted stays wanted in both cases.
"""

from __future__ import annotations

import asyncio
import os
import resource
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from pmon3_schema.answers import Check
from pmon3_schema.errors import PmonError
from pmon3_schema.group_limits import ALL
from pmon3_schema.paths import Places
from pmon3_schema.settings import Settings
from pmond.runtime.base import clock
from pmond.runtime.base.journal import Journal
from pmond.runtime.files.folders import ensure_folder, owner_of, refuse_strangers
from pmond.runtime.files.moving_aside import move_folder_aside
from pmond.runtime.files.watch import Watcher
from pmond.runtime.http.listener import socket_name
from pmond.runtime.http.resources.pmond import Services
from pmond.runtime.processes import compiled_launcher, descendants
from pmond.runtime.processes.spawn import seal_descriptors
from pmond.runtime.program import preload
from pmond.runtime.program.adoption_sequence import AdoptionSequence
from pmond.runtime.program.configuration import Configuration, policy_of
from pmond.runtime.program.doctor import Surroundings, examine
from pmond.runtime.program.front import server_of
from pmond.runtime.program.handover import Handover
from pmond.runtime.program.notify import ServiceNotifier
from pmond.runtime.program.parts import Calls, Parts
from pmond.runtime.program.shutdown_sequence import ShutdownSequence
from pmond.runtime.program.state_folder import StateFolder
from pmond.runtime.program.upgrade import InPlaceUpgrade
from pmond.runtime.program.upgrade_sequence import UpgradeSequence
from pmond.runtime.supervise.resync import Resync, tune_interpreter


class Daemon:
    """One pmond."""

    def __init__(
        self,
        settings: Settings,
        places: Places,
        environ: Mapping[str, str],
        journal: Journal,
        handed: Handover = Handover(),  # noqa: B008 - frozen
        exit_on: str = "",
    ) -> None:
        """`handed`: what the code before an upgrade handed over."""
        self._environ = environ
        self._journal = journal
        self._open_files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        self._configuration = Configuration(settings, places, environ, self._open_files, journal)
        self._handed = handed
        self._exit_on_name = exit_on
        self._notifier = ServiceNotifier(environ, journal)

    async def start(self) -> None:
        """Come up. Raises PmonError or StoreError when that cannot be done."""
        self._seal_and_raise_limits()
        self._folder = StateFolder(self.settings.data, clock, self._journal, self._handed.lock)
        self._put_together()
        access = self._prepare_socket_folder()
        adoption = self._adoption_sequence()
        adoption.adopt()
        upgraded = self._handed.socket is not None
        await self._listen(access)
        self._folder.write_down(self._parts.socket)
        self._watch()
        if not upgraded:
            await self._parts.sources.reload()
        adoption.recover()
        self._set_going()
        if upgraded:  # what was in force a moment ago is; nobody waits for the manifest
            self._parts.sources.changed()
        tune_interpreter()
        self._journal.event("daemon.started", pid=os.getpid(), socket=self._parts.socket)

    async def run(self) -> None:
        """Return when it has ended."""
        await self._shutdown_sequence.over.wait()

    async def close(self) -> None:
        """Give everything back."""
        parts = self._parts
        self._resync.stop()
        parts.loop.pause()
        parts.loop.save()
        parts.timekeeper.close()
        parts.event_handlers.close()
        self._watcher.close()
        parts.watched_files.close()
        parts.memory_limits.close()
        parts.resource_limits.close()
        parts.reaper.stop()
        parts.notify_socket.close(keep_file=any(parts.instances))
        parts.adopted_exits.close()
        await self._server.close()
        parts.cgroups.close()
        parts.memory_kills.close()
        self._folder.close(processes_left=any(parts.instances))
        self._journal.event("daemon.ended")

    @property
    def settings(self) -> Settings:
        """The configuration in force."""
        return self._configuration.settings

    @property
    def exit_code(self) -> int:
        """What pmond ends with."""
        return self._parts.exit_on.code

    def end(self, stop_processes: bool) -> None:
        """Begin to end; asked again, do not wait for anything."""
        self._shutdown_sequence.begin(stop_processes)

    def interrupted(self) -> None:
        """SIGTERM, SIGINT or SIGQUIT: `handle_interrupts` says whether processes are stopped too.

        Nothing outlives process 1, so as that pmond gives them the time to end by themselves.
        """
        self.end(self.settings.handle_interrupts or os.getpid() == 1)

    def forward(self, number: int) -> None:
        """A signal that is not for pmond: hand it on to the processes that pmond ends with, if any."""
        self._parts.exit_on.forward(number)

    async def upgrade(self) -> None:
        """Become the code that is installed now. Raises PmonError when it cannot be used."""
        await self._upgrade_sequence.upgrade()

    def upgrade_asked(self) -> None:
        """SIGUSR2: the same; what is wrong is in the journal."""
        self._upgrade_sequence.asked()

    def reload(self) -> None:
        """Read config.yml and the manifest again (SIGHUP, or a change of the file)."""
        self._notifier.reloading()
        self._keep_reachable()
        self._reload()
        self.announce_ready()

    def announce_ready(self) -> None:
        """Tell the service manager, if there is one, that all is done that it waits for."""
        parts = self._parts
        self._notifier.ready(f"processes declared: {len(parts.registry.processes)}; {parts.socket}")

    def _seal_and_raise_limits(self) -> None:
        seal_descriptors()
        compiled_launcher.program()  # the one of this version, whatever is installed later
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        with suppress(ValueError, OSError):  # it stays as it is
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        self._subreaper = descendants.become_subreaper()
        if not self._subreaper:
            self._journal.warn("daemon.no_subreaper")

    def _put_together(self) -> None:
        folder, journal = self._folder, self._journal
        upgrade = InPlaceUpgrade(folder.store, folder.path, journal, self._environ)
        calls = Calls(self.end, upgrade)
        self._parts = parts = Parts(self._configuration, folder, clock, journal, self._exit_on_name, calls)
        services = Services(self.end, self.upgrade, self._doctor, self._look_again)
        self._server = server_of(parts, self._configuration, folder, services, clock, journal)
        self._shutdown_sequence = ShutdownSequence(
            parts.loop,
            parts.registry,
            parts.bus,
            clock,
            journal,
            self._notifier,
            parts.performer.clear_orphans,
        )
        self._upgrade_sequence = UpgradeSequence(
            upgrade, parts, self._server, self._shutdown_sequence, journal, folder.lock, self._open_files
        )
        self._resync = Resync(self._look_again, lambda: len(parts.registry.processes))

    def _adoption_sequence(self) -> AdoptionSequence:
        configuration, folder = self._configuration, self._folder
        return AdoptionSequence(configuration, folder, self._parts, self._handed, clock, self._journal)

    async def _listen(self, access: tuple[int, int, int]) -> None:
        server, socket = self._server, self._parts.socket
        if self._handed.socket is not None and socket_name(self._handed.socket) == socket:
            await server.start(socket, fd=self._handed.socket)
            return
        if self._handed.socket is not None:
            os.close(self._handed.socket)  # the configuration names another place now
        await server.start(socket, *access)
        self._tell_displaced(*server.displaced)

    def _prepare_socket_folder(self) -> tuple[int, int, int]:
        """Make it if need be; answers mode, user and group of the socket's file."""
        queue = self.settings.message_queue
        owner = owner_of(queue, "message_queue")
        folder = str(Path(self._parts.socket).parent)
        with suppress(OSError):  # what cannot be moved is refused below
            self._tell_displaced(move_folder_aside(folder, {0, os.geteuid(), *(owner or ())[:1]}))
        refuse_strangers(folder, owner)
        ensure_folder(folder, queue.directory_mode, owner)
        refuse_strangers(
            folder, owner
        )  # again: where everybody may add things, somebody may have been faster
        return queue.file_mode, *(owner or (-1, -1))

    def _tell_displaced(self, *paths: str) -> None:
        for path in filter(None, paths):
            self._journal.warn("daemon.moved_aside", path=path, why="it belongs to somebody else")

    def _keep_reachable(self) -> None:
        """Somebody may have removed the socket's file, as cleaners of temporary folders do."""
        server, socket, notify = self._server, self._parts.socket, self._parts.notify_socket
        if server.lost_its_file:
            try:
                server.listen_anew(*self._prepare_socket_folder())
                self._tell_displaced(*server.displaced)
                self._journal.warn("daemon.socket_renewed", socket=socket)
            except (PmonError, OSError) as error:
                self._journal.warn("daemon.socket_lost", socket=socket, error=str(error))
        if notify.lost_its_file:
            notify.renew()
            self._folder.exit_status_holder.keep_too(notify.fileno())
            self._folder.exit_status_holder.begin_anew()

    def _set_going(self) -> None:
        parts = self._parts
        parts.loop.start(parts.executors, parts.turn_observers)
        parts.reaper.start()
        parts.tuner.tune(parts.registry.processes)
        parts.resource_limits.keep(parts.registry.processes)
        parts.watched_files.follow(list(parts.registry.processes))
        parts.rollbacks.start(parts.rollout_ends.to_undo)
        parts.rollouts.resume()
        parts.hold_expiry.start()
        self._resync.start()
        asyncio.get_running_loop().call_later(preload.AFTER, preload.begin)
        parts.log_rotator.schedule_check(0.0)
        parts.timekeeper.follow(parts.registry.processes)

    def _watch(self) -> None:
        self._watcher = Watcher(self._files_changed, on_fallback=self._watching_fell_back)
        self._watcher.watch(self._watched())

    def _watched(self) -> list[str]:
        return [self._configuration.places.config_file, self.settings.process_config_file]

    def _files_changed(self, paths: list[str]) -> None:
        if self.settings.disable_reloads or self._shutdown_sequence.begun:
            return
        if self._configuration.places.config_file in paths:
            self.reload()
        elif self.settings.process_config_file in paths:
            self._parts.sources.changed()

    def _watching_fell_back(self, error: OSError) -> None:
        self._journal.warn("watch.polling", error=str(error))

    def _reload(self) -> None:
        parts = self._parts
        if self._configuration.read_again(parts.recorder.announce):
            self._journal.level = self._configuration.log_level()
            parts.loop.policy = policy_of(self.settings)
            parts.loop.look_again()
        self._watcher.watch(self._watched())
        parts.sources.changed()

    def _look_again(self) -> None:
        if self._shutdown_sequence.begun:
            return
        for sweeper in self._parts.sweepers:
            sweeper.look_again()
        self._keep_reachable()
        if not self.settings.disable_reloads:
            self._watcher.resync()

    def _doctor(self) -> list[Check]:
        return examine(
            Surroundings(
                state_dir=self.settings.data.directory,
                log_dir=self.settings.logs.directory,
                rotated=self._parts.rotated_logs.folders(),
                degraded=self._folder.store.degraded,
                subreaper=self._subreaper,
                exit_status_holder=self._folder.exit_status_holder.problem,
                trees=self._parts.cgroups.problem,
                no_controllers=self._parts.cgroups.controllers.missing(ALL),
                processes=len(self._parts.registry.processes),
            )
        )


def startup_problem(error: Exception) -> str:
    """What to say when pmond cannot come up."""
    hint = error.hint if isinstance(error, PmonError) else ""
    return f"{error} ({hint})" if hint else str(error)
