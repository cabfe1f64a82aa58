"""After each turn: what changed is saved, told, and its figures are brought up to date."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache

from msgspec.structs import replace

from pmond.core.events import ProcessEvent
from pmond.core.model import NOTHING_SEEN, Instance, State
from pmond.runtime.base.clock import Clock
from pmond.runtime.base.journal import Journal
from pmond.runtime.intent.registry import Registry
from pmond.runtime.processes.exit_status_holder import ExitStatusHolder
from pmond.runtime.processes.identity import boot_id
from pmond.runtime.processes.instances import Instances, Running
from pmond.runtime.state.records import Batch, EventRecord, InstanceRecord
from pmond.runtime.state.row_conversion import changed_fields, history_record, instance_record
from pmond.runtime.state.starts import Starts
from pmond.runtime.state.store import Store
from pmond.runtime.supervise.bus import Bus
from pmond.runtime.supervise.loop import Loop
from pmond.runtime.views.change_times import ChangeTimes
from pmond.runtime.views.publishing import event_json
from pmond.runtime.views.runs import RunList


class Recorder:
    """Writes the runtime facts of a turn and tells those who wait for them."""

    def __init__(
        self,
        store: Store,
        registry: Registry,
        loop: Loop,
        instances: Instances,
        change_times: ChangeTimes,
        runs: RunList,
        bus: Bus,
        clock: Clock,
        journal: Journal,
        log_of: Callable[[str], str],
        starts: Starts,
        exit_status_holder: ExitStatusHolder,
    ) -> None:
        self._store = store
        self._registry = registry
        self._loop = loop
        self._instances = instances
        self._change_times = change_times
        self._runs = runs
        self._bus = bus
        self._clock = clock
        self._journal = journal
        self._log_of = log_of
        self._starts = starts
        self._exit_status_holder = exit_status_holder
        self._degraded: str | None = None
        self._dropped = Batch()

    def turn_ended(self, before: Mapping[str, State], happened: Sequence[ProcessEvent]) -> None:
        """Save and tell what changed in one turn."""
        batch, self._dropped = self._dropped, Batch()
        for name, old in before.items():
            self._keep(batch, name, old, self._loop.observed.get(name))
        batch.events.extend(self._record(event) for event in happened)
        batch.runs.extend(self._runs.ended(happened))
        self._exit_status_holder.send(len(self._instances.mains()))
        self._store.flush(batch)
        if self._store.saved:
            self._starts.saved()
        if self._exit_status_holder.crowded and (
            self._store.saved or self._store.degraded
        ):  # what ended is saved by now
            self._exit_status_holder.refill(self._instances.mains())
        self._tell_degraded()
        self._change_times.note(before.keys())
        for record in batch.events:
            self._bus.publish(event_json(record))
        self._bus.changed(before.keys())

    def look_again(self) -> None:
        """Save what could not be saved, should nothing else happen that leads to it."""
        if self._store.degraded is not None:
            self.turn_ended({}, [])

    def drop(self, stale: Iterable[InstanceRecord]) -> None:
        """Forget these records with the next turn, which says what took their place."""
        self._dropped.instances.update({(record.name, record.number): None for record in stale})

    def announce(self, type: str, message: str, name: str = "") -> None:
        """An event that is not one of a process's turns."""
        record = EventRecord(self._store.next_event_id(), self._clock.wall(), name, type, type, message)
        self._store.flush(Batch(events=[record]))
        self._bus.publish(event_json(record))

    def _keep(self, batch: Batch, name: str, old: State, new: State | None) -> None:
        after = new or NOTHING_SEEN
        if old.instance is not None and (
            after.instance is None or after.instance.number != old.instance.number
        ):
            batch.instances[name, old.instance.number] = None
        if after.instance is not None:
            self._keep_instance(batch, name, old.instance, after.instance)
        if after.history != old.history:
            batch.histories[name] = (
                history_record(name, after.history, boot_id()) if new is not None else None
            )

    def _keep_instance(self, batch: Batch, name: str, old: Instance | None, new: Instance) -> None:
        """Record an instance once; of what happens to it later, only what the next pmond must know."""
        running = self._instances.named(name, new.number)
        if running is not None and not running.recorded:
            self._record_instance(batch, running, new)
        elif old is not None and old.number == new.number and (changes := changed_fields(old, new)):
            batch.changes[name, new.number] = changes

    def _record_instance(self, batch: Batch, running: Running, instance: Instance) -> None:
        if running.own and not running.ended:
            running.identity = replace(
                running.identity, pidfd_inode=self._exit_status_holder.hold(running.pid)
            )
        one = self._registry.processes.get(running.name)
        if one is not None:
            # What was found running after a loss of the state runs with nobody knows what.
            spec = one.spec.to_record() if instance.revision == one.revision else {}
            batch.instances[running.name, running.number] = instance_record(
                running, instance, spec, self._log_of(running.name), self._clock.wall()
            )
            running.recorded = True

    def _record(self, event: ProcessEvent) -> EventRecord:
        self._journal.event(f"process.{_snake(event.type.value)}", name=event.name, **event.fields)
        type = event.type.value
        return EventRecord(
            self._store.next_event_id(),
            self._clock.wall(),
            event.name,
            type,
            type,
            event.message,
            event.fields,
        )

    def _tell_degraded(self) -> None:
        if self._store.degraded != self._degraded:
            self._degraded = self._store.degraded
            if self._degraded:
                self._journal.error("state.degraded", self._degraded)
            else:
                self._journal.event("state.recovered")


@cache
def _snake(word: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in word).lstrip("_")
