"""Starting a pmond and seeing one end, with real children."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.command_line import Run
from tests.support.fake_daemon import CannedAnswer, FakeDaemon, ReceivedRequest

from pmon3 import launch
from pmon3_schema.errors import ErrorCode, PmonError


def stand_in(folder: Path, monkeypatch: pytest.MonkeyPatch, body: str) -> None:
    """Let this program be started in the place of Python with pmond."""
    program = folder / "stand-in"
    program.write_text(
        f"#!{sys.executable}\nimport os, sys\nready = int(os.environ['PMON3_READY_FD'])\n{body}\n"
    )
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))


def test_a_pmond_that_says_ready_is_started(folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(folders, monkeypatch, "print(sys.argv, os.getcwd(), flush=True); os.write(ready, b'ready\\n')")
    launch.start(10.0, own=True)
    said = (folders / "pmon3" / "pmond.log").read_text()
    assert "'-P', '-m', 'pmond', '--own'] /" in said


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("os.write(ready, b'cannot open the state: the disk is full')", "the disk is full"),
        ("sys.exit(3)", "it ended at once"),
    ],
)
def test_a_pmond_that_cannot_start_says_why(
    folders: Path, monkeypatch: pytest.MonkeyPatch, body: str, reason: str
) -> None:
    stand_in(folders, monkeypatch, body)
    with pytest.raises(PmonError, match=reason) as caught:
        launch.start(10.0, own=True)
    assert caught.value.code is ErrorCode.UNREACHABLE and "pmond.log" in caught.value.hint


def test_a_pmond_that_never_gets_ready_is_a_timeout(folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(folders, monkeypatch, "import signal; signal.pause()")
    started: list[subprocess.Popen[bytes]] = []
    original = subprocess.Popen

    def remembered(*words: object, **settings: object) -> subprocess.Popen[bytes]:
        started.append(original(*words, **settings))  # type: ignore[call-overload]
        return started[-1]

    monkeypatch.setattr(subprocess, "Popen", remembered)
    with pytest.raises(PmonError) as caught:
        launch.start(0.05, own=True)
    assert caught.value.code is ErrorCode.TIMEOUT
    started[0].kill()
    started[0].wait(timeout=10)


def test_up_uses_the_pmond_that_answers(daemon: FakeDaemon, run: Run, tmp_path: Path) -> None:
    manifest = tmp_path / "app.yaml"
    manifest.write_text("processes: []\n")
    ran = run("up", "-f", str(manifest))
    assert ran.code == 0 and "│1 ║web" in ran.out
    assert "applied file:/srv/app.yaml: 1 create, 1 restart; 12 unchanged" in ran.err


def test_down_waits_for_the_end_of_that_process(daemon: FakeDaemon, run: Run) -> None:
    with subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"]) as child:

        def shut_down(_: ReceivedRequest) -> CannedAnswer:
            os.kill(child.pid, signal.SIGKILL)
            return CannedAnswer({})

        version = {"version": "9.9", "api": 1, "pid": child.pid, "socket": daemon.path}
        daemon.answers["GET", "/v1/version"] = CannedAnswer(version)
        daemon.answers["POST", "/v1/shutdown"] = shut_down
        ran = run("down", "--keep", "--timeout", "10s")
        assert ran.code == 0 and f"pmond (pid {child.pid}) has ended" in ran.err
        assert child.wait(timeout=10) == -signal.SIGKILL
    assert daemon.bodies("/v1/shutdown") == [{"stop_processes": False}]


def test_down_is_harmless_without_a_pmond(run: Run) -> None:
    ran = run("down")
    assert ran.code == 0 and "nothing to do" in ran.err
