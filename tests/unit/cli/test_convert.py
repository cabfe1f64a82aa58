"""`pmon3 convert`: what other tools have, as a manifest that is correct, and what is left out of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.support.command_line import Run

from pmon3.commands.convert import SourceKind
from pmon3.converting.reading import KINDS
from pmon3_schema.manifest import ManifestFile, read
from pmon3_schema.process import ProcessSpec

ROOT = Path(__file__).parents[3]
SUPERVISORD = """\
[supervisord]
nodaemon=true
[program:web]
command=/usr/bin/env python3 -m http.server "a b" ; the server
environment=A="1",B="x,y"
autorestart=true
autostart=false
stdout_logfile=/var/log/web.log
stdout_logfile_maxbytes=10MB
redirect_stderr=true
umask=022
priority=10
stopsignal=QUIT
stopwaitsecs=20
[program:worker]
command=/bin/sleep %(ENV_SECONDS)s
process_name=%(program_name)s_%(process_num)02d
numprocs=2
exitcodes=0,2
stopasgroup=false
[group:all]
programs=web,worker
[eventlistener:x]
command=/bin/true
"""
PROCFILE = "# both\nweb: exec server -p $PORT\n\nclock: sleep 5; date\n"
PM2 = {
    "apps": [
        {
            "name": "api", "script": "api.js", "args": "--x 1", "node_args": "--inspect", "instances": 2,
            "env": {"A": 1}, "env_production": {"A": "2"}, "max_memory_restart": "300M", "watch": ["src"],
            "kill_timeout": 3000, "restart_delay": 250, "autorestart": False, "out_file": "out.log",
        },
        {"script": "./run", "instances": "max"},
    ]
}  # fmt: skip
UNIT = """\
[Unit]
Description=Foo
After=network.target
[Service]
ExecStart=
ExecStart=-/usr/bin/env sleep \\
  100
