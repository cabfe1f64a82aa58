"""What each command line asks pmond: the argument table."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.support.command_line import Run
from tests.support.fake_daemon import CannedAnswer, FakeDaemon

from pmon3_schema import protocol
from pmon3_schema.reading import read_value

NOTHING: dict[str, Any] = {"refs": [], "groups": [], "labels": {}}
WEB: dict[str, Any] = NOTHING | {"refs": ["web"]}


@pytest.mark.parametrize(
    ("line", "path", "body"),
    [
        ("stop web 2 w*", "/v1/actions/stop", NOTHING | {"refs": ["web", "2", "w*"], "force": False}),
        ("stop -f -g front", "/v1/actions/stop", NOTHING | {"groups": ["front"], "force": True}),
        ("stop -l tier=web", "/v1/actions/stop", NOTHING | {"labels": {"tier": "web"}, "force": False}),
        ("del web --force", "/v1/actions/delete", WEB | {"force": True}),
        ("delete web", "/v1/actions/delete", WEB | {"force": False}),
        ("kill", "/v1/actions/kill", {"all": True, "force": False}),
        ("drop -f", "/v1/actions/drop", {"all": True, "force": True}),
        ("reset", "/v1/actions/reset", {"all": True}),
        ("reset web", "/v1/actions/reset", WEB),
        ("start web", "/v1/actions/start", WEB | {"changes": {}}),
        (
            "restart web -n -u bob -l /x.log -a -v --log_dir /y -d a,b -d c",
            "/v1/actions/restart",
            WEB
            | {
                "changes": {
                    "args": "-v", "user": "bob", "log": "/x.log", "log_dir": "/y",
                    "no_auto_restart": True, "dependencies": ["a", "b", "c"],
                }
            },
        ),
        (
            "restart -l tier=web --autorestart -e A=1 --groups g --log-dir /y",
            "/v1/actions/restart",
            NOTHING
            | {
                "labels": {"tier": "web"},
                "changes": {"no_auto_restart": False, "env_vars": "A=1", "groups": ["g"], "log_dir": "/y"},
            },
        ),
        ("init -c -b", "/v1/init", {"process_config_only": True}),
        ("group create front", "/v1/groups", {"name": "front"}),
        ("groups assign front web,2", "/v1/groups/assign", {"groups": ["front"], "refs": ["web", "2"]}),
        ("group remove front web", "/v1/groups/remove", {"groups": ["front"], "refs": ["web"]}),
        ("group stop front", "/v1/actions/stop", NOTHING | {"groups": ["front"], "force": False}),
        (
            "group restart front -d /y -n",
            "/v1/actions/restart",
            NOTHING | {"groups": ["front"], "changes": {"log_dir": "/y", "no_auto_restart": True}},
        ),
        ("group drop front -f", "/v1/actions/delete", NOTHING | {"groups": ["front"], "force": True}),
        (
            "wait web --for stopped --timeout 2m",
            "/v1/wait",
            {
                "targets": [{"name": n, "generation": 1, "token": 0} for n in ("web",)],
                "until": "stopped",
                "timeout": 120.0, "progress": True,
            },
        ),
    ],
)  # fmt: skip
def test_a_command_line_asks_for(daemon: FakeDaemon, run: Run, line: str, path: str, body: Any) -> None:
    ran = run(*line.split())
    assert (ran.code, ran.err) == (0, "")
    assert daemon.bodies(path) == [body]


@pytest.mark.parametrize(
    ("words", "spec"),
    [
        (["/bin/web"], {"file": "/bin/web"}),
        (["./web", "--args", "-x=1"], {"file": "CWD/web", "args": "-x=1"}),
        (["../up/web", "-a", "-a=1 -b=2"], {"file": "PARENT/up/web", "args": "-a=1 -b=2"}),
        (["/bin/web", "--", "-p", "80 81"], {"file": "/bin/web", "args": ["-p", "80 81"]}),
        (["/bin/web", "-n"], {"file": "/bin/web", "no_auto_restart": True}),
        (["/bin/web", "--log_dir", "l", "--cwd", "/"], {"file": "/bin/web", "log_dir": "CWD/l", "cwd": "/"}),
        (
            ["/bin/web", "-e", "A=1", "-u", "bob", "-l", "x.log", "-d", "a,b", "-g", "g", "-g", "h"],
            {
                "file": "/bin/web", "env_vars": "A=1", "user": "bob", "log": "CWD/x.log",
                "dependencies": ["a", "b"], "groups": ["g", "h"],
            },
        ),
        (
            ["/bin/web", "--restart", "never", "--stop-signal=INT", "--stop-timeout=5s", "--label=a=b"],
            {
                "file": "/bin/web", "labels": {"a": "b"}, "restart": {"policy": "never"},
                "stop": {"signal": "INT", "timeout": "5s"},
            },
        ),
    ],
)  # fmt: skip
def test_exec_submits(daemon: FakeDaemon, run: Run, words: list[str], spec: dict[str, Any]) -> None:
    assert run("exec", *words).code == 0
    (body,) = daemon.bodies("/v1/processes")[:1]
    here, parent = str(Path.cwd()), str(Path.cwd().parent)
    expected = json.loads(json.dumps(spec).replace("CWD", here).replace("PARENT", parent))
    assert body == {"spec": expected, "cwd": here, "replace": False}
    read_value(protocol.Exec, body)


def test_exec_finds_a_bare_name_on_the_callers_path(
    daemon: FakeDaemon, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "gin"
    program.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert run("run", "gin").code == 0
    assert daemon.bodies("/v1/processes")[0]["spec"]["file"] == str(program)


def test_a_file_in_this_folder_is_not_run_by_its_bare_name(
    daemon: FakeDaemon, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gin").touch(mode=0o755)
    monkeypatch.chdir(tmp_path)
    ran = run("exec", "gin")
    assert ran.code == 1 and "write ./gin" in ran.err
    assert daemon.requests == []


def test_apply_sends_each_named_path_as_its_own_set(daemon: FakeDaemon, run: Run, tmp_path: Path) -> None:
    (tmp_path / "b.yaml").write_text("processes: []\n")
    (tmp_path / "a.toml").write_text("")
    (tmp_path / ".hidden.yaml").write_text("")
    one = tmp_path / "b.yaml"
    assert run("apply", "-f", str(tmp_path), "-f", str(one), "--prune").code == 0
    folder, file = daemon.bodies("/v1/apply")
    assert folder["set"] == f"file:{tmp_path}" and file["set"] == f"file:{one}"
    assert [Path(d["path"]).name for d in folder["documents"]] == ["a.toml", "b.yaml"]
    assert file["documents"] == [{"path": str(one), "text": "processes: []\n"}]
    assert folder["prune"] is True and "dry_run" not in folder
    read_value(protocol.Apply, folder)


def test_figures_are_asked_for_where_they_are_shown(daemon: FakeDaemon, run: Run) -> None:
    for line in ("ls", "ls -g front", "ls w*", "kill"):
        assert run(*line.split()).code == 0
    asked = [request.query for request in daemon.requests if request.path == "/v1/processes"]
    usage = ("usage", "1")
    assert asked == [[usage], [("group", "front"), usage], [("ref", "w*"), usage], [usage]]


def test_no_wait_does_not_wait(daemon: FakeDaemon, run: Run) -> None:
    assert run("stop", "web", "--no-wait").code == 0
    assert daemon.bodies("/v1/wait") == []


def test_bodies_are_those_that_the_daemon_accepts(daemon: FakeDaemon, run: Run) -> None:
    for line in ("stop web", "kill", "restart web -a x", "reset"):
        assert run(*line.split()).code == 0
    for request in daemon.requests:
        if request.path.startswith("/v1/actions/"):
            read_value(protocol.Action, request.body)
        elif request.path == "/v1/wait":
            read_value(protocol.Wait, request.body)


def test_diff_without_a_path_is_about_the_process_config_file(
    daemon: FakeDaemon, run: Run, tmp_path: Path
) -> None:
    declared = tmp_path / "process.config.json"
    declared.write_text('{"processes": []}')
    version = {"version": "9.9", "api": 1, "pid": 1, "socket": "", "process_config_file": str(declared)}
    daemon.answers["GET", "/v1/version"] = CannedAnswer(version)
    assert run("diff").code == 1
    (body,) = daemon.bodies("/v1/plan")
    assert body["documents"] == [{"path": str(declared), "text": '{"processes": []}'}]
    read_value(protocol.Apply, body)


def test_a_manifest_on_stdin_needs_the_name_of_its_set(
    daemon: FakeDaemon, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"processes: []")))
    assert run("apply", "-f", "-").code == 2
    assert run("apply", "-f", "-", "--set", "demo", "--no-wait").code == 0
    (body,) = daemon.bodies("/v1/apply")
    path = str(Path.cwd() / "stdin.yaml")
    assert body["set"] == "demo" and body["documents"] == [{"path": path, "text": "processes: []"}]
