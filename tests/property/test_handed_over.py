"""Laws of `export --to`: no field disappears, and what both tools can say comes back."""

from __future__ import annotations

import shutil
import subprocess
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from pmon3.converting import reading
from pmon3.export_targets import TARGETS, Handed, hand_over
from pmon3.export_targets.leaving import Leaving
from pmon3_schema.fields import FieldStruct, InvalidValue
from pmon3_schema.process import ProcessSpec
from pmon3_schema.reading import read_value

CANDIDATES: tuple[Any, ...] = (
    True, False, "always", "on-failure", "signal", "oneshot", ["web"], ["/etc/a"], "/srv/x", {"A": "b c"},
    "7s", 7, "0027", 0.5, "SIGINT", "8080", "http://127.0.0.1:8080/x", [3], "GET", "200", {"X": "y"},
    [["/bin/true"]], "confirm",
)  # fmt: skip
COMPANIONS: dict[str, dict[str, Any]] = {
    "ready": {"ready": {"exec": ["/bin/true"]}},
    "ready.exec": {}, "ready.tcp": {}, "ready.log": {}, "ready.notify": {}, "ready.delay": {},
    "ready.http": {},
    "live": {"live": {"exec": ["/bin/true"]}},
    "live.exec": {}, "live.tcp": {}, "live.notify": {}, "live.http": {},
    "reload": {"on_change": "reload", "reload": {"command": ["/bin/kill"]}, "watch": {"paths": ["/w"]}},
    "log_rotate": {"log_rotate": {"size": "1MiB"}},
    "restart.window": {"restart": {"max_failures": 3}},
    "schedule": {"schedule": {"cron": "0 3 * * *"}},
    "ready.http.": {"ready": {"http": {"url": "http://127.0.0.1/"}}},
    "live.http.": {"live": {"http": {"url": "http://127.0.0.1/"}}},
}  # fmt: skip
"""What has to be said for a field to mean something."""
TOLD_AS_A_WHOLE = ("ready", "live", "reload", "watch", "log_rotate", "schedule")
"""Sections that mean nothing without the one field that is told."""
CLEAN_ANYWAY = ("systemd", "compose")
"""Where a program inherits nothing, which is what `env_inherit: false` says."""
OF_NO_TOOL = ("name", "log_rotate.compress", "log_rotate.total")


def leaves(declared: type[FieldStruct], above: str = "") -> Iterator[str]:
    for name, field in declared.declared.items():
        if field.inner is not None:
            yield from leaves(field.inner, f"{above}{name}.")
        else:
            yield f"{above}{name}"


def companion(field: str) -> dict[str, Any]:
    parts = field.split(".")
    known = [".".join(parts[:n]) for n in range(len(parts), 0, -1)]
    for prefix in (field, *(f"{one}." for one in known[1:]), *known[1:]):
        if prefix in COMPANIONS:
            return COMPANIONS[prefix]
    return {}


def laid_over(base: dict[str, Any], field: str, value: Any) -> dict[str, Any]:
    first, dot, rest = field.partition(".")
    inner = base.get(first)
    return {**base, first: laid_over(inner if isinstance(inner, dict) else {}, rest, value) if dot else value}


def with_and_without(field: str) -> tuple[ProcessSpec, ProcessSpec] | None:
    """A process that says the field, and the same without it."""
    base = {"file": "/bin/sleep", "name": "p", "args": ["5"], "cwd": "/", **companion(field)}
    for value in CANDIDATES:
        try:
            said = read_value(ProcessSpec, laid_over(base, field, value))
            unsaid = read_value(ProcessSpec, base)
        except InvalidValue:
            continue
        if said != unsaid:
            return said, unsaid
    return None


def handed(spec: ProcessSpec, target: str) -> Handed:
    other = read_value(ProcessSpec, {"file": "/bin/web", "name": "web"})
    return hand_over([Leaving(spec), Leaving(other)], target)


