"""`export --to`: what would mean something else there, or be read as another setting, each found once."""

from __future__ import annotations

import shutil
import subprocess
from typing import Any

import pytest
import yaml

from pmon3.converting.supervisord_values import variables
from pmon3.export_targets import Handed, hand_over
from pmon3.export_targets.leaving import Leaving
from pmon3.export_targets.systemd_timer import calendars
from pmon3_schema.process import ProcessSpec
from pmon3_schema.reading import read_value


def handed(target: str, *entries: dict[str, Any]) -> Handed:
    specs = [read_value(ProcessSpec, {"file": "/bin/a", "name": "web", "cwd": "/", **one}) for one in entries]
    return hand_over([Leaving(spec) for spec in specs], target)


def told(out: Handed) -> str:
    return "\n".join(out.losses)


NOTIFY, PROBE, ONE_SHOT = {"ready": {"notify": True}}, {"ready": {"tcp": "80"}}, {"type": "oneshot"}


@pytest.mark.parametrize(
    ("other", "condition", "why"),
    [
        ({}, "", ""),
        ({}, "started", ""),
        (NOTIFY, "", ""),
        (NOTIFY, "ready", ""),
        (NOTIFY, "started", "until db is ready, not until it has been started"),
        ({"ready": {"delay": "2s"}}, "", ""),
        (PROBE, "", "until db has been started, not until it is ready"),
        (ONE_SHOT, "", ""),
        (ONE_SHOT, "completed", ""),
        (ONE_SHOT, "started", "until db has ended with success, not until it has been started"),
        ({"restart": {"policy": "never"}}, "completed", "has been started, not until it has ended"),
        ({"schedule": {"every": "1h"}}, "", ""),
        ({"schedule": {"every": "1h"}}, "completed", "db runs by its timer, and no run is waited for"),
    ],
)  # fmt: skip
def test_what_is_waited_for_is_what_a_unit_waits_for_or_told(
    other: dict[str, Any], condition: str, why: str
) -> None:
    need = {"name": "db", "condition": condition, "required": False} if condition else {"name": "db"}
    out = handed("systemd", {"dependencies": [need]}, {**other, "name": "db"})
    assert "After=db.service\n" in out.files["web.service"]
    assert (why in told(out)) if why else ("systemd waits until" not in told(out))


@pytest.mark.parametrize(
    ("said", "lines", "why"),
    [
        ({}, ["After", "Requires"], "a stop or restart of db spreads to it"),
        ({"restart": True}, ["After", "Requires"], "a stop of db spreads to it"),
        ({"required": False}, ["After"], ""),
        ({"required": False, "restart": True}, ["After", "PartOf"], "a stop of db spreads to it"),
    ],
)
def test_what_a_need_spreads_is_told(said: dict[str, Any], lines: list[str], why: str) -> None:
    out = handed("systemd", {"dependencies": [{"name": "db", **said}]}, {"name": "db"})
    unit = out.files["web.service"].splitlines()
    assert [line.partition("=")[0] for line in unit if line.endswith("=db.service")] == lines
    assert (why in told(out)) if why else (out.losses == ())


def test_a_one_shot_is_not_run_again_for_who_waits_for_it() -> None:
    out = handed("systemd", {"type": "oneshot", "max_runtime": "5m"})
    unit = out.files["web.service"]
    assert "RemainAfterExit=yes\n" in unit
    assert "TimeoutStartSec=5min\n" in unit and "RuntimeMaxSec" not in unit  # which means nothing there
    assert out.losses == ()
    out = handed("systemd", {"type": "oneshot", "hooks": {"post_stop": ["/bin/b"]}})
    assert "RemainAfterExit" not in out.files["web.service"]
    assert "web: type: it runs again" in told(out)


@pytest.mark.parametrize(
    ("entry", "line"),
    [
        ({"sandbox": {"capabilities": []}}, "CapabilityBoundingSet="),
        ({"sandbox": {"capabilities": ["CAP_CHOWN"]}}, "CapabilityBoundingSet=CAP_CHOWN"),
        ({"user": "daemon", "sandbox": {"capabilities": ["CAP_CHOWN"]}}, "AmbientCapabilities=CAP_CHOWN"),
        ({"sandbox": {"read_only": ["/my data/50%"]}}, 'ReadOnlyPaths="/my data/50%%"'),
        ({"env_file": ["/etc/50%"]}, "EnvironmentFile=/etc/50%%"),
        ({"args": ["a\x85b\u2028\x1b"]}, r'ExecStart=/bin/a "a\u0085b\u2028\x1b"'),
        ({"stop": {"timeout": 1e-9}}, "TimeoutStopSec=1ms"),
        ({"live": {"notify": True, "interval": "5s", "failures": 2, "start_period": 0}}, "WatchdogSec=10s"),
        ({"reload": {"command": ["/bin/sh", "-c", "kill -HUP $MAINPID"]}},
        'ExecReload=/bin/sh -c "kill -HUP $$MAINPID"'),
    ],
)  # fmt: skip
def test_a_line_of_a_unit_says_what_was_said(entry: dict[str, Any], line: str) -> None:
    out = handed("systemd", entry)
    assert line in out.files["web.service"].splitlines()
    assert out.losses == ()


@pytest.mark.parametrize(
    ("name", "unit"), [("a@", r"a\x40"), ("@a", r"\x40a"), (".a", r"\x2ea"), ("a@1b", "a@1b")]
)
def test_the_name_of_a_unit_is_of_one_that_is_started(name: str, unit: str) -> None:
    assert set(handed("systemd", {"name": name}).files) == {f"{unit}.service"}


