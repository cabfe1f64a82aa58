"""The client against a socket that misbehaves."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.support.fake_daemon import FakeDaemon

from pmon3.client import Client, path_segment
from pmon3_schema.errors import ErrorCode, PmonError


@contextmanager
def answering(path: Path, answer: bytes, *, close: bool = True) -> Iterator[None]:
    """One connection is accepted, its request read, and answered with these bytes."""
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()
        kept: list[socket.socket] = []

        def serve() -> None:
            connection, _ = listening.accept()
            connection.recv(65536)
            connection.sendall(answer)
            if close:
                connection.close()
            kept.append(connection)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield
        thread.join(timeout=10)
        for connection in kept:
            connection.close()


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (b"", ErrorCode.UNREACHABLE),
        (b"HTTP/1.1 200 OK\r\nContent-Le", ErrorCode.UNREACHABLE),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n[]", ErrorCode.UNREACHABLE),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n[", ErrorCode.INTERNAL),
        (b"HTTP/1.1 500 Oops\r\nContent-Length: 2\r\n\r\n{}", ErrorCode.INTERNAL),
    ],
)
def test_a_broken_answer_is_an_error_with_a_reason(folders: Path, answer: bytes, code: ErrorCode) -> None:
    with answering(folders / "s", answer), pytest.raises(PmonError) as caught:
        Client(str(folders / "s")).get("/v1/processes")
    assert caught.value.code is code and caught.value.message.startswith("cannot ")


def test_silence_is_a_timeout(folders: Path) -> None:
    with answering(folders / "s", b"HTTP/1.1 200 OK\r\n", close=False), pytest.raises(PmonError) as caught:
        Client(str(folders / "s"), timeout=0.05).get("/v1/processes")
    assert caught.value.code is ErrorCode.TIMEOUT


def test_names_of_any_kind_survive_the_address(daemon: FakeDaemon) -> None:
    client = Client(daemon.path)
    for name in ("a b", "é?", "100%", "..", "\udce9"):
        with pytest.raises(PmonError):
            client.get(f"/v1/processes/{path_segment(name)}", [("ref", name)])
    assert [r.path.rpartition("/")[2] for r in daemon.requests[:4]] == ["a b", "é?", "100%", ".."]
    assert [r.query for r in daemon.requests[:2]] == [[("ref", "a b")], [("ref", "é?")]]
