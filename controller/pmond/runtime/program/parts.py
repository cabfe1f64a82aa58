"""What pmond is made of: each part is made once, after those it needs.

`Parts` only puts together; what happens when is in `daemon`.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

from msgspec import Struct

from pmon3_schema.group_limits import ALL
from pmond.runtime.access import users
from pmond.runtime.base.clock import Clock
from pmond.runtime.base.journal import Journal
from pmond.runtime.intent.applier import Applier
from pmond.runtime.intent.commands import Commands
from pmond.runtime.intent.hold_expiry import HoldExpiry
from pmond.runtime.intent.ownership import Ownership
from pmond.runtime.intent.registry import Registry
from pmond.runtime.intent.replication import Replication
from pmond.runtime.intent.rollbacks import Rollbacks, RolloutEnds
from pmond.runtime.intent.rollouts import Rollouts
from pmond.runtime.intent.sets import Sets
from pmond.runtime.intent.sources import Sources
from pmond.runtime.observers.event_handlers import EventHandlers
from pmond.runtime.observers.exit_on import ExitOn
from pmond.runtime.observers.forgetter import Forgetter
from pmond.runtime.observers.left_logs import LeftLogs
from pmond.runtime.observers.log_file_rename import LogFileRename
from pmond.runtime.observers.log_rotator import LogRotator
from pmond.runtime.observers.memory_kills import ToldMemoryKills
from pmond.runtime.observers.memory_limits import MemoryLimits
from pmond.runtime.observers.process_json import Describer
from pmond.runtime.observers.recorder import Recorder
from pmond.runtime.observers.resource_limits import ResourceLimits
from pmond.runtime.observers.rotated_logs import RotatedLogs
from pmond.runtime.observers.timed_logs import TimedLogs
from pmond.runtime.observers.timekeeper import Timekeeper
from pmond.runtime.observers.tuning import Tuner
from pmond.runtime.observers.watched_files import WatchedFiles
from pmond.runtime.processes import cgroups
from pmond.runtime.processes.adopted_exits import AdoptedExits
from pmond.runtime.processes.instances import Instances
from pmond.runtime.processes.launch import SpawnContext
from pmond.runtime.processes.memory import MemoryKills
from pmond.runtime.processes.reaper import Reaper
from pmond.runtime.program.configuration import Configuration, policy_of
from pmond.runtime.program.state_folder import StateFolder
from pmond.runtime.supervise.bus import Bus
from pmond.runtime.supervise.listeners import ExitListener, Exits, HolderGuard
from pmond.runtime.supervise.loop import Loop
from pmond.runtime.supervise.perform import Performer
from pmond.runtime.supervise.probes.notify_socket import NotifySocket
from pmond.runtime.supervise.probes.sender import SenderLookup
from pmond.runtime.supervise.scheduler import Scheduler
from pmond.runtime.supervise.signalling import Signalling
from pmond.runtime.views.change_times import ChangeTimes
from pmond.runtime.views.publishing import Publisher
from pmond.runtime.views.runs import RunList


class Calls(Struct, frozen=True):
    """What the parts ask of pmond as a whole."""

    end: Callable[[bool], None]
    upgrade: ExitListener
    """Has children too: the tries of newer code."""


class Parts:
    """All of them, wired; nothing has happened yet.

    Who takes part in what happens stands here in its order: `executors` of actions, `turn_observers`,
    `exit_listeners`, `rename_listeners`, and `sweepers`, which look again from time to time.
    """

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
        self._make_supervision()
        self._make_intent()
        self._make_views()
        self._make_observers(exit_on)
        self._make_commands()

    def _make_supervision(self) -> None:
        """What is seen, and what acts on it."""
        folder, configuration, clock, journal = self._folder, self._configuration, self._clock, self._journal
        events = asyncio.get_running_loop()
        self.bus = Bus()
        self.loop = Loop(clock, journal, policy_of(configuration.settings))
        self.instances = Instances()
        self.cgroups = cgroups.find(folder.store.uuid)
        self.memory_kills = MemoryKills()
        self.adopted_exits = AdoptedExits(events)
        self.performer = Performer(
            self.loop, self.instances, configuration.context, folder.starts, self.cgroups,
            self.adopted_exits, self.memory_kills, clock, journal, folder.store.uuid, folder.seal,
            renamed=any(record.born_as for record in folder.snapshot.instances),
        )  # fmt: skip
        self.scheduler = Scheduler(self.loop, clock, journal)
        lookup = SenderLookup(self.instances, folder.store.uuid)
        self.notify_socket = NotifySocket(configuration.notify_socket, lookup.find, self.loop.tell, journal)

    def _make_intent(self) -> None:
        """What is wanted, in memory as on disk."""
        self.change_times = ChangeTimes(self._clock)
        log_folder = LogFileRename(lambda: self._configuration.settings.logs.directory, self._journal)
        store, snapshot = self._folder.store, self._folder.snapshot
        self.runs = RunList(store, lambda: self.registry.processes, self._clock)
        self.rename_listeners = (self.loop, self.performer, self.change_times, self.runs, log_folder)
        self.registry = Registry(store, self.loop, self.bus, self._clock, self.rename_listeners)
        self.registry.load(snapshot)
        self.sets = Sets(store, self.bus, self._clock, os.geteuid(), self._configuration.followed)
        self.sets.load(snapshot.sources)

    def _make_views(self) -> None:
        """What is shown of it."""
        self.publisher = Publisher(
            self.registry, self.loop, self.instances, self._folder.store, self.runs, self.sets,
            self.change_times,
            self._configuration.context, self._clock, self._journal, users.name_of(os.geteuid()),
            self.cgroups.unkept, self.performer.members,
        )  # fmt: skip

    def _make_observers(self, exit_on: str) -> None:
        """What follows from turns and exits: records, scripts, rotation, the end of pmond itself."""
        registry, loop, instances, publisher = self.registry, self.loop, self.instances, self.publisher
        folder, clock, journal, settings = self._folder, self._clock, self._journal, self._configuration
        environment = settings.context().environment
        self.recorder = Recorder(
            folder.store, registry, loop, instances, self.change_times, self.runs, self.bus, clock, journal,
            lambda name: publisher.log_files(registry.processes[name])[0],
            folder.starts, folder.exit_status_holder,
        )  # fmt: skip
        self.tuner = Tuner(registry, instances, self.performer, journal, self.recorder.announce)
        self.resource_limits = ResourceLimits(registry, instances, self.cgroups, self.recorder.announce)
        self.watched_files = WatchedFiles(registry, loop, journal)
        self.memory_limits = MemoryLimits(registry, loop, instances, clock)
        self.event_handlers = EventHandlers(
            loop, lambda: settings.settings.event_handling, Describer(registry, loop, publisher),
            environment, clock, journal,
            quiet_until=clock.now() + settings.settings.initialization_period,
        )  # fmt: skip
        self.rotated_logs = RotatedLogs(registry, instances, publisher)
        self.log_rotator = LogRotator(self.rotated_logs, environment, clock, journal)
        self.exit_on = ExitOn(exit_on, loop, instances, clock, self._calls.end)
        forgetter = Forgetter(folder.store, registry, loop, self.change_times, self.runs, self.bus)
        keeper = HolderGuard(folder.exit_status_holder, instances)

        self.timekeeper = Timekeeper(TimedLogs(registry, publisher), folder.log_times, journal)
        left_logs = LeftLogs(registry, publisher, self.recorder.announce)
        self.executors = (left_logs, self.timekeeper, self.performer, self.scheduler, forgetter)
        # What happened is saved, and told, before anything follows from it.
        self.turn_observers = (
            self.recorder, self.tuner, self.resource_limits, self.watched_files, self.event_handlers,
            self.exit_on, self.log_rotator, self.memory_limits, self.timekeeper,
        )  # fmt: skip
        # The performer comes last: what nobody else knows is a process.
        self.exit_listeners = (
            keeper, self.event_handlers, self.log_rotator, self._calls.upgrade, self.performer,
        )  # fmt: skip
        self.reaper = Reaper(
            asyncio.get_running_loop(), Exits(self.exit_listeners).exited, self.cgroups, instances.unreaped
        )
        # Ends first: what else is found depends on them. What is wanted last, when all is known.
        told_kills = ToldMemoryKills(instances, self.memory_kills, self.recorder.announce)
        self.sweepers = (
            self.reaper, self.performer, self.recorder, told_kills, self.memory_kills, self.log_rotator,
            self.watched_files, self.scheduler, loop,
        )  # fmt: skip

    def _make_commands(self) -> None:
        """Who may change what is wanted, by command and by manifest."""
        registry, loop, bus, sets, clock = self.registry, self.loop, self.bus, self.sets, self._clock
        authority, announce = self._configuration.authority, self.recorder.announce
        self.commands = Commands(registry, loop, sets, clock, authority)
        self.signalling = Signalling(loop, self.instances, self.performer, announce)
        self.rollout_ends = RolloutEnds(announce)
        self.rollouts = Rollouts(registry, loop, bus, sets, clock, self._journal, self.rollout_ends)
        self.applier = Applier(
            registry, loop, sets, self.rollouts, authority, self.instances,
            self._configuration.implied, announce, lambda: self.cgroups.controllers.missing(ALL),
        )  # fmt: skip
        self.sources = Sources(
            self.applier, registry, sets, self._journal, lambda: self._configuration.settings,
            self._configuration.places.process_config_file, announce,
        )  # fmt: skip
        self.rollbacks = Rollbacks(registry, self.applier, sets, clock, self._journal, announce)
        self.replication = Replication(registry, clock, authority)
        self.ownership = Ownership(registry, self.replication, sets, bus, clock, authority)
        self.hold_expiry = HoldExpiry(registry, sets, bus, self._journal, self.sources.resumed)

    @property
    def context(self) -> Callable[[], SpawnContext]:
        """What every start has in common, as it is now."""
        return self._configuration.context

    @property
    def socket(self) -> str:
        """The file on which pmond answers."""
        return self._configuration.socket
