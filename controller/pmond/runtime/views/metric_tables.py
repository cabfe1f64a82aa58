"""The metrics that there are: one row of a table each, made of facts that are gathered elsewhere.

A new metric is a new row here, and what it needs a new field of the facts. Names are a contract: dashboards
and alert rules are written with them (docs/how-to/monitor.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from pmon3_schema.status import Status
from pmond.runtime.views.exposition import Kind, Metric, Number
from pmond.runtime.views.set_view import SetSummary


class ProcessFacts(Struct, frozen=True):
    """What the metrics of one process are made of."""

    labels: str
    about: str
    """All labels of its info metric."""
    status: Status
    running: bool
    ready: bool
    restarts: int
    cpu_seconds: float | None
    memory_bytes: int | None
    started_at: float | None
    """Seconds since 1970."""
    exit_code: int | None
    next_run_at: float | None
    """The same as `started_at`."""
    probe_failures: Mapping[str, Number]


class DaemonFacts(Struct, frozen=True):
    """The same of pmond itself."""

    open_files: int


PROCESS_METRICS: tuple[Metric[ProcessFacts], ...] = (
    Metric("pmon3_process", Kind.INFO, "What is declared: set, groups and user.", lambda one: {one.about: 1}),
    Metric("pmon3_process_up", Kind.GAUGE, "1 while its program runs, else 0.", lambda one: int(one.running)),
    Metric(
        "pmon3_process_ready", Kind.GAUGE, "1 while it is ready, as by its ready probe, else 0.",
        lambda one: int(one.ready),
    ),
    Metric(
        "pmon3_process_status", Kind.GAUGE, "The number of its status: 2 is running, 4 is failed.",
        lambda one: int(one.status),
    ),
    Metric(
        "pmon3_process_restarts", Kind.COUNTER, "Restarts since it was declared or reset.",
        lambda one: one.restarts,
    ),
    Metric(
        "pmon3_process_cpu_seconds", Kind.COUNTER, "Processor time of the whole tree of the present run.",
        lambda one: one.cpu_seconds, "seconds",
    ),
    Metric(
        "pmon3_process_memory_bytes", Kind.GAUGE, "Resident memory of its whole tree.",
        lambda one: one.memory_bytes, "bytes",
    ),
    Metric(
        "pmon3_process_start_time_seconds", Kind.GAUGE, "When the present run began, in seconds since 1970.",
        lambda one: one.started_at, "seconds",
    ),
    Metric(
        "pmon3_process_last_exit_code", Kind.GAUGE, "How its last run ended; 128 and the number of a signal.",
        lambda one: one.exit_code,
    ),
    Metric(
        "pmon3_process_next_run_time_seconds", Kind.GAUGE, "When its schedule starts it next, since 1970.",
        lambda one: one.next_run_at, "seconds",
    ),
    Metric(
        "pmon3_probe_failures", Kind.COUNTER, "Failed tries of each probe in the present run.",
        lambda one: one.probe_failures,
    ),
)  # fmt: skip
SET_METRICS: tuple[Metric[SetSummary], ...] = (
    Metric(
        "pmon3_set_synced", Kind.GAUGE, "1 while the set is what its source says, else 0.",
        lambda one: int(one.sync == "Synced"),
    ),
    Metric(
        "pmon3_set_healthy", Kind.GAUGE, "1 while all processes of the set are well, else 0.",
        lambda one: int(one.health == "Healthy"),
    ),
)  # fmt: skip
DAEMON_METRICS: tuple[Metric[DaemonFacts], ...] = (
    Metric("pmond_open_files", Kind.GAUGE, "Descriptors that pmond has open.", lambda one: one.open_files),
)
TURN_SECONDS = ("pmond_turn_seconds", "How long the turns of pmond's loop took.")
"""The one histogram: name and help."""
TABLES: tuple[tuple[Metric[Any], ...], ...] = (PROCESS_METRICS, SET_METRICS, DAEMON_METRICS)
"""All of them but the histogram, in the order in which they are written."""
