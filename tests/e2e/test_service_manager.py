"""What a real pmond tells the service manager that started it, and what its children see of it."""

from __future__ import annotations

import signal
import socket
from pathlib import Path

import pytest
from tests.support.pmond import Pmond
from tests.support.programs import sleeper

pytestmark = pytest.mark.slow


def test_it_says_when_it_is_ready_reloads_and_stops(stopped_pmond: Pmond) -> None:
    pmond = stopped_pmond
    address = str(pmond.folder / "notify")
    pmond.environment["NOTIFY_SOCKET"] = address
    pmond.declare(sleeper("a"))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(address)
        manager.settimeout(20)

        def heard() -> dict[str, str]:
            return dict(line.split("=", 1) for line in manager.recv(4096).decode().split("\n"))

        pmond.start()
        ready = heard()
        assert (ready["READY"], ready["MAINPID"]) == ("1", str(pmond.pid))
        assert ready["STATUS"] == f"processes declared: 1; {pmond.socket}"
        pid = pmond.until("a", "running")["pid"]
        assert b"NOTIFY_SOCKET" not in Path(f"/proc/{pid}/environ").read_bytes()
        pmond.signal(signal.SIGHUP)
        assert heard()["RELOADING"] == "1"
        assert heard()["READY"] == "1"
        pmond.signal(signal.SIGTERM)
        assert heard()["STOPPING"] == "1"
        assert pmond.ended() == 0
    assert not Path(f"/proc/{pid}").exists()
