"""One value changes; every other byte of a hand-written manifest stays."""

from __future__ import annotations

from typing import Any

import pytest

from pmon3_schema.edit_text import CannotEdit, set_value
from pmon3_schema.path_diagnostics import ManifestFile

YAML = """\
# the shop
processes:
    -   name:  'web'      # in front
        file: /usr/bin/web
        args:  "-p 80"   # the port
        restart: { policy: always,   delay: 1s }
        labels: &l {tier: front}

    -   file: ./worker
        labels: *l
"""
TOML = """\
# the shop
[[Processes]]
File = "/bin/web" # x
  Name   = 'web'
[Processes.restart]
delay = "1s"
"""
JSON = '{"processes": [{"file": "/bin/web",\n   "name": "web", "restart": {"delay": "1s"}}]}\n'


@pytest.mark.parametrize(
    ("path", "text", "field", "value", "old", "new"),
    [
        ("a.yaml", YAML, ["args"], "-p 81", '"-p 80"', '"-p 81"'),
        ("a.yaml", YAML, ["restart", "delay"], "5s", "delay: 1s", "delay: 5s"),
        ("a.yaml", YAML, ["file"], "/opt/web", "file: /usr/bin/web", "file: /opt/web"),
        ("a.toml", TOML, ["file"], "/opt/web", '"/bin/web"', '"/opt/web"'),
        ("a.toml", TOML, ["restart", "delay"], "5s", '"1s"', '"5s"'),
        ("a.json", JSON, ["restart", "delay"], "5s", '"1s"', '"5s"'),
        ("a.json", JSON, ["args"], ["-v"], '{"file"', '{"args": ["-v"], "file"'),
        ("a.json", JSON, ["stop", "timeout"], 3, '{"file"', '{"stop": {"timeout": 3}, "file"'),
    ],
)  # fmt: skip
def test_only_the_value_changes(
    path: str, text: str, field: list[str], value: Any, old: str, new: str
) -> None:
    assert set_value(ManifestFile(path, text.encode()), "web", field, value).decode() == text.replace(
        old, new
    )


def test_a_new_field_adds_lines_and_touches_none() -> None:
    after = set_value(ManifestFile("a.yaml", YAML.encode()), "web", ["autostart"], False).decode()
    added = [line for line in after.splitlines() if line not in YAML.splitlines()]
    assert [line.strip() for line in added] == ["autostart: false"]
    assert [line for line in after.splitlines() if line not in added] == YAML.splitlines()
    toml = set_value(ManifestFile("a.toml", TOML.encode()), "web", ["umask"], "0022").decode()
    assert [line for line in toml.splitlines() if line and line not in TOML] == ['umask = "0022"']


def test_what_is_shared_is_not_changed_behind_a_back() -> None:
    with pytest.raises(CannotEdit, match="anchor"):
        set_value(ManifestFile("a.yaml", YAML.encode()), "worker", ["labels"], {"tier": "back"})
    with pytest.raises(CannotEdit, match="does not declare"):
        set_value(ManifestFile("a.yaml", YAML.encode()), "nobody", ["args"], "")
