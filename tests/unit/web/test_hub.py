"""All who look share one look at pmond, and who is slow holds nobody up."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from tests.support.fake_daemon import CannedAnswer, Chunks, FakeDaemon, ReceivedRequest, process

pytest.importorskip("starlette")

from pmon3.client import Client
from pmon3_schema.errors import ErrorCode, PmonError
from pmon3_schema.status import ProcessStatus
from pmon3_web import hub as hub_module
from pmon3_web.access import PageRole
from pmon3_web.hub import MOST_STREAMS, EventReader, Hub, Look
from pmon3_web.usage import KEPT, UsageHistory


def event(number: int, name: str, message: str = "") -> bytes:
    told = {"id": number, "time": "", "name": name, "reason": "Exited", "message": message, "fields": {}}
    return f"id: {number}\ndata: {json.dumps(told)}\n\n".encode()


@asynccontextmanager
async def running(hub: Hub) -> AsyncIterator[None]:
    task = asyncio.create_task(hub.run())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def until_message(look: Look, kind: str) -> Any:
    async with asyncio.timeout(20):
        while True:
            message = await look.messages.get()
            assert message is not None
            head, data = message.decode().split("\n")[:2]
            if head == f"event: {kind}":
                return json.loads(data.removeprefix("data: "))


def waiting(look: Look) -> Iterator[bytes]:
    while not look.messages.empty():
        yield look.messages.get_nowait() or b""


def test_a_changed_process_is_asked_for_once_and_told_to_all_as_they_may_see_it(tmp_path: Path) -> None:
    with FakeDaemon(tmp_path / "s") as daemon:
        follows = iter([Chunks([event(1, "web"), event(2, "web"), event(3, "gone")])])

        def events(request: ReceivedRequest) -> CannedAnswer:
            return CannedAnswer(next(follows, Chunks([])))

        daemon.answers["GET", "/v1/events"] = events

        async def story() -> None:
            hub = Hub(lambda: Client(daemon.path))
            viewer, another = hub.look(PageRole.VIEWER), hub.look(PageRole.VIEWER)
            administrator = hub.look(PageRole.ADMINISTRATOR)
            assert viewer is not None and another is not None and administrator is not None
            async with running(hub):
                assert (await until_message(administrator, "row"))["args"] == ["-p", "80 81"]
                assert (await until_message(administrator, "gone"))["names"] == ["gone"]
                told = [(await until_message(viewer, "pmond"))["connected"] for _ in range(2)]
                assert told == [True, False]
            assert b'"args":["***","***"]' in b"".join(waiting(another))

        asyncio.run(story())
        asked = [one for one in daemon.requests if ("ref", "web") in one.query]
        assert len(asked) == 1, "two events about one process, and two who look"


def test_who_takes_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "MOST_WAITING", 3)

    async def story() -> None:
        hub = Hub(lambda: Client("/none"))
        slow = hub.look(PageRole.VIEWER)
        assert slow is not None
        for percent in range(5):
            hub.tell("usage", lambda role, percent=percent: {"web": [percent, 0]})  # type: ignore[misc]
        assert slow.messages.get_nowait() is None
        assert hub.looking == 0

    asyncio.run(story())


def test_no_more_look_than_there_is_room_for() -> None:
    async def story() -> None:
        hub = Hub(lambda: Client("/none"))
        looks = [hub.look(PageRole.VIEWER) for _ in range(MOST_STREAMS)]
        assert all(looks) and hub.look(PageRole.VIEWER) is None
        assert looks[0] is not None
        hub.leave(looks[0])
        assert hub.look(PageRole.VIEWER) is not None

    asyncio.run(story())


def read(pieces: list[bytes]) -> Iterator[Any]:
    reader = EventReader()
    return (one for piece in pieces for one in reader.feed(piece))


def test_ids_that_begin_anew_hide_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pmond that has lost its state counts its events from one on."""
    monkeypatch.setattr(hub_module, "AGAIN", 0.01)
    with FakeDaemon(tmp_path / "s") as daemon:
        lives = iter([[event(900, "web")], [event(1, "db")]])

        def events(request: ReceivedRequest) -> CannedAnswer:
            since = int(dict(request.query).get("since", "0"))
            told = [one for one in next(lives, []) if int(one[4:].split(b"\n")[0]) > since]
            return CannedAnswer(Chunks(told))

        daemon.answers["GET", "/v1/events"] = events

        async def story() -> None:
            hub = Hub(lambda: Client(daemon.path))
            look = hub.look(PageRole.VIEWER)
            assert look is not None
            async with running(hub):
                assert [(await until_message(look, "event"))["id"] for _ in range(2)] == [900, 1]

        asyncio.run(story())


def test_a_row_that_could_not_be_asked_for_is_asked_for_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_module, "AGAIN", 0.01)
    with FakeDaemon(tmp_path / "s") as daemon:
        listed = daemon.answers["GET", "/v1/processes"]
        asked: list[ReceivedRequest] = []
        ended = threading.Event()

        def processes(request: ReceivedRequest) -> CannedAnswer:
            if ("ref", "web") not in request.query:
                return CannedAnswer([])
            asked.append(request)
            if len(asked) == 1:
                return CannedAnswer(PmonError(ErrorCode.TIMEOUT, "cannot answer: busy").to_json(), 504)
            assert callable(listed)
            return listed(request)

        def told() -> Iterator[bytes]:
            yield event(1, "web")
            ended.wait(20)

        daemon.answers["GET", "/v1/events"] = lambda request: CannedAnswer(Chunks(told()))
        daemon.answers["GET", "/v1/processes"] = processes

        async def story() -> None:
            hub = Hub(lambda: Client(daemon.path))
            look = hub.look(PageRole.VIEWER)
            assert look is not None
            async with running(hub):
                assert (await until_message(look, "row"))["name"] == "web"

        try:
            asyncio.run(story())
        finally:
            ended.set()
        assert len(asked) == 2


def test_events_may_come_in_any_pieces() -> None:
    whole = event(1, "a", "x") + event(2, "b", "ü")
    for size in range(1, len(whole)):
        pieces = [whole[at : at + size] for at in range(0, len(whole), size)]
        assert [one["name"] for one in read(pieces)] == ["a", "b"]


def test_an_hour_is_kept_of_what_there_is() -> None:
    usage = UsageHistory()
    row: ProcessStatus = process(1, "web", cpu_percent=1.26, memory_bytes=5)  # type: ignore[assignment]
    assert usage.take([row], 0.0) == {"web": (1.3, 5)}
    assert usage.take([row], 10.0) == {}, "nothing new to tell"
    for moment in range(2 * KEPT):
        usage.take([row], 20.0 + moment)
    assert len(usage.of("web")) == KEPT
    assert usage.added_to([{**row, "cpu_percent": 0.0}])[0]["cpu_percent"] == 1.3
    usage.take([], 5000.0)
    assert usage.of("web") == []