Environment="A=1 2" B=3
EnvironmentFile=-/etc/foo.env
Restart=on-failure
RestartSec=5
TimeoutStopSec=1min 30s
KillMode=process
LimitNOFILE=1024:4096
StandardOutput=append:/var/log/foo.log
ExecReload=/bin/kill -HUP $MAINPID
PrivateTmp=yes
Nice=5
"""


def converted(run: Run, folders: Path, name: str, text: str) -> tuple[dict[str, ProcessSpec], str]:
    """The processes, the same in all three formats, and what was said."""
    file = folders / name
    file.write_text(text)
    found, said = [], ""
    for form in ("yaml", "toml", "json"):
        ran = run("convert", str(file), "--to", form)
        assert ran.code == 0, ran.err
        reading = read([ManifestFile(f"/m/x.{form}", ran.out.encode())])
        assert reading.ok, reading.diagnostics
        found.append({entry.spec.name: entry.spec for entry in reading.entries})
        said = ran.err
    assert found[0] == found[1] == found[2]
    return found[0], said


def test_supervisord(run: Run, folders: Path) -> None:
    specs, said = converted(run, folders, "supervisord.conf", SUPERVISORD)
    assert list(specs) == ["web", "worker_00", "worker_01"]
    web, worker = specs["web"], specs["worker_00"]
    assert (web.file, web.args) == ("/usr/bin/env", ("python3", "-m", "http.server", "a b"))
    assert (web.env_vars, web.groups, web.umask) == ({"A": "1", "B": "x,y"}, ("all",), 0o22)
    assert (web.policy, web.autostart, web.stop.signal, web.stop.timeout) == ("always", False, 3, 20)
    assert (web.log, web.log_rotate.size, web.stderr_log) == ("/var/log/web.log", 10_000_000, "")
    assert (worker.policy, worker.restart.success_exit_codes) == ("on-failure", (0, 2))
    assert (worker.stop.kill_group, web.stop.kill_group) == (False, True)
    for word in ("`priority`", "%(ENV_SECONDS)s", "[eventlistener:x]"):
        assert word in said


def test_a_procfile(run: Run, folders: Path) -> None:
    specs, said = converted(run, folders, "Procfile", PROCFILE)
    assert specs["clock"].args == ("-c", "sleep 5; date")
    assert (specs["clock"].env_vars, specs["clock"].cwd) == ({"PORT": "5100"}, "/m")
    assert (specs["web"].policy, specs["web"].stop.timeout) == ("never", 5)
    assert "exit_on_end" in said and ".env" in said


def test_pm2(run: Run, folders: Path) -> None:
    specs, said = converted(run, folders, "ecosystem.json", json.dumps(PM2))
    assert list(specs) == ["api-0", "api-1", "run"]
    api = specs["api-1"]
    assert (api.file, api.args) == ("node", ("--inspect", "api.js", "--x", "1"))
    assert (api.env_vars, api.policy, api.watch.paths) == ({"A": "1"}, "never", ("/m/src",))
    assert (api.restart.delay, api.stop.timeout, api.stop.signal) == (0.25, 3, 2)
    assert (specs["run"].file, specs["run"].stop.timeout) == ("/m/run", 1.6)
    assert "`max_memory_restart`" in said and "`instances: max`" in said
    profiles = json.loads(run("convert", str(folders / "ecosystem.json"), "--to", "json").out)["profiles"]
    assert [one["env_vars"] for one in profiles["production"]["processes"]] == [{"A": "2"}] * 2


def test_a_unit_of_systemd(run: Run, folders: Path) -> None:
    specs, said = converted(run, folders, "foo.service", UNIT)
    foo = specs["foo"]
    assert (foo.file, foo.args, foo.cwd) == ("/usr/bin/env", ("sleep", "100"), "/")
    assert (foo.env_vars, foo.env_file) == ({"A": "1 2", "B": "3"}, ("/etc/foo.env",))
    assert (foo.policy, foo.restart.delay, foo.stop.timeout, foo.stop.kill_group) == (
        "on-failure",
        5,
        90,
        False,
    )
    assert (foo.limits.nofile, foo.priority, foo.log) == (1024, 5, "/var/log/foo.log")
    assert foo.reload.command == ("/bin/sh", "-c", "/bin/kill -HUP $MAINPID")
    assert "`After`" in said and "`PrivateTmp` is left out: nothing isolates" in said


@pytest.mark.parametrize("name", ["happac.toml", "happac.json", "happac.yaml", "quickstart.yaml"])
def test_a_manifest_in_every_format_says_the_same(run: Run, folders: Path, name: str) -> None:
    text = (ROOT / "manifests" / name).read_text("utf-8")
    specs, said = converted(run, folders, name, text)
    assert said == ""
    reading = read([ManifestFile(f"/m/{name}", text.encode())])
    assert [entry.spec for entry in reading.entries] == list(specs.values())


def test_variables_and_profiles_go_along(run: Run, folders: Path) -> None:
    data: dict[str, Any] = {"variables": {"A": 5}, "processes": [{"file": "/w", "priority": "${A}"}]}
    specs, _ = converted(run, folders, "x.json", json.dumps(data))
    assert specs["w"].priority == 5
    (folders / "y.json").write_text(json.dumps({**data, "variables": {"A": None}}))
    ran = run("convert", str(folders / "y.json"), "--to", "toml")
    assert (ran.code, ran.out) == (1, "")
    assert "TOML has no empty values" in ran.err


def test_strict_prints_nothing_where_something_is_left_out(run: Run, folders: Path) -> None:
    (folders / "foo.service").write_text(UNIT)
    ran = run("convert", "--strict", str(folders / "foo.service"))
    assert (ran.code, ran.out) == (1, "")
    (folders / "plain.service").write_text("[Service]\nExecStart=/bin/sleep 5\n")
    assert run("convert", "--strict", str(folders / "plain.service")).code == 0


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("Procfile", "web server\n", "line 1 is not `name: command`"),
        ("a.service", "[Service]\nUser=x\n", "no ExecStart"),
        ("a.service", "[Service]\nExecStart=/a 'b\n", "No closing quotation"),
        ("a.service", "[Service]\nExecStart=-\n", "no ExecStart"),
        ("s.conf", "[program:x]\ncommand\n", "parsing errors"),
        ("s.conf", "[program:x]\ncommand=/a\nnumprocs=two\n", "two"),
        ("e.json", '{"apps": 5}', "no list `apps`"),
        ("e.json", '{"apps": [{"script": "a", "env": ["A=1"]}]}', "must be a mapping"),
        ("compose.yaml", "services: {web: {image: x}}\n", "docker compose are in images"),
        ("x.json", '{"processes": [', "cannot convert"),
        ("x.yaml", "- a\n", "none of pmon3"),
        ("none.yaml", None, "cannot read"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_said(run: Run, folders: Path, name: str, text: str | None, said: str) -> None:
    if text is not None:
        (folders / name).write_text(text)
    ran = run("convert", str(folders / name))
    assert ran.code == (2 if text is None else 1)
    assert ran.out == "" and said in ran.err


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("foo.service", "[Service]\nExecStart=/bin/a\nEnvironment=EMPTY= FLAG=true\n"),
        ("s.conf", '[program:foo]\ncommand=/bin/a\nenvironment=EMPTY="",FLAG=true\n'),
        ("e.json", '{"apps": [{"name": "foo", "script": "/bin/a", "env": {"EMPTY": "", "FLAG": true}}]}'),
    ],
)  # fmt: skip
def test_empty_variables_stay(run: Run, folders: Path, name: str, text: str) -> None:
    specs, _ = converted(run, folders, name, text)
    assert specs["foo"].env_vars == {"EMPTY": "", "FLAG": "true"}


def test_what_is_empty_in_pm2_is_not_given(run: Run, folders: Path) -> None:
    text = "apps:\n- name: foo\n  script: /bin/a\n  user:\n  interpreter:\n  env:\n  env_production:\n"
    specs, _ = converted(run, folders, "e.yaml", text)
    assert (specs["foo"].file, specs["foo"].user) == ("/bin/a", "")


@pytest.mark.parametrize("word", ["no", "False", "off", "0"])
def test_every_word_for_no_is_one(run: Run, folders: Path, word: str) -> None:
    text = f"[program:foo]\ncommand=/bin/a\nautorestart={word}\nautostart={word}\n"
    specs, _ = converted(run, folders, "s.conf", text)
    assert (specs["foo"].policy, specs["foo"].autostart) == ("never", False)


def test_what_comes_out_wrong_is_said_and_printed(run: Run, folders: Path) -> None:
    (folders / "s.conf").write_text("[program:a,b]\ncommand=/bin/true\n")
    ran = run("convert", str(folders / "s.conf"))
    assert ran.code == 1
    assert "'a,b' is not a name" in ran.err and "a,b" in ran.out


def test_every_kind_can_be_asked_for() -> None:
    assert tuple(kind.value for kind in SourceKind) == KINDS
