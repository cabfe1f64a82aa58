"""The HTTP server with real sockets: what it answers, and to whom it stays available."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import shutil
import socket
import stat
import tempfile
import time
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path

import pytest
from tests.support.http_client import OWN, Reports, Wire, ask, serving
from tests.support.waiting import eventually

from pmon3_schema.errors import ErrorCode, PmonError
from pmond.runtime.access.authority import AccessRules, Authority, Quota
from pmond.runtime.http.admission import ServerLimits
from pmond.runtime.http.messages import STATUS_OF, Answer, Pending, Request, Response, Stream, json_response
from pmond.runtime.http.server import Server

_BOTH_ENDS = 2400
"""Descriptors for both ends of a thousand connections, and some."""
GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


async def echo(request: Request) -> Answer:
    return json_response([request.method, request.path, request.query, len(request.body), request.peer.pid])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "s"


def test_every_error_code_has_a_status() -> None:
    assert set(STATUS_OF) == set(ErrorCode)


def test_requests_share_a_connection(path: Path) -> None:
    async def story() -> None:
        async with serving(path, echo):
            wire = await Wire.open(path)
            wire.request("GET", "/a%2Fb?x=1&x=2&y=")
            status, body = await wire.answer()
            assert status == 200
            assert json.loads(body) == ["GET", "/a%2Fb", {"x": ["1", "2"], "y": [""]}, 0, os.getpid()]
            wire.send(GET + GET)  # two at once
            assert [(await wire.answer())[0] for _ in range(2)] == [200, 200]
            wire.request("POST", "/", {"a": 1}, "Connection: close")
            assert (await wire.answer())[0] == 200
            assert await wire.rest() == b""

    asyncio.run(story())


@pytest.mark.parametrize("end", ["half-closed", "open"])
def test_a_request_in_single_bytes(path: Path, end: str) -> None:
    async def story() -> None:
        async with serving(path, echo):
            wire = await Wire.open(path)
            for byte in b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}":
                wire.send(bytes([byte]))
                await wire.writer.drain()
                await asyncio.sleep(0)
            if end == "half-closed":
                wire.writer.write_eof()
            assert json.loads((await wire.answer())[1])[3] == 2

    asyncio.run(story())


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_curl(path: Path) -> None:
    async def story() -> None:
        async with serving(path, echo):
            big = "x" * 2_000_000  # curl asks before it sends that much
            curl = await asyncio.create_subprocess_exec(
                "curl", "-sS", "--max-time", "5", "--unix-socket", str(path), "http://pmond/v1", "-d", "@-",
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            )  # fmt: skip
            out, _ = await curl.communicate(big.encode())
            assert json.loads(out)[:4] == ["POST", "/v1", {}, len(big)]

    asyncio.run(story())


def test_errors_are_typed_and_bugs_are_reported(path: Path) -> None:
    async def failing(request: Request) -> Answer:
        if request.path == "/typed":
            raise PmonError(ErrorCode.CONFLICT, "cannot do it: no", "wait")
        raise ZeroDivisionError("secret")

    async def story() -> None:
        reports = Reports()
        async with serving(path, failing, reports=reports):
            status, body = await ask(path, "GET", "/typed")
            assert (status, body) == (
                409, {"error": {"code": "conflict", "message": "cannot do it: no", "hint": "wait"}}
            )  # fmt: skip
            status, body = await ask(path, "GET", "/bug")
            assert status == 500 and body["error"]["code"] == "internal"
            ((identifier, where, error),) = reports
            assert identifier in body["error"]["message"] and "secret" not in str(body)
            assert where == "GET /bug" and isinstance(error, ZeroDivisionError)
            assert (await ask(path, "GET", "/typed"))[0] == 409

    asyncio.run(story())


# Streams and waits end with their clients.


def test_a_stream_is_chunked_and_closed_when_the_client_goes(path: Path) -> None:
    ended = asyncio.Event()

    async def endless(request: Request) -> Answer:
        async def pieces() -> AsyncGenerator[bytes, None]:
            try:
                yield b"first"
                await asyncio.Event().wait()
            finally:
                ended.set()

        return Stream(pieces())

    async def story() -> None:
        async with serving(path, endless):
            wire = await Wire.open(path)
            wire.send(GET)
            status, headers = await wire.head()
            assert status == 200 and headers["transfer-encoding"] == "chunked"
            assert await wire.chunk() == b"first"
            await wire.close()
            await asyncio.wait_for(ended.wait(), 5)

    asyncio.run(story())


def test_a_wait_is_cancelled_and_a_change_is_not(path: Path) -> None:
    done: list[str] = []
    go_on = asyncio.Event()
    begun = asyncio.Event()

    async def handle(request: Request) -> Answer:
        async def work() -> Response:
            begun.set()
            try:
                await go_on.wait()
            except asyncio.CancelledError:
                done.append("cancelled")
                raise
            done.append("finished")
            return Response()

        return Pending(work()) if request.path == "/wait" else await work()

    async def story() -> None:
        async with serving(path, handle) as server:
            for target in ("/change", "/wait"):
                begun.clear()
                wire = await Wire.open(path)
                wire.request("GET", target)
                await begun.wait()
                await wire.close()
            await eventually(lambda: done == ["cancelled"], "the wait ends with its client")
            go_on.set()
            await eventually(lambda: "finished" in done, "the change is completed for nobody")
            await eventually(lambda: not server.admission.connections, "both are gone")

    asyncio.run(story())


def test_a_stream_that_fails_has_no_end(path: Path) -> None:
    async def broken(request: Request) -> Answer:
        async def pieces() -> AsyncGenerator[bytes, None]:
            yield b"first"
            raise OSError("disk")

        return Stream(pieces())

    async def story() -> None:
        reports = Reports()
        async with serving(path, broken, reports=reports):
            wire = await Wire.open(path)
            wire.send(GET)
            assert not (await wire.rest()).endswith(b"0\r\n\r\n")
            assert len(reports) == 1

    asyncio.run(story())


@pytest.fixture
def many_files() -> Iterator[None]:
    """Both ends of a thousand connections are in this process."""
    before = soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < _BOTH_ENDS and hard < _BOTH_ENDS:
        pytest.skip("this account may not open that many files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, _BOTH_ENDS), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


# Hostile clients.


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"\x00\xff garbage\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00" * 50 + b"\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),  # no Host
        (b"GET * HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 20_000 + b"\r\n\r\n", 431),
        (b"GET /" + b"a" * 20_000, 431),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n", 413),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n", 413),
        (b"POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 1000000000\r\n\r\n", 413),
        (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1001\r\n" + b"a" * 4097, 413),
    ],
)
def test_a_wrong_request_is_answered_and_hung_up_on(path: Path, data: bytes, status: int) -> None:
    async def story() -> None:
        async with serving(path, echo, ServerLimits(body_bytes=4096)) as server:
            wire = await Wire.open(path)
            wire.send(data)
            found, body = await wire.answer()
            assert found == status
            assert json.loads(body)["error"]["code"] == "bad_request"
            assert await wire.rest() == b""
            await wire.close()
            await eventually(lambda: not server.admission.connections, "it is forgotten")

    asyncio.run(story())


def test_a_client_may_finish_sending_what_is_refused(path: Path) -> None:
    async def story() -> None:
        async with serving(path, echo, ServerLimits(body_bytes=4096)):
            wire = await Wire.open(path)
            wire.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n")
            assert (await wire.head())[0] == 413
            wire.send(b"a" * 1_000_000)
            await asyncio.wait_for(wire.writer.drain(), 5)  # no broken pipe

    asyncio.run(story())


def test_slow_clients_are_timed_out(path: Path) -> None:
    async def story() -> None:
        limits = ServerLimits(head_time=0.05, body_time=0.05, idle_time=0.05, linger_time=0.05)
        async with serving(path, echo, limits):
            silent, head, body, idle = [await Wire.open(path) for _ in range(4)]
            head.send(b"GET / HT")
            body.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n{")
            idle.send(GET)
            assert (await idle.answer())[0] == 200
            assert (await head.answer())[0] == 408
            assert (await body.answer())[0] == 408
            for wire in (silent, head, body, idle):
                assert await wire.rest() == b""

    asyncio.run(story())


def test_an_answer_that_is_not_taken_is_given_up(path: Path) -> None:
    async def large(request: Request) -> Answer:
        return Response(body=b"x" * 10_000_000)

    async def story() -> None:
        async with serving(path, large, ServerLimits(reply_time=0.05)) as server:
            wire = await Wire.open(path)
            wire.writer.transport.pause_reading()  # type: ignore[attr-defined]
            wire.send(GET)
            await eventually(lambda: server.admission.connections, "it is connected")
            await eventually(lambda: not server.admission.connections, "it is hung up on")

    asyncio.run(story())


@pytest.mark.slow
def test_a_thousand_silent_clients_keep_nobody_out(path: Path, many_files: None) -> None:
    async def story() -> None:
        async with serving(path, echo) as server:
            crowd = []
            for number in range(1000):
                crowd.append(wire := await Wire.open(path))
                wire.send(b"GET / HTTP/1.1\r\nHost:")
                if number % 100 == 99:
                    begin = time.monotonic()
                    assert (await ask(path, "GET", "/"))[0] == 200
                    assert time.monotonic() - begin < 1
            assert len(server.admission.connections) <= 256
            for wire in crowd:
                wire.writer.transport.abort()

    asyncio.run(story())


def test_too_many_requests_are_told_so_at_once(path: Path) -> None:
    async def slow(request: Request) -> Answer:
        return Pending(asyncio.sleep(60, Response()))

    async def story() -> None:
        async with serving(path, slow, ServerLimits(requests=3)):
            busy = [await Wire.open(path) for _ in range(3)]
            for wire in busy:
                wire.send(GET)
            await asyncio.sleep(0)
            assert (await ask(path, "GET", "/"))[0] == 503

    asyncio.run(story())


@pytest.mark.skipif(os.getuid() != 0, reason="only root can be two users")
def test_a_user_has_only_a_share_of_the_requests() -> None:
    async def slow(request: Request) -> Answer:
        return Pending(asyncio.sleep(60, Response())) if request.peer.uid else Response(body=b"{}")

    async def story(path: Path) -> None:
        async with serving(path, slow, authority=Authority(0, AccessRules(quota=Quota(requests=2)))):
            crowd = [_connected_as_nobody(path) for _ in range(3)]
            wires = [Wire(*await asyncio.open_unix_connection(sock=connection)) for connection in crowd]
            for wire in wires:
                wire.send(GET)
            assert (await wires[2].answer())[0] == 429
            assert (await ask(path, "GET", "/"))[0] == 200

    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        asyncio.run(story(Path(folder, "s")))


def _connected_as_nobody(path: Path) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    os.seteuid(65534)  # the kernel notes the effective user of whoever connects
    try:
        connection.connect(str(path))
    finally:
        os.seteuid(0)
    return connection


def test_at_the_descriptor_limit_requests_are_still_answered(path: Path) -> None:
    async def story() -> None:
        async with serving(path, echo) as server:
            waiting = socket.socket(socket.AF_UNIX)  # made before there are no descriptors left
            waiting.setblocking(False)
            held = _exhaust_descriptors()
            try:
                waiting.connect(str(path))
                loop = asyncio.get_running_loop()
                await loop.sock_sendall(waiting, GET)
                answer = await asyncio.wait_for(loop.sock_recv(waiting, 1000), 5)
            finally:
                for descriptor in held:
                    os.close(descriptor)
                waiting.close()
            assert answer.startswith(b"HTTP/1.1 200")
            await eventually(lambda: not server.admission.connections, "it is closed")
            assert (await ask(path, "GET", "/"))[0] == 200

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 128), hard))
    try:
        asyncio.run(story())
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def _exhaust_descriptors() -> list[int]:
    held = []
    try:
        while True:
            held.append(os.open(os.devnull, os.O_RDONLY))
    except OSError:
        return held


# The socket file.


def test_the_socket_has_the_mode_and_is_deleted(path: Path) -> None:
    async def story() -> None:
        async with serving(path, echo):
            assert stat.S_IMODE(path.stat().st_mode) == 0o666
        assert not path.exists()

    asyncio.run(story())


def test_a_live_daemon_is_not_replaced_and_a_dead_ones_file_is(path: Path) -> None:
    async def story() -> None:
        async with serving(path, echo):
            with pytest.raises(PmonError, match="another pmond answers on") as caught:
                await Server(echo, Reports(), lambda: OWN).start(str(path))
            assert caught.value.code is ErrorCode.CONFLICT
            assert (await ask(path, "GET", "/"))[0] == 200
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(str(path))
        async with serving(path, echo):
            assert (await ask(path, "GET", "/"))[0] == 200

    asyncio.run(story())


def test_a_file_that_is_no_socket_is_left_alone(path: Path) -> None:
    path.write_text("precious")
    with pytest.raises(PmonError, match="not a socket"):
        asyncio.run(Server(echo, Reports(), lambda: OWN).start(str(path)))
    assert path.read_text() == "precious"


def test_somebody_elses_socket_file_is_not_deleted(path: Path) -> None:
    async def story() -> None:
        with socket.socket(socket.AF_UNIX) as other:
            async with serving(path, echo):
                path.rename(path.with_name("moved"))
                other.bind(str(path))
            assert path.exists()

    asyncio.run(story())


def test_a_socket_file_that_was_removed_is_made_anew(path: Path) -> None:
    async def story() -> None:
        async with serving(path, echo) as server:
            before = await Wire.open(path)
            before.request("GET", "/")
            assert (await before.answer())[0] == 200
            assert not server.lost_its_file
            path.unlink()
            assert server.lost_its_file
            server.listen_anew(0o640)
            assert stat.S_IMODE(path.stat().st_mode) == 0o640
            assert (await ask(path, "GET", "/"))[0] == 200
            before.request("GET", "/")
            assert (await before.answer())[0] == 200, "a connection outlives the file"
            path.unlink()
            server.pause()
            server.listen_anew(0o640)
            assert not path.exists(), "whoever paused it goes on with the old one"
        assert not path.exists()

    asyncio.run(story())


def test_a_listening_socket_is_taken_over(path: Path) -> None:
    async def story() -> None:
        first = Server(echo, Reports(), lambda: OWN)
        await first.start(str(path))
        inherited = os.dup(first.fileno())
        await first.close(keep_file=True)
        wire = await Wire.open(path)  # in the gap: queued by the kernel
        second = Server(echo, Reports(), lambda: OWN)
        await second.start(str(path), fd=inherited)
        wire.send(GET)
        assert (await wire.answer())[0] == 200
        await second.close()
        assert not path.exists()

    asyncio.run(story())


def test_a_descriptor_that_does_not_listen_is_refused() -> None:
    with Path(os.devnull).open() as file, pytest.raises(PmonError, match="cannot listen on descriptor"):
        asyncio.run(Server(echo, Reports(), lambda: OWN).start(fd=file.fileno()))


def test_close_lets_an_answer_out(path: Path) -> None:
    async def story() -> None:
        async def ending(request: Request) -> Answer:
            closing.append(asyncio.ensure_future(server.close(grace=5)))
            await asyncio.sleep(0)
            return Response(body=b"{}")

        closing: list[asyncio.Future[None]] = []
        server = Server(ending, Reports(), lambda: OWN)
        await server.start(str(path))
        assert (await ask(path, "POST", "/", {}))[0] == 200
        await asyncio.wait_for(closing[0], 5)

    asyncio.run(story())


def test_who_has_connected_before_a_pause_is_answered(path: Path) -> None:
    """An upgrade hangs up on nobody whose request is on its way: that would be a reset connection."""

    async def story() -> None:
        async with serving(path, echo) as server:
            wire = await Wire.open(path)
            assert (await ask(path, "GET", "/accepted"))[0] == 200  # by now the first one is, too
            pausing = asyncio.ensure_future(server.quiesce())
            await asyncio.sleep(0)
            wire.send(b"GET /late HTTP/1.1\r\nHost: x\r\n\r\n")
            assert json.loads((await wire.answer())[1])[1] == "/late"
            await pausing

    asyncio.run(story())
