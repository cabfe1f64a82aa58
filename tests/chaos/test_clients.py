"""What clients do to pmond, from malice or by mistake: faults 53 and 54."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from tests.chaos.machine import ChaosMachine
from tests.chaos.pair import PATIENCE, fleet, pids
from tests.support.waiting import until

from pmon3.client import Client
from pmon3_schema.errors import PmonError

pytestmark = pytest.mark.slow

SERVED = 1.0
"""Seconds within which everybody else is answered meanwhile."""
MOST_MEMORY = 48 << 20
"""By which pmond may grow whatever clients announce."""
GARBAGE = bytes(range(256)) * 300
HALF = b"POST /v1/processes HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{"
HUGE = b"POST /v1/processes HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n" + b"x" * 100_000
SLOW = b"GET /v1/version HTTP/1.1\r\nHo"
WHOLE = b"GET /v1/processes HTTP/1.1\r\nHost: x\r\n\r\n"


def memory(machine: ChaosMachine) -> int:
    status = Path(f"/proc/{machine.pid}/status").read_text()
    (line,) = [text for text in status.splitlines() if text.startswith("VmRSS")]
    return int(line.split()[1]) * 1024


@contextmanager
def clients(machine: ChaosMachine, count: int, said: bytes) -> Iterator[list[socket.socket]]:
    """So many, who have all said this, as far as pmond took it."""
    connected = []
    try:
        for _ in range(count):
            client = socket.socket(socket.AF_UNIX)
            connected.append(client)
            client.settimeout(PATIENCE)
            client.connect(str(machine.socket))
            with suppress(OSError):  # it was refused in the middle of it
                client.sendall(said)
        yield connected
    finally:
        for client in connected:
            client.close()


def serves(machine: ChaosMachine) -> None:
    began = time.monotonic()
    assert machine.rows()
    assert time.monotonic() - began < SERVED


def connections(machine: ChaosMachine) -> int:
    """How many sockets pmond has open; other descriptors come later, as it begins to watch its files."""
    found = 0
    for link in Path(f"/proc/{machine.pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # one that was closed just now
            found += str(link.readlink()).startswith("socket:")
    return found


@pytest.mark.parametrize(
    "said", [GARBAGE, HALF, HUGE, SLOW, b"\r\n" * 20_000], ids=lambda said: f"{len(said)}"
)
def test_53_hostile_clients_keep_nobody_from_being_served(machine: ChaosMachine, said: bytes) -> None:
    before = fleet(machine)
    grown, open_before = memory(machine), connections(machine)
    with clients(machine, 100, said):
        for _ in range(5):
            serves(machine)
        assert memory(machine) - grown < MOST_MEMORY
    until(lambda: connections(machine) <= open_before, "their connections are closed", PATIENCE)
    assert pids(machine) == before


def test_53_hundreds_that_say_nothing_to_the_end(machine: ChaosMachine) -> None:
    before = fleet(machine)
    with clients(machine, 600, SLOW):
        serves(machine)
        assert machine.descriptors() < 400
    assert pids(machine) == before


def test_53_clients_that_are_killed_in_the_middle_of_their_answer(machine: ChaosMachine) -> None:
    before = fleet(machine)
    open_before = connections(machine)
    for _ in range(200):
        with clients(machine, 1, WHOLE) as (client,):
            # Closed with the answer unread, as by a kill.
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    serves(machine)
    until(lambda: connections(machine) <= open_before, "their connections are closed", PATIENCE)
    assert pids(machine) == before
    assert not [line for line in machine.told() if line["level"] == "error"]


def test_54_the_same_request_twice(machine: ChaosMachine) -> None:
    fleet(machine)
    for _ in range(2):
        machine.act("stop", "one")
    until(lambda: machine.rows()["one"]["status"] == "stopped", "it is stopped", PATIENCE)
    for _ in range(2):
        machine.act("start", "one")
    until(lambda: "one" in pids(machine), "it runs", PATIENCE)


def test_54_everybody_wants_something_else(machine: ChaosMachine) -> None:
    fleet(machine)

    def insist(verb: str) -> None:
        client = Client(str(machine.socket), timeout=PATIENCE)
        for _ in range(40):
            with suppress(PmonError):  # a start of what is being stopped may be in conflict with that
                client.post(f"/v1/actions/{verb}", {"refs": ["one"]})

    threads = [threading.Thread(target=insist, args=(verb,)) for verb in ("start", "stop", "restart") * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    machine.act("start", "one")
    until(lambda: "one" in pids(machine), "the last word counts", PATIENCE)
    machine.act("stop", "one")
    until(lambda: machine.rows()["one"]["status"] == "stopped", "the last word counts", PATIENCE)
    assert not machine.ledger.is_alive("one")
    history: list[tuple[bool, int]] = []

    def over() -> bool:
        history.extend(lives(machine))
        return not history[-1][0]

    until(over, "its last end is told")
    expected = [(starts, number) for _, number in history[::2] for starts in (True, False)]
    assert history == expected, "each life begins after the end of the one before"


def lives(machine: ChaosMachine) -> Iterator[tuple[bool, int]]:
    """Starts (true) and ends of `one` that were told since the last look, with the number of the instance."""
    events = {"process.started": True, "process.exited": False, "process.stopped": False}
    for line in machine.told():
        if line.get("name") == "one" and line["event"] in events:
            yield events[line["event"]], line["instance"]
