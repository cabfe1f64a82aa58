"""Lists: which processes, in which order, again at each change; and the process ids alone."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
from collections.abc import Iterator

import pytest
from tests.support.command_line import Run
from tests.support.fake_daemon import CannedAnswer, Chunks, FakeDaemon, ReceivedRequest, process
from tests.support.terminal import Terminal
from tests.support.waiting import until

from pmon3.describe import wholes
from pmon3.listing import ORDERS, folded, in_order, is_unwell

PROCESSES = [
    process(1, "web", cpu_percent=1.0, memory_bytes=30, restart_count=2, started_at="2025-03-04T05:06:07Z"),
    process(2, "db", "failed", restart_count=9),
    process(3, "api", cpu_percent=5.0, memory_bytes=10, started_at="2025-03-03T05:06:07Z"),
    process(4, "cron", ready=False),
    process(5, "old", "backoff"),
    process(6, "off", "stopped"),
]


@pytest.fixture
def six(daemon: FakeDaemon) -> FakeDaemon:
    daemon.answers["GET", "/v1/processes"] = CannedAnswer(PROCESSES)
    return daemon


@pytest.mark.parametrize(
    ("order", "names"),
    [
        ("id", ["web", "db", "api", "cron", "old", "off"]),
        ("name", ["api", "cron", "db", "off", "old", "web"]),
        ("cpu", ["api", "cron", "web", "db", "old", "off"]),
        ("restarts", ["db", "web", "api", "cron", "old", "off"]),
        ("uptime", ["api", "web", "cron", "db", "old", "off"]),
    ],
)
def test_the_order_of_a_list(six: FakeDaemon, run: Run, order: str, names: list[str]) -> None:
    assert run("ls", "--sort", order, "-o", "name").out.split() == names
    assert [p["name"] for p in in_order(PROCESSES, order)] == names


@pytest.mark.parametrize("order", ORDERS)
def test_the_other_way_round_is_the_same_values_backwards(order: str) -> None:
    value = ORDERS[order][0]
    forwards = [value(p) for p in in_order(PROCESSES, order)]
    assert [value(p) for p in in_order(PROCESSES, order, reverse=True)] == forwards[::-1]


def test_what_is_not_well_is_listed_alone(six: FakeDaemon, run: Run) -> None:
    assert run("ls", "--failed", "-o", "name").out.split() == ["db", "cron", "old"]
    assert [p["name"] for p in PROCESSES if is_unwell(p)] == ["db", "cron", "old"]


def test_wide_says_set_command_and_reason(six: FakeDaemon, run: Run) -> None:
    out = run("ls", "-o", "wide").out
    assert "║Command" in out and "/usr/bin/web -p '80 81'" in out


def test_process_ids_alone(six: FakeDaemon, run: Run) -> None:
    six.answers["GET", "/v1/processes"] = CannedAnswer(PROCESSES[:1])
    assert run("pid", "web") == (0, "4001\n", "")
    assert json.loads(run("pid", "web", "-o", "json").out) == [{"name": "web", "pid": 4001}]
    assert run("pid").out == "1\n"  # of pmond
    six.answers["GET", "/v1/processes"] = CannedAnswer(PROCESSES[:2])
    assert run("pid", "web", "db") == (1, "4001\n", "pmon3: db does not run\n")


class EventsOfATest:
    """Events that a test lets happen."""

    def __init__(self, daemon: FakeDaemon) -> None:
        self._events: queue.Queue[bytes | None] = queue.Queue()
        daemon.answers["GET", "/v1/events"] = self._answer

    def happen(self) -> None:
        self._events.put(b'data: {"name": "web"}\n\n')

    def end(self) -> None:
        self._events.put(None)

    def _answer(self, _: ReceivedRequest) -> CannedAnswer:
        return CannedAnswer(Chunks(self._pieces()))

    def _pieces(self) -> Iterator[bytes]:
        while (piece := self._events.get(timeout=30)) is not None:
            yield piece


@pytest.mark.slow
def test_in_a_pipe_each_change_is_a_list(six: FakeDaemon) -> None:
    events = EventsOfATest(six)
    command = [sys.executable, "-P", "-m", "pmon3", "ls", "--watch", "-o", "json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as watching:
        assert watching.stdout is not None
        assert len(json.loads(watching.stdout.readline())) == 6
        events.happen()  # nothing that the list shows has changed
        six.answers["GET", "/v1/processes"] = CannedAnswer(PROCESSES[:2])
        events.happen()
        assert [one["name"] for one in json.loads(watching.stdout.readline())] == ["web", "db"]
        events.end()
        assert watching.stdout.read() == "" and watching.wait(30) == 0


@pytest.mark.slow
def test_on_a_terminal_the_list_changes_in_place(six: FakeDaemon) -> None:
    events = EventsOfATest(six)
    command = [sys.executable, "-P", "-m", "pmon3", "ls", "--watch"]
    with Terminal(command, os.environ, columns=80, lines=7) as terminal:
        assert "3 more  q ends" in terminal.until("web ")
        six.answers["GET", "/v1/processes"] = CannedAnswer([process(7, "anew")])
        events.happen()
        assert "web" not in terminal.until("anew ")
        six.answers["GET", "/v1/processes"] = CannedAnswer(
            {"error": {"code": "internal", "message": "cannot list: broken"}}, 500
        )
        events.happen()
        assert "anew" in terminal.until("cannot list: broken")
        terminal.type("q")
        assert terminal.ended() == 0
        # What was there last stays on the ordinary screen.
        assert "anew" in terminal.written.rpartition("\x1b[?1049l")[2]
        events.end()


def test_a_look_shows_what_is_there_at_once(six: FakeDaemon, run: Run) -> None:
    events = EventsOfATest(six)
    events.end()
    assert run("ls", "-w").out.count("web") == 1
    until(lambda: six.requests, "a request")


def replica(number: int, index: int, status: str = "running", **changes: object) -> dict[str, object]:
    place = {"of": "many", "index": index, "count": 3, "declared": 3}
    return process(number, f"many@{index}", status, replica=place, **changes)


def test_replicas_are_one_row_where_the_first_of_them_stands() -> None:
    first, second = replica(7, 0, memory_bytes=1), replica(8, 1, "failed", memory_bytes=0)
    third = replica(9, 2, memory_bytes=2, ready=False)
    web, many, db = folded([PROCESSES[0], first, second, PROCESSES[1], third])
    assert (web, db) == (PROCESSES[0], PROCESSES[1])
    assert (many["id"], many["name"], many["status"], many["memory_bytes"]) == (7, "many", "1/3 running", 3)


def test_an_entry_of_which_there_are_none_keeps_its_row() -> None:
    none = process(1, "many", "stopped", replica={"of": "many", "index": 0, "count": 0, "declared": 0})
    assert folded([none]) == [none]


def test_ls_folds_for_people_and_not_for_programs(daemon: FakeDaemon, run: Run) -> None:
    daemon.answers["GET", "/v1/processes"] = CannedAnswer([replica(n, n - 1) for n in (1, 2, 3)])
    assert "3/3 running" in run("ls", "--fold").out and "many@0" not in run("ls", "--fold").out
    assert len(json.loads(run("ls", "--fold", "-o", "json").out)) == 3


def test_what_is_scaled_is_said_once_and_to_people(daemon: FakeDaemon, run: Run) -> None:
    place = {"of": "many", "count": 2, "declared": None}
    rows = [process(n, f"many@{n - 1}", replica={**place, "index": n - 1}) for n in (1, 2)]
    daemon.answers["GET", "/v1/processes"] = CannedAnswer(rows)
    for words in (["ls"], ["ls", "--fold"], ["ls", "-o", "wide"]):
        assert run(*words).err == "pmon3: many: its manifest says one; pmon3 unhold many goes back to that\n"
    assert run("ls", "-o", "json").err == run("ls", "-o", "name").err == ""


def test_desc_has_a_line_for_all_where_all_are_shown() -> None:
    scaled = {"of": "many", "count": 3, "declared": 2}
    ready, unwell = replica(1, 0), replica(2, 1, ready=False)
    third = replica(3, 2)
    assert wholes([PROCESSES[0], ready, unwell, third]) == {"many@0": "many: 2 of 3 ready"}
    assert wholes([ready, unwell]) == {}
    over = [{**one, "replica": {**scaled, "index": n}} for n, one in enumerate((ready, unwell, third))]
    assert wholes(over)["many@0"].endswith("ready; its manifest says 2; pmon3 unhold many goes back to that")
