"""A fake daemon at the place where the command line looks for the caller's own."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.command_line import Run, runner
from tests.support.fake_daemon import FakeDaemon


@pytest.fixture
def folders(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Empty XDG folders of a caller without any configuration, in UTC, without colours."""
    for name in ("PMON3_CONF", "NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    # Not tmp_path: the path of a socket has at most 107 bytes.
    with tempfile.TemporaryDirectory(prefix="pmon3") as name:
        for variable in ("XDG_RUNTIME_DIR", "XDG_STATE_HOME", "XDG_CONFIG_HOME", "HOME"):
            monkeypatch.setenv(variable, name)
        # A system pmond of the machine that runs the tests must not be asked.
        monkeypatch.setattr("pmon3_schema.paths.SYSTEM_RUNTIME", f"{name}/system")
        monkeypatch.setattr("pmon3_schema.paths.SYSTEM_CONFIG", f"{name}/system/config.yml")
        # Nor by what a test starts: there nothing is patched.
        monkeypatch.setenv("PMON3_MESSAGEQUEUE_DIRECTORY", f"{name}/pmon3")
        monkeypatch.setenv("TZ", "UTC")
        time.tzset()
        (Path(name) / "pmon3").mkdir()
        yield Path(name)
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def daemon(folders: Path) -> Iterator[FakeDaemon]:
    with FakeDaemon(folders / "pmon3" / "pmon3.sock") as running:
        yield running


@pytest.fixture
def run(folders: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    return runner(capsys)


@pytest.fixture
def manifest(folders: Path) -> str:
    """A manifest; what is in it does not matter to the fake daemon."""
    file = folders / "app.yaml"
    file.write_text("processes: []\n")
    return str(file)