FIELDS = [field for field in leaves(ProcessSpec) if field not in OF_NO_TOOL]


def test_nearly_every_field_can_be_asked_about() -> None:
    unasked = {field for field in FIELDS if with_and_without(field) is None}
    assert len(unasked) < len(FIELDS) / 4, unasked


@pytest.mark.parametrize("target", TARGETS)
def test_no_field_disappears(target: str) -> None:
    for field in FIELDS:
        pair = with_and_without(field)
        if pair is None or (field == "env_inherit" and target in CLEAN_ANYWAY):
            continue
        said, unsaid = (handed(spec, target) for spec in pair)
        section = field.partition(".")[0]
        as_a_whole = section if section in TOLD_AS_A_WHOLE else field
        told = any(f": {as_a_whole}" in loss for loss in said.losses)
        assert said.files != unsaid.files or told, f"{field} is neither in the file nor told"


FULL: dict[str, Any] = {
    "file": "/bin/sleep", "name": "web", "args": ["10", "a b", "50%", "$X", 'q"q', "back\\slash", ""],
    "cwd": "/srv/my app",
    "env_vars": {"A": "x y", "B": "50% \\ $HOME", "C": "it's", "D": ""}, "user": "daemon", "umask": "0027",
    "log": "/var/log/web.log", "restart": {"policy": "on-failure", "success_exit_codes": [0, 3],
    "max_failures": 4},
    "stop": {"signal": "SIGINT", "timeout": "7s"},
}  # fmt: skip


def converted(text: str, name: str, tmp_path: Any) -> dict[str, Any]:
    (tmp_path / name).write_text(text)
    found = reading.convert([str(tmp_path / name)], b"", "")
    (entry,) = found.manifest["processes"]
    return dict(entry)


def back(target: str, spec: ProcessSpec, tmp_path: Any) -> ProcessSpec:
    ((name, text),) = hand_over([Leaving(spec)], target).files.items()
    return read_value(ProcessSpec, converted(text, name, tmp_path))


@pytest.mark.parametrize(
    ("target", "fields"),
    [
        ("systemd", ("file", "args", "cwd", "user", "umask", "log", "stop", "policy")),
        ("supervisord", ("file", "args", "cwd", "user", "umask", "log", "policy", "env_vars")),
        ("compose", ("file", "args", "cwd", "user", "stop", "policy")),
    ],
)
def test_what_both_can_say_comes_back(target: str, fields: tuple[str, ...], tmp_path: Any) -> None:
    spec = read_value(ProcessSpec, FULL)
    again = back(target, spec, tmp_path)
    assert {field: getattr(again, field) for field in fields} == {
        field: getattr(spec, field) for field in fields
    }
    assert spec.env_vars.items() <= again.env_vars.items()
    assert (again.restart.success_exit_codes, again.stop.timeout) == (
        (0, 3) if target != "compose" else (0,),
        spec.stop.timeout,
    )


def test_a_procfile_comes_back_as_the_same_command(tmp_path: Any) -> None:
    entry = converted(
        hand_over([Leaving(read_value(ProcessSpec, FULL))], "procfile").files["Procfile"],
        "Procfile",
        tmp_path,
    )
    line = entry["args"][1]
    assert line.startswith(
        "cd '/srv/my app' && exec env 'A=x y'" if "'A=x y'" in line else "cd '/srv/my app' && exec env A="
    )
    assert "/bin/sleep 10 'a b' 50% '$X'" in line


