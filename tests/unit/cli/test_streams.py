"""Standard streams that are closed, full or gone."""

from __future__ import annotations

import subprocess
import sys

import pytest
from tests.support.fake_daemon import FakeDaemon

COMMAND = f"{sys.executable} -P -m pmon3"


def shell(line: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["sh", "-c", line], capture_output=True, text=True, timeout=60)


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    ["ls", "ls -o json", "desc web", "stop web", "log web", "logf web", "--help", "version", "events"],
)
def test_a_closed_output_is_nobody_who_looks(daemon: FakeDaemon, words: str) -> None:
    done = shell(f"{COMMAND} {words} >&-")
    assert (done.returncode, done.stderr) == (0, "")
    done = shell(f"{COMMAND} {words} <&- >&- 2>&-")
    assert done.returncode == 0
    # The request was whole, and nothing that is printed went into the socket in its place.
    assert all(request.path.startswith("/v1/") for request in daemon.requests)


@pytest.mark.slow
def test_errors_keep_their_exit_code_where_nobody_can_read_them(daemon: FakeDaemon) -> None:
    assert shell(f"{COMMAND} desc nobody 2>&-").returncode == 1
    assert shell(f"{COMMAND} no-such-verb >&- 2>&-").returncode == 2


@pytest.mark.slow
def test_a_full_disk_is_said(daemon: FakeDaemon) -> None:
    for words in ("ls", "desc web", "--help"):
        done = shell(f"{COMMAND} {words} > /dev/full")
        assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done.stderr
        assert "no space left on device" in done.stderr
