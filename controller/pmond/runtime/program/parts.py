"""What pmond is made of: each part is made once, after those it needs.

`Parts` only puts together; what happens when is in `daemon`.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from pmon3_schema.process_parts import LogRotateSpec
from pmond.core.events import ProcessEvent
from pmond.core.model import ExitStatus, Intent, State
from pmond.runtime.access import users
from pmond.runtime.base.clock import Clock
from pmond.runtime.base.failpoints import FailPoint, reached
from pmond.runtime.base.journal import Journal
from pmond.runtime.http import openapi
from pmond.runtime.http.admission import free_descriptors, limits_within
from pmond.runtime.http.dispatcher import Dispatcher
from pmond.runtime.http.resources.actions import ActionResource
from pmond.runtime.http.resources.events import EventResource
from pmond.runtime.http.resources.graph import GraphResource
from pmond.runtime.http.resources.groups import GroupResource
from pmond.runtime.http.resources.holds import HoldResource
from pmond.runtime.http.resources.logs import LogResource
from pmond.runtime.http.resources.manifests import ManifestResource
from pmond.runtime.http.resources.pmond import Circumstances, DaemonResource, Identification, Services
from pmond.runtime.http.resources.processes import ProcessResource
from pmond.runtime.http.resources.sets import SetResource
from pmond.runtime.http.resources.waits import WaitResource
from pmond.runtime.http.server import Server
from pmond.runtime.http.visibility import Visibility
from pmond.runtime.intent.applier import Applier
from pmond.runtime.intent.commands import Commands
from pmond.runtime.intent.hold_expiry import HoldExpiry
from pmond.runtime.intent.ownership import Ownership, may_control_set
from pmond.runtime.intent.registry import Registry
from pmond.runtime.intent.rollbacks import Rollbacks, RolloutEnded
from pmond.runtime.intent.rollouts import Rollouts
from pmond.runtime.intent.sets import Sets
from pmond.runtime.intent.sources import Sources
from pmond.runtime.observers.event_handlers import EventHandlers
from pmond.runtime.observers.exit_on import ExitOn
from pmond.runtime.observers.log_rotator import LogRotator
from pmond.runtime.observers.process_json import Describer
from pmond.runtime.observers.recorder import Recorder
from pmond.runtime.observers.tuning import Tuner
from pmond.runtime.observers.watched_files import WatchedFiles
from pmond.runtime.processes import cgroups
from pmond.runtime.processes.adopted_exits import AdoptedExits
from pmond.runtime.processes.memory import MemoryKills
from pmond.runtime.processes.reaper import Reaper
from pmond.runtime.program.configuration import Configuration, policy_of
from pmond.runtime.program.state_folder import StateFolder
from pmond.runtime.supervise.bus import Bus, set_key
from pmond.runtime.supervise.loop import Loop
from pmond.runtime.supervise.perform import Performer
from pmond.runtime.supervise.probes.notify_socket import NotifySocket
from pmond.runtime.supervise.probes.sender import SenderLookup
from pmond.runtime.views.publishing import Publisher
from pmond.runtime.views.readable_logs import ReadableLogs
from pmond.runtime.views.set_view import SetView
from pmond.runtime.views.waiter import Waiter


class Calls(Struct, frozen=True):
    """What the parts ask of pmond as a whole."""

    end: Callable[[bool], None]
    services: Services
    exited: Callable[[int, ExitStatus], bool]
    """Told of the end of a child that no part knows."""


class Parts:
    """All of them, wired; nothing has happened yet."""

    def __init__(
        self,
        configuration: Configuration,
        folder: StateFolder,
        clock: Clock,
        journal: Journal,
        exit_on: str,
        calls: Calls,
    ) -> None:
        self._configuration = configuration
        self._folder = folder
        self._clock = clock
        self._journal = journal
        self._calls = calls
        uid = os.geteuid()
        self._make_loop()
        self._make_publishing(uid)
        self._make_intent()
        dispatcher = Dispatcher(self._make_resources(), configuration.authority)
        limits = limits_within(free_descriptors())
        limits = replace(limits, requests_of_a_user=configuration.settings.access.quota.requests)
        self.server = Server(dispatcher.handle, self._report_defect, limits, owner_uid=uid)
        self._make_followers(exit_on)

    def _make_loop(self) -> None:
        """What is wanted, what is seen, and what acts on the difference."""
        self.loop = Loop(self._clock, self._journal, policy_of(self._configuration.settings))
        self.registry = Registry(self._folder.store, self.loop, self._clock)
        self.registry.load(self._folder.snapshot)
        self.cgroups = cgroups.find(self._folder.store.uuid)
        self.performer = Performer(
            self.loop,
            self._clock,
            self._journal,
            self._folder.store.uuid,
            self._configuration.context(),
            lambda name: self.recorder.forget(name),
            self._folder.starts,
            self.cgroups,
            lambda identity: self.adopted_exits.watch(identity),
        )
        self.registry.renamed = self._renamed
        self.performer.starter.renames = any(record.born_as for record in self._folder.snapshot.instances)

    def _make_publishing(self, uid: int) -> None:
        """What is told and kept of it."""
        store, instances = self._folder.store, self.performer.instances
        user = users.name_of(uid)
        self.publisher = publisher = Publisher(
            self.registry, self.loop, instances, store, self._clock, self._journal, user
        )
        publisher.context = self.performer.starter.context
        self.bus = Bus()
        self.recorder = Recorder(
            store, self.registry, self.loop, instances, publisher, self.bus, self._clock, self._journal,
            lambda name: publisher.log_files(self.registry.processes[name])[0],
            self._folder.starts, self._folder.exit_status_holder,
        )  # fmt: skip
        self.tuner = Tuner(self.registry, self.performer, self._journal, self.recorder.announce)
        self.watched_files = WatchedFiles(self.registry, self.loop, self._journal, self.publisher.user_of)
        self.registry.changed = self.bus.changed

    def _make_intent(self) -> None:
        """Who may change what is wanted, by command and by manifest."""
        registry, loop, clock, announce = self.registry, self.loop, self._clock, self.recorder.announce
        self.commands = Commands(registry, loop, clock, self._configuration.authority)
        self.sets = sets = Sets(self._folder.store, clock)
        sets.load(self._folder.snapshot.sources)
        self.publisher.content_of = sets.in_force
        self.rollouts = Rollouts(registry, loop, self.bus, sets, clock, self._journal)
        self.applier = Applier(
            registry, loop, self.commands, sets, self.rollouts, self._configuration.authority
        )
        default_file = self._configuration.places.process_config_file
        self.sources = Sources(
            self.applier, registry, sets, self._journal, lambda: self._configuration.settings,
            default_file, announce,
        )  # fmt: skip
        sets.followed = lambda: self.sources.owner
        self.rollbacks = Rollbacks(registry, self.applier, sets, clock, self._journal)
        self.rollouts.ended = RolloutEnded(announce, self.rollbacks)
        sets.tell = lambda names: self.bus.changed(set(map(set_key, names)))
        self.ownership = Ownership(registry, self.commands, sets, clock, self._configuration.authority)
        self.hold_expiry = HoldExpiry(registry, sets, self._journal, lambda name: self.sources.changed())
        self.ownership.held = sets.changed = self.hold_expiry.look

    def _make_resources(self) -> tuple[object, ...]:
        """What callers can ask for; each gets only the parts it needs."""
        registry, loop, bus, clock = self.registry, self.loop, self.bus, self._clock
        publisher, commands, sources, ownership = (
            self.publisher,
            self.commands,
            self.sources,
            self.ownership,
        )
        authority, services = self._configuration.authority, self._calls.services
        visibility = Visibility(authority)
        set_view = SetView(
            registry, loop, self.sets, self.rollouts, clock,
            lambda record, peer: may_control_set(record, peer, authority()),
        )  # fmt: skip
        waiter = Waiter(registry, loop, bus, publisher, clock, self.rollouts.active)
        logs = ReadableLogs(commands, publisher, authority)
        return (
            ProcessResource(registry, publisher, commands, visibility),
            ActionResource(registry, commands, sources, authority),
            HoldResource(ownership),
            WaitResource(waiter, logs, set_view, visibility),
            ManifestResource(
                registry, commands, self.applier, self.sets, ownership, sources, visibility,
                services.look_again,
            ),
            SetResource(set_view, ownership, sources, self.rollbacks, visibility),
            LogResource(registry, logs),
            EventResource(registry, self._folder.store, bus),
            GraphResource(registry, sources),
            GroupResource(registry, publisher, visibility),
            DaemonResource(self._identification(), self._circumstances, services, openapi.document),
        )  # fmt: skip

    def _make_followers(self, exit_on: str) -> None:
        """What follows from turns and exits: scripts, rotation, the end of pmond itself."""
        events, settings = asyncio.get_running_loop(), self._configuration.settings
        environment = self.performer.starter.context.environment
        self.event_handlers = EventHandlers(
            self.loop,
            lambda: self._configuration.settings.event_handling,
            Describer(self.registry, self.loop, self.publisher),
            environment,
            self._clock,
            self._journal,
            quiet_until=self._clock.now() + settings.initialization_period,
        )
        self.log_rotator = LogRotator(self._rotated_logs, environment, self._clock, self._journal)
        self.exit_on = ExitOn(exit_on, self.loop, self.performer.instances, self._clock, self._calls.end)
        self.reaper = Reaper(events, self._exited, held=self.cgroups.joining)
        self.cgroups.joined = self.reaper.look
        self.memory = MemoryKills()
        lookup = SenderLookup(self.performer.instances, self._folder.store.uuid)
        self.notify_socket = NotifySocket(
            self._configuration.notify_socket, lookup.find, self.loop.tell, self._journal
        )
        self.adopted_exits = AdoptedExits(events, self._process_exited)

    @property
    def socket(self) -> str:
        """The file on which pmond answers."""
        return self._configuration.socket

    def turn_ended(self, before: dict[str, State], happened: list[ProcessEvent]) -> None:
        """Tell all who follow the loop; `before` are the states that the turn has changed."""
        self.recorder.turn_ended(before, happened)
        self.tuner.tune(before)
        self.watched_files.follow(before)
        self.event_handlers.turn_ended(before)
        self.exit_on.turn_ended(before)
        self._expect_logs(before)

    def look_again(self) -> None:
        """At what no event may have told about."""
        self.reaper.sweep(
            lambda: [running.pid for running in self.performer.instances if running.own and not running.ended]
        )
        self.performer.sweep()
        self.recorder.look_again()
        self.memory.forget()
        self.log_rotator.look()
        self.watched_files.resync()
        self.loop.touch(self.registry.processes)

    def _exited(self, pid: int, status: ExitStatus) -> None:
        exit_status_holder = self._folder.exit_status_holder
        if exit_status_holder.was(pid):
            exit_status_holder.start()
            exit_status_holder.refill(self.performer.instances.mains())
        elif not any(tell(pid, status) for tell in self._followers_of_exits()):
            self._process_exited(pid, status)

    def _process_exited(self, pid: int, status: ExitStatus) -> None:
        self.performer.exited(pid, self.memory.explained(status))

    def _followers_of_exits(self) -> tuple[Callable[[int, ExitStatus], bool], ...]:
        return (
            self.event_handlers.exited,
            self.log_rotator.exited,
            self.performer.reloads.exited,
            self.performer.prober.exited,
            self._calls.exited,
        )

    def _expect_logs(self, names: Iterable[str]) -> None:
        processes = self.registry.processes
        if any((one := processes.get(name)) is not None and one.spec.log_rotate.wanted for name in names):
            self.log_rotator.schedule_check()

    def rotated_folders(self) -> frozenset[str]:
        """Folders with logs that are to be rotated."""
        return frozenset(str(Path(path).parent) for path in self._rotated_logs())

    def _rotated_logs(self) -> dict[str, LogRotateSpec]:
        running = (self.registry.processes.get(one.name) for one in self.performer.instances)
        return {
            path: one.spec.log_rotate
            for one in running
            if one is not None and one.spec.log_rotate.wanted
            for path in self.publisher.log_files(one)
        }

    def _renamed(self, one: Intent, new: str) -> None:
        """Carry over what is known of a process, and its log where the name alone says where it is."""
        self.loop.rename(one.name, new)
        self.performer.rename(one.name, new)
        self.publisher.rename(one.name, new)
        logs = self._configuration.settings.logs.directory
        before, after = (Path(logs) / f"{name}.log" for name in (one.name, new))
        if one.spec.log or one.spec.log_dir or not before.exists() or after.exists():
            return
        try:
            before.rename(after)
            reached(FailPoint.LOG_RENAMED)
        except OSError as error:
            self._journal.warn("log.not_renamed", path=str(before), error=str(error))

    def _identification(self) -> Identification:
        places = self._configuration.places
        return Identification(self._clock.wall(), self.socket, places.config_file, self._folder.path)

    def _circumstances(self) -> Circumstances:
        logs, store = self._configuration.settings.logs, self._folder.store
        return Circumstances(self.sources.process_config_file, logs.directory, store.degraded)

    def _report_defect(self, identifier: str, where: str, error: BaseException) -> None:
        self._journal.error("request.failed", error, id=identifier, where=where)
