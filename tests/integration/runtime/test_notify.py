"""What a service manager hears, on a real datagram socket."""

from __future__ import annotations

import os
import re
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from pmond.runtime.base.journal import Journal
from pmond.runtime.program.notify import ServiceNotifier


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest) -> Iterator[tuple[socket.socket, str]]:
    with (
        tempfile.TemporaryDirectory(prefix="pmon3") as folder,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver,
    ):
        name = f"{folder}/notify"
        receiver.bind(f"\0{name}" if request.param == "abstract" else name)
        receiver.settimeout(5)
        yield receiver, f"@{name}" if request.param == "abstract" else name


def heard(receiver: socket.socket) -> list[str]:
    return receiver.recv(4096).decode().split("\n")


def test_it_hears_of_each_step(manager: tuple[socket.socket, str]) -> None:
    receiver, address = manager
    notifier = ServiceNotifier({"NOTIFY_SOCKET": address}, Journal())
    notifier.ready("3 processes declared")
    assert heard(receiver) == ["READY=1", "STATUS=3 processes declared", f"MAINPID={os.getpid()}"]
    notifier.reloading()
    first, second = heard(receiver)
    assert first == "RELOADING=1"
    assert re.fullmatch(r"MONOTONIC_USEC=\d+", second)
    notifier.stopping("leaving")
    assert heard(receiver) == ["STOPPING=1", "STATUS=leaving"]


def test_without_a_manager_nothing_is_told() -> None:
    ServiceNotifier({}, Journal()).ready("all is well")
    ServiceNotifier({"NOTIFY_SOCKET": "vsock:2:1234"}, Journal()).ready("all is well")


def test_a_manager_that_is_gone_is_noted(tmp_path: Path) -> None:
    written = tmp_path / "journal"
    with written.open("wb") as file:
        ServiceNotifier({"NOTIFY_SOCKET": f"{tmp_path}/gone"}, Journal(file.fileno())).ready("all is well")
    assert "notify.failed" in written.read_text()
