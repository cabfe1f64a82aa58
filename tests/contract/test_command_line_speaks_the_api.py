"""Every verb of the command line against a real pmond: no request is refused, and answers can be shown."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.command_line import Run, runner
from tests.support.pmond import Pmond, temporary_pmond


@pytest.fixture(scope="module")
def daemon() -> Iterator[Pmond]:
    with temporary_pmond() as pmond:
        program = pmond.folder / "program"
        program.write_text("#!/bin/sh\nexec sleep 1000\n")  # whatever its arguments are
        program.chmod(0o755)
        pmond.declare({"name": "cron", "file": str(program)})
        yield pmond.start()


@pytest.fixture
def run(daemon: Pmond, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Command lines against a pmond that runs `web` and `mail`, whatever an earlier one did to it."""
    for name, value in daemon.environment.items():
        monkeypatch.setenv(name, value)
    web = {
        "name": "web", "file": str(daemon.folder / "program"), "groups": ["front"], "labels": {"tier": "web"},
    }  # fmt: skip
    text = json.dumps({"processes": [web, {**web, "name": "mail"}]})
    body = {"documents": [{"path": "/m.json", "text": text}], "take_ownership": True}
    assert daemon.ask("POST", "/v1/apply", body).status == 200
    started = daemon.ask("POST", "/v1/actions/start", {"all": True}).body["targets"]
    waiting = {"targets": started, "until": "ready", "timeout": 20}
    assert daemon.ask("POST", "/v1/wait", waiting).body["outcome"] == "met"
    if daemon.ask("GET", "/v1/groups/front").status != 200:
        daemon.ask("POST", "/v1/groups", {"name": "front"})
    (daemon.folder / "logs" / "web.log").write_text("one\ntwo\n")
    return runner(capsys)


@pytest.mark.parametrize(
    "line",
    [
        "ls", "ls web -o json", "ls -g front -l tier=web -o yaml", "desc web", "stop web mail",
        "stop -g front -f",
        "start web", "restart -l tier=web -n -a -x=1", "del web", "kill", "drop -f", "reset", "reset web",
        "init -c", "exec PROGRAM --args -x=1 --replace", "wait web --for ready --timeout 1s",
        "log web -n +1", "log web -a", "events", "events web -n 3", "runs web", "runs web -n 3 -o json",
        "apply -f MANIFEST --prune",
        "apply -f MANIFEST --dry-run", "export", "export yaml -o name", "dgraph -c", "group ls",
        "group create back", "group desc front", "group assign front web", "group remove front web",
        "group stop front", "group restart front", "group drop front", "group del front", "version",
    ],
)  # fmt: skip
def test_every_verb_is_understood(run: Run, daemon: Pmond, line: str, tmp_path: Path) -> None:
    manifest = tmp_path / "app.yaml"
    manifest.write_text("processes: []\n")
    line = line.replace("MANIFEST", str(manifest)).replace("PROGRAM", str(daemon.folder / "program"))
    ran = run(*line.split())
    # What was done comes last, on the other stream; and that what a file declares comes back.
    closing = {"apply": "nothing", "drop": "comes back"}.get(line.split()[0], "")
    closing = "" if "group" in line else closing
    assert (ran.code, closing in ran.err, bool(ran.err)) == (0, True, bool(closing))
    assert ran.out


def test_errors_of_the_daemon_are_told(run: Run, tmp_path: Path) -> None:
    ran = run("ls", "nope")
    said = "pmon3: cannot find process 'nope': there is none (pmon3 ls lists the processes)\n"
    assert (ran.code, ran.err) == (1, said)
    manifest = tmp_path / "app.yaml"
    manifest.write_text("processes: [{name: new, file: /bin/true}]\n")
    assert run("diff", "-f", str(manifest)).code == 1
