"""Files of other tools are recognised, and one sentence says what each is."""

from __future__ import annotations

import json

import pytest

from pmon3_schema.manifest import ManifestFile, read

COMPOSE = "services:\n  web: {image: nginx}\n"
UNIT = "[Unit]\nDescription=x\n[Service]\nExecStart=/bin/x\n"
KUBERNETES = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {}\n"
FILES = [
    ("docker-compose.yml", COMPOSE, "a compose file", 1),
    ("compose.json", json.dumps({"services": {"web": {"image": "nginx"}}}), "a compose file", 1),
    ("compose.yaml", f"name: shop\nx-a: 1\n{COMPOSE}", "a compose file", 3),
    ("process-compose.yaml", "version: '0.5'\nprocesses:\n  a: {command: x}\n", "process-compose", 2),
    ("ecosystem.json", '{"apps": [{"script": "app.js"}]}', "an ecosystem file of pm2", 1),
    ("ecosystem.config.js", "// ours\nmodule.exports = {\n  apps: [{script: 'a.js'}]\n}\n", "pm2", 2),
    ("dump.pm2", '[{"name": "a", "pm_exec_path": "/a.js", "pm2_env": {}}]', "a list of pm2", 1),
    ("supervisord.conf", "; us\n[program:web]\ncommand=/bin/x ; y\n", "supervisord", 2),
    ("circus.ini", "[watcher:web]\ncmd = /bin/x\n", "circus", 1),
    ("web.service", UNIT, "a unit of systemd", 1),
    ("web.timer", "[Timer]\nOnCalendar=daily\n", "a unit of systemd", 1),
    ("Procfile", "web: bundle exec puma\nworker: rake\n", "a Procfile", 1),
    ("Procfile.dev", "web: rails s -p $PORT\ncss: yarn build:css --watch\n", "a Procfile", 1),
    ("procs", "web: bundle exec puma -p 1\nworker: rake jobs:work\n", "a Procfile", 1),
    ("deployment.yaml", KUBERNETES, "an object of Kubernetes", 2),
    ("config.yml", "log_level: debug\nwait: {min_ready: 1}\n", "pmond's own configuration", 1),
]


@pytest.mark.parametrize(("name", "text", "said", "line"), FILES)
def test_it_is_called_what_it_is_and_nothing_else_is_said(name: str, text: str, said: str, line: int) -> None:
    reading = read([ManifestFile(f"/srv/{name}", text.encode())])
    assert [found.code for found in reading.diagnostics] == ["PM005"], reading.diagnostics
    (found,) = reading.diagnostics
    assert said in found.message and found.hint
    assert found.line == line


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.yaml", "processes: [{file: /bin/x, nam: y}]\nservices: {a: 1}\n"),
        ("b.yaml", "proceses: [{file: /bin/x}]\n"),
        ("c.toml", "[Unit]\nx = 1\n"),
        ("d.yaml", "process: web\n"),
        ("e.yaml", "processes:\n  web: {file: /bin/x}\n"),
        ("f.json", "[1, 2]"),
        ("g.yaml", "a: [\n"),
        ("h.conf", "command = 5\n[other]\n"),
    ],
)
def test_what_is_only_wrong_stays_what_it_is(name: str, text: str) -> None:
    reading = read([ManifestFile(f"/srv/{name}", text.encode())])
    assert reading.diagnostics and all(found.code != "PM005" for found in reading.diagnostics)


def test_a_correct_manifest_may_have_any_processes() -> None:
    text = "processes: [{file: /bin/sh, name: services, args: '[program:x]'}]\n"
    assert read([ManifestFile("/srv/Procfile", text.encode())]).diagnostics == ()
