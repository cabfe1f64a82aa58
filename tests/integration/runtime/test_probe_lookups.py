"""Names that probes ask for: a name server that hangs, fails or is slow, and who has to wait for it."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from tests.support.waiting import until

from pmond.runtime.supervise.probes.lookups import Lookups
from pmond.runtime.supervise.probes.network import begin_tcp

WITHIN = 30.0
"""Seconds after which a story has failed."""

_AN_END_WHILE_A_LOOKUP_HANGS = """
import asyncio, socket, threading
from pmond.runtime.supervise.probes.network import begin_tcp

begun = threading.Event()

def hang(*_, **__):
    begun.set()
    threading.Event().wait()

socket.getaddrinfo = hang

async def main():
    trying = begin_tcp("silent.example:80", "", print)
    await asyncio.to_thread(begun.wait)
    trying.cancel()

asyncio.run(main())
print("ended")
"""


class NameServer:
    """Stands for the C library: answers a name when it is told to, and counts what it was asked."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.answering = threading.Event()
        self.silent: set[str] = set()
        self.hung = threading.Event()

    def getaddrinfo(self, host: str, *_: Any, **__: Any) -> list[Any]:
        self.asked[host] += 1
        (self.hung if host in self.silent else self.answering).wait(WITHIN)
        if host.startswith("unknown"):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        if host.startswith("odd"):
            raise UnicodeError("label empty or too long")
        return [(0, 0, 0, "", ("127.0.0.9", 0)), (0, 0, 0, "", ("127.0.0.9", 0))]


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Iterator[NameServer]:
    server = NameServer()
    monkeypatch.setattr(socket, "getaddrinfo", server.getaddrinfo)
    yield server
    server.answering.set()
    server.hung.set()


async def settled(condition: Any, what: str) -> None:
    """Until it holds, with the loop going on."""
    await asyncio.to_thread(until, condition, what)


def test_a_lookup_that_hangs_does_not_hold_up_the_loop_nor_the_names_of_others(names: NameServer) -> None:
    async def story() -> None:
        names.silent.add("silent")
        names.answering.set()
        lookups, of_another = Lookups(2), Lookups(1)
        hanging = asyncio.create_task(lookups.addresses_of("silent"))
        async with asyncio.timeout(WITHIN):
            assert await lookups.addresses_of("db") == ["127.0.0.9"]
            assert await of_another.addresses_of("db") == ["127.0.0.9"]
        assert not hanging.done()
        names.hung.set()
        assert await hanging == ["127.0.0.9"]

    asyncio.run(story())


def test_many_who_ask_for_one_slow_name_wait_for_one_lookup(names: NameServer) -> None:
    async def story() -> None:
        lookups = Lookups(1)
        asking = [asyncio.create_task(lookups.addresses_of("slow")) for _ in range(200)]
        await settled(lambda: names.asked["slow"] == 1, "the name to be asked for")
        names.answering.set()
        assert await asyncio.gather(*asking) == [["127.0.0.9"]] * 200
        assert names.asked == {"slow": 1}
        await lookups.addresses_of("slow")
        assert names.asked == {"slow": 2}, "an answer is not kept: addresses change"

    asyncio.run(story())


def test_no_more_are_under_way_than_their_owner_may_have_and_all_get_their_turn(names: NameServer) -> None:
    async def story() -> None:
        lookups = Lookups(2)
        asking = [asyncio.create_task(lookups.addresses_of(f"h{index}")) for index in range(50)]
        await settled(lambda: names.asked.total() == 2, "two lookups to be under way")
        assert threading.active_count() < 10
        names.answering.set()
        assert await asyncio.gather(*asking) == [["127.0.0.9"]] * 50
        assert names.asked.total() == 50

    asyncio.run(story())


def test_who_gives_up_leaves_his_place_and_takes_nothing_from_who_waits_on(names: NameServer) -> None:
    async def story() -> None:
        lookups = Lookups(1)
        patient = asyncio.create_task(lookups.addresses_of("slow"))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await lookups.addresses_of("slow")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await lookups.addresses_of("never begun")
        names.answering.set()
        assert await patient == ["127.0.0.9"]
        assert names.asked == {"slow": 1}

    asyncio.run(story())


def test_a_lookup_that_everybody_gave_up_is_not_begun_a_second_time(names: NameServer) -> None:
    async def story() -> None:
        lookups = Lookups(4)
        for _ in range(5):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01):
                    await lookups.addresses_of("slow")
        late = asyncio.create_task(lookups.addresses_of("slow"))
        names.answering.set()
        assert await late == ["127.0.0.9"]
        assert names.asked == {"slow": 1}

    asyncio.run(story())


@pytest.mark.parametrize(("host", "why"), [("unknown", "not known"), ("odd", "label empty")])
def test_a_name_without_an_address_is_a_failure_of_each_probe_that_asked(
    names: NameServer, host: str, why: str
) -> None:
    async def story() -> None:
        names.answering.set()
        tries = [asyncio.get_running_loop().create_future() for _ in range(3)]
        for one in tries:
            begin_tcp(f"{host}:80", "", one.set_result)
        for found in await asyncio.wait_for(asyncio.gather(*tries), WITHIN):
            assert not found.passed
            assert why in found.message

    asyncio.run(story())


def test_a_system_without_threads_fails_the_probe_and_not_the_next_one(
    names: NameServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise RuntimeError("can't start new thread")

    async def story() -> None:
        names.answering.set()
        lookups = Lookups(1)
        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", refuse)
            with pytest.raises(OSError, match="one more thread"):
                await lookups.addresses_of("db")
        assert await lookups.addresses_of("db") == ["127.0.0.9"]

    asyncio.run(story())


def test_the_end_of_pmond_waits_for_no_name_server() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", _AN_END_WHILE_A_LOOKUP_HANGS], capture_output=True, text=True, timeout=WITHIN
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "ended\n", "")
