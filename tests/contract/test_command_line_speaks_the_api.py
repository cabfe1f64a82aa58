"""Every verb of the command line against the daemon's real HTTP server, routes and body models.

Behind the API is a control that runs nothing, so what is checked is the contract alone: that no
request is refused as malformed, and that answers can be shown.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.support.command_line import Run, runner
from tests.support.fake_control import FakeControl
from tests.support.fake_daemon import default_answers, detailed, process
from tests.support.http_client import Reports

from pmon3_schema.protocol import Selection, Wait
from pmond.runtime.access.authority import Authority
from pmond.runtime.access.principal import Principal
from pmond.runtime.files.log_files import LogFile
from pmond.runtime.http.api import Api
from pmond.runtime.http.server import Server


class Canned(FakeControl):
    """Answers with complete objects, and at once."""

    def version(self) -> dict[str, Any]:
        content: dict[str, Any] = default_answers("")["GET", "/v1/version"].content  # type: ignore[union-attr]
        return content

    async def list(self, selection: Selection, usage: bool) -> Sequence[Mapping[str, Any]]:
        await super().list(selection, usage)
        return [process(1, "web"), process(2, "mail", "stopped")]

    async def describe(self, ref: str) -> dict[str, Any]:
        return detailed(1, ref)

    async def wait(self, body: Wait, peer: Principal) -> dict[str, Any]:
        return {"outcome": "met", "processes": [process(1, "web")], "failures": []}

    def groups(self) -> Sequence[dict[str, Any]]:
        return [{"id": 1, "name": "front", "processes": ["web"]}]

    async def describe_group(self, ref: str) -> dict[str, Any]:
        return {"id": 1, "name": ref, "processes": [process(1, "web")]}


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """Command lines against a real server that runs in a thread of its own."""
    with tempfile.TemporaryDirectory(prefix="pmon3") as folder:
        for name in ("XDG_RUNTIME_DIR", "XDG_STATE_HOME", "XDG_CONFIG_HOME", "HOME"):
            monkeypatch.setenv(name, folder)
        monkeypatch.delenv("PMON3_CONF", raising=False)
        monkeypatch.setattr("pmon3_schema.paths.SYSTEM_RUNTIME", f"{folder}/system")
        log = Path(folder) / "web.log"
        log.write_text("one\ntwo\n")
        control = Canned()
        control.files = [LogFile(log)]
        (Path(folder) / "pmon3").mkdir()
        with Serving(control, f"{folder}/pmon3/pmon3.sock"):
            yield runner(capsys)


class Serving:
    """The real server on this socket while the block runs."""

    def __init__(self, control: FakeControl, path: str) -> None:
        self._server = Server(Api(control, lambda: Authority(os.geteuid())).handle, Reports())
        self._path = path
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._server.start(self._path), self._loop).result(10)

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._server.close(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()


@pytest.mark.parametrize(
    "line",
    [
        "ls", "ls web -o json", "ls -g front -l tier=web -o yaml", "desc web", "stop web mail",
        "stop -g front -f",
        "start web", "restart -l tier=web -n -a -x=1", "del web", "kill", "drop -f", "reset", "reset web",
        "init -c", "exec /bin/true --args -x=1 --replace", "wait web --for completed --timeout 1s",
        "log web -n +1", "log web -a", "events", "events web -n 3", "apply -f MANIFEST --prune",
        "apply -f MANIFEST --dry-run", "export", "export yaml -o name", "dgraph -c", "group ls",
        "group create front", "group desc front", "group assign front web", "group remove front web",
        "group stop front", "group restart front", "group drop front", "group del front", "version",
    ],
)  # fmt: skip
def test_every_verb_is_understood(run: Run, line: str, tmp_path: Path) -> None:
    manifest = tmp_path / "app.yaml"
    manifest.write_text("processes: []\n")
    ran = run(*line.replace("MANIFEST", str(manifest)).split())
    closing = "nothing" if line.startswith("apply") else ""  # what was done comes last, on the other stream
    assert (ran.code, closing in ran.err, bool(ran.err)) == (0, True, bool(closing))
    assert ran.out


def test_errors_of_the_daemon_are_told(run: Run, tmp_path: Path) -> None:
    ran = run("ls", "nope")
    assert (ran.code, ran.err) == (1, "pmon3: cannot find nope: there is no such process\n")
    manifest = tmp_path / "app.yaml"
    manifest.write_text("processes: []\n")
    assert run("diff", "-f", str(manifest)).code == 1