def test_objects_of_kubernetes_are_what_its_server_takes() -> None:
    spec = {
        **FULL, "restart": {}, "name": "My_Web", "user": "1000",
        "labels": {"team": "shop", "note": "two words"},
        "ready": {"http": "http://127.0.0.1:8080/h?x=1", "interval": "500ms"}, "live": {"tcp": "6379"},
    }  # fmt: skip
    out = hand_over([Leaving(read_value(ProcessSpec, spec))], "kubernetes")
    secret, found = yaml.safe_load_all(out.files["kubernetes.yaml"])
    pod = found["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert (found["kind"], found["metadata"]["name"], found["spec"]["strategy"]) == (
        "Deployment",
        "my-web",
        {"type": "Recreate"},
    )
    assert (pod["restartPolicy"], pod["terminationGracePeriodSeconds"]) == ("Always", 7)
    assert pod["securityContext"] == {"runAsUser": 1000}
    assert container["command"] == ["/bin/sleep"] and container["args"][3] == "$X"
    assert "env" not in container
    assert container["envFrom"] == [{"secretRef": {"name": secret["metadata"]["name"]}}]
    assert b64decode(secret["data"]["A"]) == b"x y"
    assert container["readinessProbe"]["httpGet"] == {"path": "/h?x=1", "port": 8080}
    assert (
        container["readinessProbe"]["periodSeconds"] == 1
        and container["startupProbe"]["failureThreshold"] == 60
    )
    assert container["livenessProbe"]["tcpSocket"] == {"port": 6379}
    assert found["metadata"]["labels"]["team"] == "shop"
    assert found["metadata"]["annotations"] == {"note": "two words", "pmon3/name": "My_Web"}
    told = "\n".join(out.losses)
    for word in (
        "stop.signal",
        "umask",
        "ready.interval: only whole seconds",
        "name: an object",
        "in which image",
    ):
        assert word in told


@pytest.mark.parametrize(
    ("policy", "kind", "again"), [("never", "Job", "Never"), ("on-failure", "Job", "OnFailure")]
)
def test_what_may_end_is_a_job(policy: str, kind: str, again: str) -> None:
    spec = read_value(ProcessSpec, {"file": "/bin/true", "restart": {"policy": policy}})
    found = yaml.safe_load(hand_over([Leaving(spec)], "kubernetes").files["kubernetes.yaml"])
    assert (found["kind"], found["spec"]["template"]["spec"]["restartPolicy"]) == (kind, again)


UNITS: list[dict[str, Any]] = [
    {**FULL, "dependencies": ["db"], "groups": ["g"], "description": "100 % web"},
    {"file": "/bin/sleep", "args": "1", "name": "db", "ready": {"notify": True}, "live": {"notify": True}},
    {"file": "/bin/sleep", "args": ["; true", "a\nb", "\u00e9"], "name": "a b\u00e9", "argv0": "other",
     "priority": -5},
    {"file": "/bin/sleep", "name": "r", "args": "1", "on_change": "signal", "watch": {"paths": ["/etc"]},
     "limits": {"nofile": 100, "memory": "1GiB", "cpu_seconds": 5},
     "stop": {"timeout": 0, "kill_group": False}},
    {"file": "/bin/true", "name": "migrate", "type": "oneshot", "max_runtime": "5m",
     "sandbox": {"capabilities": [], "read_only": ["/my data"]}},
    {"file": "/bin/true", "name": "nightly", "schedule": {"cron": "0 3 1 * 0-2", "catch_up": "one"}},
    {"file": "/bin/true", "name": "often", "schedule": {"every": "90s", "jitter": "5s"}},
    {"file": "/bin/sleep", "args": "1", "name": "last", "ready": {"delay": "70s"}, "user": "daemon",
     "dependencies": ["migrate", "nightly", {"name": "db", "required": False, "restart": True}],
     "sandbox": {"capabilities": ["CAP_CHOWN"]}},
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
def test_systemd_takes_the_units(tmp_path: Path) -> None:
    processes = [Leaving(read_value(ProcessSpec, {"cwd": "/", **entry})) for entry in UNITS]
    files = hand_over(processes, "systemd").files
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    command = ["systemd-analyze", "verify", "--man=no", *(str(tmp_path / name) for name in files)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    about_ours = [line for line in ran.stderr.splitlines() if str(tmp_path) in line or ".service" in line]
    assert about_ours == [], ran.stderr
