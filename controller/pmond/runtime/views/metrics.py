"""What monitoring systems are told, gathered and written.

Theory of operation: the facts about each process and each set are gathered once, then each metric of
`metric_tables` is written from them. A thousand processes are gathered and written a bit at a time, and
measured in a thread, so that the loop goes on meanwhile. What is not known of a process, such as the start of
one that never ran, has no sample.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from msgspec.structs import replace

from pmond.core.model import NOTHING_SEEN, ExitStatus, Intent, State
from pmond.core.probing import Aspect
from pmond.runtime.access.principal import Principal
from pmond.runtime.base.clock import Clock
from pmond.runtime.base.long_work import cooperative_map, in_thread
from pmond.runtime.intent.registry import Registry
from pmond.runtime.processes.cgroups import processor_seconds
from pmond.runtime.processes.instances import Instances
from pmond.runtime.processes.usage import Usage
from pmond.runtime.supervise.loop import Loop
from pmond.runtime.views.exposition import (
    END,
    Form,
    Kind,
    Metric,
    Number,
    Subject,
    head,
    histogram,
    label_text,
    samples,
)
from pmond.runtime.views.metric_tables import (
    DAEMON_METRICS,
    PROCESS_METRICS,
    SET_METRICS,
    TURN_SECONDS,
    DaemonFacts,
    ProcessFacts,
)
from pmond.runtime.views.publishing import Publisher, next_run
from pmond.runtime.views.reporting import reported
from pmond.runtime.views.set_view import SetView
from pmond.runtime.views.spent_time import SpentTimes

_AT_ONCE = 64
"""Subjects of which one metric is written in one go."""
_SIGNALLED = 128
"""What shells add to the number of a signal to make an exit code of it."""


class MetricsView:
    """Answers with all of them as text."""

    def __init__(
        self,
        registry: Registry,
        loop: Loop,
        instances: Instances,
        publisher: Publisher,
        sets: SetView,
        clock: Clock,
    ) -> None:
        self._registry = registry
        self._loop = loop
        self._instances = instances
        self._publisher = publisher
        self._sets = sets
        self._clock = clock
        self._epoch = _since_1970(clock)
        self._spent = SpentTimes()

    async def text(self, form: Form, peer: Principal) -> bytes:
        """The whole exposition."""
        chosen = sorted(self._registry.processes.values(), key=lambda one: one.id)
        facts = await self._facts(chosen)
        statuses = {one.name: found.status for one, found in zip(chosen, facts, strict=True)}
        summaries = await self._sets.summaries(peer, statuses)
        pieces = [
            *await _written(PROCESS_METRICS, [(one.labels, one) for one in facts], form),
            *await _written(SET_METRICS, [(label_text({"set": one.name}), one) for one in summaries], form),
            *await _written(DAEMON_METRICS, [("", _daemon_facts())], form),
            *self._turns(form),
            END,
        ]
        return "".join(pieces).encode()

    async def _facts(self, chosen: Sequence[Intent]) -> list[ProcessFacts]:
        runs = {one.name: one for one in self._instances if not one.ended}
        numbers = {name: running.number for name, running in runs.items()}
        groups = {name: running.group for name, running in runs.items() if running.group}
        measured = await self._publisher.measured(chosen)
        of_groups = await in_thread(_of_groups, groups)
        if abs(_since_1970(self._clock) - self._epoch) > 1.0:  # somebody has set the clock
            self._epoch = _since_1970(self._clock)

        def facts(one: Intent) -> ProcessFacts:
            usage = measured.get(one.name)
            if usage is not None:
                usage = replace(usage, cpu_seconds=max(usage.cpu_seconds, of_groups.get(one.name, 0.0)))
            return self._facts_of(one, numbers.get(one.name, 0), usage)

        found = await cooperative_map(chosen, facts)
        self._spent.keep(numbers.keys())
        return found

    def _facts_of(self, one: Intent, number: int, usage: Usage | None) -> ProcessFacts:
        """`usage` is that of the run of this number, which may have been replaced meanwhile."""
        state = self._loop.observed.get(one.name, NOTHING_SEEN)
        next_run_at = next_run(one, state)
        instance, seen = state.instance, reported(self._loop, one.name, self._clock.now())
        measured = usage if instance is not None and instance.number == number else None
        seconds = self._spent.note(one.name, number, measured.cpu_seconds) if measured is not None else None
        return ProcessFacts(
            labels=label_text({"name": one.name}),
            about=label_text(self._about(one)),
            status=seen.status,
            running=instance is not None and instance.ended_at is None,
            ready=seen.ready,
            restarts=state.history.restart_count,
            cpu_seconds=round(seconds, 3) if seconds is not None else None,
            memory_bytes=measured.memory_bytes if measured is not None else None,
            started_at=round(self._epoch + instance.started_at, 3) if instance is not None else None,
            exit_code=_code(state.history.exit),
            next_run_at=round(self._epoch + next_run_at, 3) if next_run_at is not None else None,
            probe_failures=_probe_failures(one, state),
        )

    def _about(self, one: Intent) -> dict[str, str]:
        groups = ",".join(self._registry.groups_of(one))
        return {"set": one.owner, "groups": groups, "user": self._publisher.user_name(one)}

    def _turns(self, form: Form) -> Iterator[str]:
        times = self._loop.turn_times
        yield head(TURN_SECONDS[0], Kind.HISTOGRAM, TURN_SECONDS[1], "seconds", form)
        yield from histogram(TURN_SECONDS[0], times.at_most(), times.seconds, times.count)


async def _written(
    metrics: Iterable[Metric[Subject]], subjects: Sequence[tuple[str, Subject]], form: Form
) -> list[str]:
    """The families of a table, each with its head, for all subjects with their labels."""
    pieces: list[str] = []

    def some(part: tuple[Metric[Subject], Sequence[tuple[str, Subject]]]) -> str:
        metric, of_metric = part
        return "".join(line for labels, one in of_metric for line in samples(metric, labels, one))

    for metric in metrics:
        pieces.append(head(metric.name, metric.kind, metric.help, metric.unit, form))
        parts = ((metric, subjects[at : at + _AT_ONCE]) for at in range(0, len(subjects), _AT_ONCE))
        pieces += await cooperative_map(parts, some)
    return pieces


def _of_groups(groups: Mapping[str, str]) -> dict[str, float]:
    """Processor seconds of control groups, by the names that they have here; as far as they are known."""
    found = ((name, processor_seconds(group)) for name, group in groups.items())
    return {name: seconds for name, seconds in found if seconds is not None}


def _probe_failures(one: Intent, state: State) -> dict[str, Number]:
    instance = state.instance
    if instance is None:
        return {}
    found: dict[str, Number] = {}
    if one.spec.ready.kind:
        found[f'probe="{Aspect.READY}"'] = instance.ready.failures
    if one.spec.live.kind:
        found[f'probe="{Aspect.LIVE}"'] = instance.live.failures
    return found


def _code(exit: ExitStatus | None) -> int | None:
    if exit is None or not exit.known:
        return None
    return exit.code if exit.code is not None else _SIGNALLED + (exit.signal or 0)


def _daemon_facts() -> DaemonFacts:
    return DaemonFacts(open_files=len(os.listdir("/proc/self/fd")))  # noqa: PTH208


def _since_1970(clock: Clock) -> float:
    """What a time of the clock lacks to be in seconds since 1970."""
    return datetime.fromisoformat(clock.wall()).timestamp() - clock.now()