BREAK = "/tmp/x\nUser=root\nuser=root\n[program:x]\nx: y"


@pytest.mark.parametrize("target", ["systemd", "supervisord", "procfile"])
@pytest.mark.parametrize("field", ["cwd", "log", "user", "env_file"])
def test_no_value_becomes_another_setting(target: str, field: str) -> None:
    """A folder of somebody else may be called so; the file that is written may be read with root's rights."""
    out = handed(target, {"user": "daemon", field: [BREAK] if field == "env_file" else BREAK}, {"name": "b"})
    lines = [line.strip() for text in out.files.values() for line in text.splitlines()]
    assert not {"User=root", "user=root", "[program:x]", "x: y"} & set(lines)
    assert f"web: {field}" in told(out) or "web: file: a line break" in told(out)


@pytest.mark.parametrize("target", ["supervisord", "compose"])
def test_two_processes_are_two_there(target: str) -> None:
    out = handed(target, {"name": "a b"}, {"name": "a-b"})
    (text,) = out.files.values()
    assert "a-b:" in text or "[program:a-b]" in text
    assert "a-b-:" in text or "[program:a-b-]" in text
    assert "cannot be called so: it is called a-b-" in told(out)


def test_a_semicolon_begins_no_comment_of_supervisord() -> None:
    out = handed("supervisord", {"args": ["a ;b", "; c", "d # e", "two\nlines"]})
    (text,) = out.files.values()
    assert "command=/bin/a 'a '';b' '; c' 'd ''# e' 'two\n lines'\n" in text
    assert out.losses == ()
    out = handed("supervisord", {"env_vars": {"A": "x ;y", "B": "'q'", "C": "50%"}})
    assert 'environment=C="50%%"\n' in out.files["supervisord.conf"]
    assert "env_vars.A" in told(out) and "env_vars.B" in told(out)
    assert variables('C="50%"') == {"C": "50%"}


def test_less_than_a_second_is_not_none_for_supervisord() -> None:
    out = handed("supervisord", {"stop": {"timeout": "500ms"}, "ready": {"delay": "1.5s"}})
    (text,) = out.files.values()
    assert "stopwaitsecs=1\n" in text and "startsecs=2\n" in text
    assert "only whole seconds can be written: 1" in told(out)


def test_compose_waits_for_what_was_waited_for() -> None:
    probe = {"exec": ["/bin/true"], "interval": "2d"}
    out = handed(
        "compose", {"dependencies": ["job", "db", "net"]}, {"name": "job", "type": "oneshot"},
        {"name": "db", "ready": probe}, {"name": "net", "ready": {"tcp": "80"}},
    )  # fmt: skip
    services = yaml.safe_load(out.files["compose.yaml"])["services"]
    conditions = {name: said["condition"] for name, said in services["web"]["depends_on"].items()}
    assert conditions == {
        "job": "service_completed_successfully", "db": "service_healthy", "net": "service_started",
    }  # fmt: skip
    assert services["db"]["healthcheck"]["interval"] == "48h"  # it has no days
    assert "web: dependencies: net has no check that compose could make" in told(out)


@pytest.mark.parametrize(("most", "policy"), [(1, "no"), (4, "on-failure:3")])
def test_compose_counts_restarts_and_not_failures(most: int, policy: str) -> None:
    out = handed("compose", {"restart": {"policy": "on-failure", "max_failures": most}})
    assert yaml.safe_load(out.files["compose.yaml"])["services"]["web"]["restart"] == policy


@pytest.mark.parametrize("word", ["no", "Yes", "ON", "y", "12:30", "1_000", "0777", "2026-12-01", "~", "1e3"])
@pytest.mark.parametrize("target", ["compose", "kubernetes"])
def test_a_word_is_one_for_readers_of_older_yaml_too(target: str, word: str) -> None:
    """PyYAML and kubectl take `no` for false: an argument would not be text, nor a name of a label."""
    out = handed(target, {"args": [word], "labels": {word: "x"} if target == "compose" else {}})
    text = out.files["compose.yaml" if target == "compose" else "kubernetes.yaml"]
    (found,) = yaml.safe_load_all(text)
    if target == "compose":
        service = found["services"]["web"]
        assert (service["command"], service["labels"]) == ([word], {word: "x"})
    else:
        assert found["spec"]["template"]["spec"]["containers"][0]["args"] == [word]


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("@daily", ["*-*-* 0:0:00"]),
        ("5 4 * * 1-5", ["Mon..Fri *-*-* 4:5:00"]),
        ("0 0 * * 0-2", ["Mon,Tue,Sun *-*-* 0:0:00"]),
        ("0 0 * * 5-7", ["Fri..Sun *-*-* 0:0:00"]),
        ("0 0 * * */2", ["Tue,Thu,Sat,Sun *-*-* 0:0:00"]),
        ("0 0 1,15 * fri", ["*-*-1,15 0:0:00", "Fri *-*-* 0:0:00"]),
        ("0 0 */2 * 1", ["Mon *-*-1/2 0:0:00"]),
        ("10-40/5 2-6/2 * jan-mar *", ["*-1..3-* 2..6/2:10..40/5:00"]),
        ("0 0 L * *", []),
        ("0 0 * * 5#2", []),
    ],
)
def test_a_cron_line_is_a_calendar_that_systemd_takes(line: str, found: list[str]) -> None:
    assert calendars(line) == found
    out = handed("systemd", {"schedule": {"cron": line}})
    assert ("schedule.cron" in told(out)) == (not found)
    if found and shutil.which("systemd-analyze"):
        ran = subprocess.run(["systemd-analyze", "calendar", *found], capture_output=True, check=False)
        assert ran.returncode == 0, ran.stderr
