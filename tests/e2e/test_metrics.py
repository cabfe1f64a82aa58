"""What Prometheus is told of real processes, read as Prometheus reads it."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as prometheus
from tests.support.pmond import PATIENCE, Pmond
from tests.support.waiting import until

from pmon3_schema.status import Status

Labels = frozenset[tuple[str, str]]
NAMES = {
    "pmon3_process_info", "pmon3_process_up", "pmon3_process_ready", "pmon3_process_status",
    "pmon3_process_restarts_total", "pmon3_process_cpu_seconds_total", "pmon3_process_memory_bytes",
    "pmon3_process_start_time_seconds", "pmon3_process_last_exit_code",
    "pmon3_process_next_run_time_seconds", "pmon3_probe_failures_total",
    "pmon3_set_synced", "pmon3_set_healthy", "pmond_turn_seconds_bucket", "pmond_turn_seconds_sum",
    "pmond_turn_seconds_count", "pmond_open_files",
}  # fmt: skip
"""A contract: dashboards and alert rules are written with them."""
BUSY = "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done"


class Scrape(dict[tuple[str, Labels], float]):
    """Samples by name and labels."""

    def __init__(self, text: str, read: Callable[[str], Any] = openmetrics) -> None:
        super().__init__(
            ((sample.name, frozenset(sample.labels.items())), sample.value)
            for family in read(text)
            for sample in family.samples
        )

    def of(self, metric: str, **labels: str) -> float | None:
        return self.get((metric, frozenset(labels.items())))

    @property
    def names(self) -> set[str]:
        return {name for name, _ in self}


def failures(found: Scrape) -> float:
    return found.of("pmon3_probe_failures_total", name="web", probe="live") or 0.0


def scraped(pmond: Pmond) -> Scrape:
    return Scrape(pmond.ok("metrics"))


def test_every_kind_of_process_and_set_is_told(pmond: Pmond) -> None:
    shell = {"file": "/bin/sh", "restart": {"policy": "never"}}
    pmond.declare(
        {"name": "web", "file": "/bin/sleep", "args": ["1000"], "groups": ["front", "eu"],
         "live": {"exec": ["false"], "interval": "200ms", "failures": 1000}},
        {**shell, "name": "wrong", "args": ["-c", "exit 3"]},
        {**shell, "name": "killed", "args": ["-c", "kill -KILL $$"]},
        {"name": "never", "file": "/bin/true", "autostart": False},
        {"name": "nightly", "file": "/bin/true", "schedule": {"every": "1h"}},
    )  # fmt: skip
    for name in ("wrong", "killed"):
        pmond.until(name, "failed")
    until(
        lambda: (scraped(pmond).of("pmon3_probe_failures_total", name="web", probe="live") or 0) > 1, "tries"
    )
    pmond.ok("restart", "web")
    row = pmond.until("web", "running", restart_count=1)
    found, owner = scraped(pmond), f"file:{pmond.manifest_file}"

    assert found.names == NAMES
    assert found.of("pmon3_process_info", name="web", set=owner, groups="front,eu", user=row["user"]) == 1
    for name, up, ready, status in (
        ("web", 1, 1, Status.RUNNING), ("wrong", 0, 0, Status.FAILED), ("never", 0, 0, Status.STOPPED),
    ):  # fmt: skip
        said = [found.of(f"pmon3_process_{what}", name=name) for what in ("up", "ready", "status")]
        assert said == [up, ready, status]
    assert found.of("pmon3_process_restarts_total", name="web") == 1
    assert found.of("pmon3_process_memory_bytes", name="web") == pytest.approx(
        row["memory_bytes"] or 1e6, abs=1e8
    )
    assert found.of("pmon3_process_last_exit_code", name="wrong") == 3
    assert found.of("pmon3_process_last_exit_code", name="killed") == 128 + 9
    for metric in ("start_time_seconds", "cpu_seconds_total", "memory_bytes", "last_exit_code"):
        assert found.of(f"pmon3_process_{metric}", name="never") is None
    assert found.of("pmon3_probe_failures_total", name="web", probe="ready") is None
    assert (found.of("pmon3_set_synced", set=owner), found.of("pmon3_set_healthy", set=owner)) == (1, 0)
    assert 0 < (found.of("pmon3_process_next_run_time_seconds", name="nightly") or 0) - time.time() <= 3600
    assert found.of("pmon3_process_next_run_time_seconds", name="web") is None
    assert (found.of("pmond_open_files") or 0) > 5
    assert (found.of("pmond_turn_seconds_count") or 0) > 1


def test_a_set_that_is_not_as_its_file_says_is_told(pmond: Pmond) -> None:
    pmond.declare({"name": "web", "file": "/bin/sleep", "args": ["1000"]})
    pmond.until("web", "running")
    owner = f"file:{pmond.manifest_file}"
    until(lambda: scraped(pmond).of("pmon3_set_healthy", set=owner) == 1, "the set to be well")
    pmond.write("processes: [")
    until(lambda: scraped(pmond).of("pmon3_set_synced", set=owner) == 0, "the mistake to be told")


def test_processor_time_is_that_of_the_whole_tree_and_never_less_than_before(pmond: Pmond) -> None:
    """Also when children have ended that used it, orphans among them."""
    script = f"(sh -c '{BUSY}' &) ; sh -c '{BUSY}'; : > done; sleep 1000"
    pmond.declare({"name": "web", "file": "/bin/sh", "args": ["-c", script], "cwd": str(pmond.folder)})
    seen = [0.0]

    def grown() -> bool:
        seen.append(scraped(pmond).of("pmon3_process_cpu_seconds_total", name="web") or 0.0)
        return (pmond.folder / "done").exists() and seen[-1] > 0.05

    until(grown, "the work to be done", PATIENCE)
    seen += [scraped(pmond).of("pmon3_process_cpu_seconds_total", name="web") or 0.0 for _ in range(3)]
    assert seen == sorted(seen)


def test_the_time_of_a_start_is_the_same_at_each_scrape(pmond: Pmond) -> None:
    pmond.declare({"name": "web", "file": "/bin/sleep", "args": ["1000"]})
    pmond.until("web", "running")
    assert len({scraped(pmond).of("pmon3_process_start_time_seconds", name="web") for _ in range(5)}) == 1


def test_both_forms_say_the_same_and_others_are_refused(pmond: Pmond) -> None:
    pmond.declare({"name": "web", "file": "/bin/sleep", "args": ["1000"]})
    pmond.until("web", "running")
    older = Scrape(pmond.ok("metrics", "--format", "prometheus"), prometheus)
    assert older.names == scraped(pmond).names
    assert older.of("pmon3_process_up", name="web") == 1
    refused = pmond.ask("GET", "/metrics?format=xml")
    assert (refused.status, refused.body["error"]["code"]) == (400, "bad_request")


def test_a_scraper_is_told_what_it_gets(pmond: Pmond) -> None:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(pmond.socket))
        connection.sendall(b"GET /metrics HTTP/1.1\r\nHost: pmond\r\nConnection: close\r\n\r\n")
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"content-type: application/openmetrics-text; version=1.0.0; charset=utf-8" in head.lower()
    assert body.endswith(b"# EOF\n")
