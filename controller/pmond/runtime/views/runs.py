"""RunList of processes: those that have ended, as they are kept, and the one that goes on.

Theory of operation: an end, or a start that failed, is a line of history with all that is to be known of
the run. It is turned into a row when it is recorded. The last run of each one-shot is kept in memory, as it
stands in every list.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from pmon3_schema.status import ProcessRun
from pmond.core.backoff import succeeded
from pmond.core.events import EventType, ProcessEvent
from pmond.core.model import ExitStatus, Intent, State
from pmond.runtime.base.clock import Clock, wall_after
from pmond.runtime.state.records import RunRecord
from pmond.runtime.state.store import Store

PMOND = "pmond"
"""Who asked for a run that nobody asked for."""
_ENDS = (EventType.EXITED, EventType.STOPPED, EventType.START_FAILED)


class RunList:
    """What is known of them."""

    def __init__(self, store: Store, processes: Callable[[], Mapping[str, Intent]], clock: Clock) -> None:
        self._store = store
        self._processes = processes
        self._clock = clock
        self._last = store.latest_runs()

    def ended(self, happened: Iterable[ProcessEvent]) -> list[RunRecord]:
        """The runs that have ended with what happened in a turn."""
        found = [self._record(event) for event in happened if event.type in _ENDS]
        self._last.update((run.name, run) for run in found)
        return found

    def last(self, one: Intent) -> ProcessRun | None:
        """The last run of a one-shot that has ended."""
        run = self._last.get(one.name) if one.spec.is_oneshot else None
        return run_json(run) if run is not None else None

    def listed(self, one: Intent, state: State, limit: int) -> list[ProcessRun]:
        """The newest runs, oldest first; the one that goes on is the last."""
        going_on = self._going_on(state)
        return ([run_json(run) for run in self._store.runs(one.name, limit)] + going_on)[-limit:]

    def forget(self, name: str) -> None:
        self._last.pop(name, None)

    def renamed(self, one: Intent, name: str) -> None:
        """What ran of it ran under its new name."""
        run = self._last.pop(one.name, None)
        if run is not None:
            self._last[name] = run

    def _going_on(self, state: State) -> list[ProcessRun]:
        instance = state.instance
        if instance is None:
            return []
        now = self._clock.now()
        return [{
            "number": instance.number, "started_at": wall_after(instance.started_at - now), "ended_at": None,
            "duration_seconds": round(now - instance.started_at, 3), "outcome": "running", "exit_code": None,
            "exit_signal": None, "by": instance.by or PMOND,
        }]  # fmt: skip

    def _record(self, event: ProcessEvent) -> RunRecord:
        fields = event.fields
        seconds = float(fields.get("ran_for", 0.0))
        return RunRecord(
            event.name, int(fields["instance"]), wall_after(-seconds), self._clock.wall(), seconds,
            self._outcome(event), fields.get("exit_code"), fields.get("exit_signal"),
            str(fields.get("by", "")),
        )  # fmt: skip

    def _outcome(self, event: ProcessEvent) -> str:
        one = self._processes().get(event.name)
        fields = event.fields
        if event.type is EventType.START_FAILED:
            return "not started"
        if fields.get("fault"):
            return "failed"
        if event.type is EventType.STOPPED:
            return "stopped"
        code, signal = fields.get("exit_code"), fields.get("exit_signal")
        if code is None and signal is None:
            return "unknown"
        fine = code == 0 if one is None else succeeded(one.spec, ExitStatus(code))
        return "succeeded" if fine else "failed"


def run_json(run: RunRecord) -> ProcessRun:
    """One run as callers see it."""
    return {
        "number": run.number, "started_at": run.started_at, "ended_at": run.ended_at,
        "duration_seconds": run.duration_seconds, "outcome": run.outcome, "exit_code": run.exit_code,
        "exit_signal": run.exit_signal, "by": run.by or PMOND,
    }  # fmt: skip
