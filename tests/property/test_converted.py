"""The law of `convert`: no key of an input disappears. It changes the manifest, or is told with its line."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pmon3.converting import Converted, reading

UNKNOWN = "no_such_key"


class ToolSample:
    """One tool: a text that has some of its keys, each with a value that is not the tool's default."""

    def __init__(self, name: str, keys: Mapping[str, Any], text: Callable[[Mapping[str, Any]], str]) -> None:
        self.name, self.keys, self.text = name, {**keys, UNKNOWN: "x"}, text


def section(head: str) -> Callable[[Mapping[str, Any]], str]:
    return lambda keys: head + "".join(f"{key}={value}\n" for key, value in keys.items())


def in_json(around: Callable[[dict[str, Any]], Any]) -> Callable[[Mapping[str, Any]], str]:
    return lambda keys: json.dumps(around(dict(keys)), indent=1)


PROGRAM = {
    "process_name": "other", "numprocs_start": "1", "priority": "5", "autostart": "false",
    "autorestart": "true",
    "startsecs": "7", "startretries": "5", "exitcodes": "0,2", "stopsignal": "QUIT", "stopwaitsecs": "3",
    "stopasgroup": "false", "killasgroup": "true", "user": "daemon", "redirect_stderr": "true",
    "stdout_logfile": "/var/log/x.log", "stderr_logfile": "/var/log/y.log", "stdout_logfile_maxbytes": "1MB",
    "stdout_logfile_backups": "2", "stderr_logfile_maxbytes": "2MB", "stderr_logfile_backups": "3",
    "stdout_syslog": "true", "stderr_syslog": "true", "stdout_capture_maxbytes": "1MB",
    "stderr_capture_maxbytes": "1MB",
    "stdout_events_enabled": "true", "stderr_events_enabled": "true", "environment": 'A="1"',
    "directory": "/srv",
    "umask": "027", "serverurl": "http://x",
}  # fmt: skip
OF_SUPERVISORD = {
    "logfile": "/l", "logfile_maxbytes": "1MB", "logfile_backups": "3", "loglevel": "debug", "pidfile": "/p",
    "umask": "027", "nodaemon": "true", "silent": "true", "minfds": "2048", "minprocs": "300",
    "nocleanup": "true",
    "childlogdir": "/c", "user": "daemon", "directory": "/srv", "strip_ansi": "true", "environment": 'A="1"',
    "identifier": "x",
}  # fmt: skip
SERVICE = {
    "Type": "notify", "ExecStartPre": "/bin/true", "ExecStartPost": "/bin/true",
    "ExecReload": "/bin/kill -HUP $MAINPID",
    "ExecStop": "/bin/true", "ExecStopPost": "/bin/true", "ExecCondition": "/bin/true",
    "WorkingDirectory": "/srv",
    "Environment": "A=1", "EnvironmentFile": "/etc/a", "PassEnvironment": "B", "UnsetEnvironment": "C",
    "User": "daemon",
    "Group": "x", "SupplementaryGroups": "y", "UMask": "0077", "StandardOutput": "null",
    "StandardError": "append:/e",
    "StandardInput": "tty", "Restart": "always", "RestartSec": "3", "RestartSteps": "2",
    "RestartMaxDelaySec": "9",
    "SuccessExitStatus": "3", "RestartPreventExitStatus": "4", "RestartForceExitStatus": "5",
    "KillSignal": "SIGINT",
    "TimeoutStopSec": "0", "TimeoutStartSec": "3", "TimeoutSec": "9", "KillMode": "mixed",
    "FinalKillSignal": "SIGQUIT",
    "SendSIGKILL": "no", "SendSIGHUP": "yes", "WatchdogSec": "9", "RuntimeMaxSec": "9", "LimitNOFILE": "99",
    "LimitCORE": "0", "LimitSTACK": "9", "LimitCPU": "1min", "MemoryMax": "1G", "MemoryHigh": "1G",
    "CPUQuota": "50%",
    "CPUWeight": "50", "TasksMax": "9", "IOWeight": "9", "Nice": "3", "OOMScoreAdjust": "5",
    "CPUAffinity": "1",
    "NoNewPrivileges": "yes", "ProtectSystem": "strict", "ProtectHome": "yes", "PrivateTmp": "yes",
    "PrivateDevices": "yes",
    "ReadOnlyPaths": "/a", "ReadWritePaths": "/b", "InaccessiblePaths": "/c",
    "CapabilityBoundingSet": "CAP_CHOWN",
    "AmbientCapabilities": "CAP_CHOWN", "DynamicUser": "yes", "RuntimeDirectory": "x", "StateDirectory": "x",
    "LoadCredential": "a:b", "SyslogIdentifier": "x", "PIDFile": "/p", "RemainAfterExit": "yes",
    "Slice": "x.slice",
    "NotifyAccess": "all", "BusName": "a.b", "PrivateNetwork": "yes", "X-Own": "1",
}  # fmt: skip
UNIT = {
    "Description": "other", "Documentation": "man:x", "After": "a.service", "Before": "b.service",
    "Requires": "c.service",
    "Wants": "d.service", "BindsTo": "e.service", "PartOf": "f.service", "Requisite": "g.service",
    "Conflicts": "h.service",
    "OnFailure": "i.service", "Upholds": "j.service", "StartLimitIntervalSec": "9", "StartLimitBurst": "2",
    "ConditionPathExists": "/x", "AssertPathExists": "/y", "RequiresMountsFor": "/z",
    "DefaultDependencies": "no",
}  # fmt: skip
TIMER = {
    "OnCalendar": "daily", "OnBootSec": "5", "OnUnitActiveSec": "1h", "Persistent": "true",
    "RandomizedDelaySec": "5",
    "AccuracySec": "1s", "WakeSystem": "true",
}  # fmt: skip
APP = {
    "name": "other", "args": "--x", "interpreter": "/usr/bin/other", "node_args": "--y", "cwd": "/srv",
    "instances": 3,
    "exec_mode": "cluster", "env": {"A": 1}, "env_production": {"A": 2}, "filter_env": True,
    "autostart": False,
    "autorestart": False, "stop_exit_codes": [3], "max_restarts": 5, "min_uptime": "9s", "restart_delay": 500,
    "exp_backoff_restart_delay": 70, "max_memory_restart": "9M", "cron_restart": "0 0 * * *", "watch": ["a"],
    "ignore_watch": ["b"], "watch_delay": 900, "kill_timeout": 700, "wait_ready": True, "listen_timeout": 5,
    "shutdown_with_message": True, "treekill": False, "out_file": "o.log", "error_file": "e.log",
    "log_file": "l.log",
    "merge_logs": True, "disable_logs": True, "log_type": "json", "time": True, "pid_file": "p",
    "uid": "daemon", "gid": 5,
    "namespace": "n", "port": 80, "vizion": False, "increment_var": "P", "name_prefix": "q-",
    "append_env_to_name": True,
    "env_file": ".env", "post_update": ["x"], "instance_var": "N",
}  # fmt: skip
ENTRY = {
    "working_dir": "/srv", "environment": ["A=1"], "env_file": "e", "log_location": "l.log", "disabled": True,
    "log_configuration": {"rotation": {"max_size_mb": 5}, "no_color": True}, "description": "d",
    "is_daemon": True,
    "availability": {"restart": "always", "backoff_seconds": 5, "max_restarts": 3, "exit_on_end": True,
    "odd": 1},
    "depends_on": {"b": {"condition": "process_completed", "odd": 1}}, "success_exit_codes": [3],
    "is_tty": True,
    "readiness_probe": {"exec": {"command": "x", "working_dir": "/"}, "period_seconds": 9,
    "success_threshold": 2, "odd": 1},
    "liveness_probe": {"http_get": {"port": 80, "odd": 1}, "initial_delay_seconds": 9},
    "ready_log_line": "up",
    "shutdown": {"signal": 2, "timeout_seconds": 3, "command": "c", "parent_only": True, "odd": 1},
    "namespace": "n",
    "replicas": 3, "schedule": {"cron": "0 0 * * *", "max_concurrent": 3}, "vars": {"A": 1},
    "is_elevated": True,
    "watch": {"paths": [{"path": "a", "include": ["b"]}], "debounce": "9s", "cascade": True},
    "extends": "b", "mcp": {},
    "launch_timeout_seconds": 3, "disable_ansi_colors": True, "is_template_disabled": True,
    "entrypoint": ["/bin/e"],
}  # fmt: skip
CONTAINER = {
    "image": "i", "build": ".", "working_dir": "/srv", "environment": {"A": 1, "B": None}, "env_file": "e",
    "user": "u",
    "ports": ["80"], "volumes": ["a:/b"], "networks": ["n"],
    "depends_on": {"b": {"condition": "service_healthy", "odd": 1}},
    "restart": "always", "stop_signal": "SIGINT", "stop_grace_period": "3s", "healthcheck": {"test": "t",
    "retries": 9, "odd": 1},
    "deploy": {"replicas": 2, "resources": {"limits": {"cpus": "1", "odd": 1}}, "placement": {}},
    "mem_limit": "9m",
    "cpus": 0.5, "pids_limit": 5, "ulimits": {"nofile": 9, "odd": 3}, "labels": {"a": "b"}, "profiles": ["p"],
    "cap_add": ["X"], "read_only": True, "tty": True, "logging": {}, "container_name": "n",
    "extends": {"service": "b"},
    "privileged": True, "tmpfs": "/t", "scale": 3, "entrypoint": "/e", "init": True, "hostname": "h",
}  # fmt: skip
WATCHER = {
    "args": "--x", "shell": "true", "working_dir": "/srv", "uid": "daemon", "gid": "x", "copy_env": "true",
    "priority": "3",
    "copy_path": "true", "virtualenv": "/v", "autostart": "false", "respawn": "false", "max_retry": "9",
    "numprocesses": "2",
    "singleton": "true", "warmup_delay": "3", "stop_signal": "INT", "graceful_timeout": "3",
    "stop_children": "false",
    "send_hup": "true", "max_age": "99", "max_age_variance": "9", "rlimit_nofile": "99", "rlimit_stack": "9",
    "stdout_stream.class": "TimedRotatingFileStream", "stdout_stream.filename": "/o",
    "stdout_stream.max_bytes": "9999",
    "stdout_stream.backup_count": "3", "stderr_stream.filename": "/e", "stderr_stream.max_bytes": "7",
    "use_sockets": "true",
    "on_demand": "true", "hooks.before_start": "a.b", "close_child_stdin": "false", "executable": "/x",
    "stdin_socket": "s",
}  # fmt: skip

OTHER = {"b": {"command": "/bin/b"}}
SAMPLES = {
    "supervisord": ToolSample("s.conf", PROGRAM, section("[program:a]\ncommand=/bin/a\n")),
    "supervisord itself": ToolSample("s.conf", OF_SUPERVISORD,
    section("[program:a]\ncommand=a\n[supervisord]\n")),
    "service": ToolSample("a.service", SERVICE, section("[Service]\nExecStart=/bin/a\n")),
    "unit": ToolSample("a.service", UNIT, section("[Service]\nExecStart=/bin/a\nRestart=always\n[Unit]\n")),
    "timer": ToolSample("a.timer", TIMER, section("[Timer]\n")),
    "pm2": ToolSample("e.json", APP, in_json(lambda keys: {"apps": [{"script": "./a.js", **keys}]})),
    "process-compose": ToolSample(
        "p.yaml", ENTRY, in_json(lambda keys: {"processes": {"a": {"command": "/bin/a", **keys}, **OTHER}})
    ),
    "compose": ToolSample(
        "c.yaml", CONTAINER, in_json(lambda keys: {"services": {"a": {"command": "/bin/a", **keys}, **OTHER}})
    ),
    "circus": ToolSample("c.ini", WATCHER, section("[watcher:a]\ncmd = /bin/a\n")),
}  # fmt: skip


def convert(sample: ToolSample, keys: Mapping[str, Any], folder: Path) -> Converted:
    (folder / "a.service").write_text("[Service]\nExecStart=/bin/a\n")
    for name in ("a.timer", "e.json"):
        (folder / name).unlink(missing_ok=True)
    (folder / sample.name).write_text(sample.text(keys))
    return reading.convert([str(folder / sample.name)], b"", "")


def is_told(key: str, value: Any, found: Converted) -> bool:
    return any(
        loss.key == key or loss.key.startswith((f"{key} ", f"{key}.", "[")) or ALSO.get(key) == loss.key
        for loss in found.losses
    )


AS_HERE = ("redirect_stderr", "stopasgroup")
"""Keys whose sample asks for what is so here by default, or there beside another."""
SAID_TWICE = {
    "CapabilityBoundingSet": "AmbientCapabilities", "AmbientCapabilities": "CapabilityBoundingSet",
    "mem_limit": "deploy", "cpus": "deploy", "pids_limit": "deploy",
}  # fmt: skip
"""Keys whose sample says what that of another key says, so that it makes no difference beside that."""
ALSO = {"uid": "user", "exec_mode": "exec_mode", "instances": "instances (cluster)"}


def inner(value: Any, above: str) -> list[str]:
    """The keys that nobody knows, wherever they are."""
    found: list[str] = []
    for key, one in value.items() if isinstance(value, dict) else ():
        found += [above] if key == "odd" else inner(one, f"{above}.{key}")
    return found


def check(sample: ToolSample, keys: list[str], folder: Path) -> None:
    chosen = {key: sample.keys[key] for key in keys}
    found = convert(sample, chosen, folder)
    for key in keys:
        without = convert(sample, {other: value for other, value in chosen.items() if other != key}, folder)
        changed = found.manifest != without.manifest
        repeats = SAID_TWICE.get(key) in chosen
        assert changed or repeats or key in AS_HERE or is_told(key, chosen[key], found), (
            f"{key} has disappeared beside {keys}"
        )
        for path in inner(chosen[key], key):
            told = [loss.key for loss in found.losses]
            assert any(one.startswith(f"{path}.odd") or one == f"[{path}]" or one == path for one in told), (
                path,
                told,
            )
    for loss in found.losses:
        assert loss.place.line >= 1 and loss.reason
    if UNKNOWN in keys:
        assert any(UNKNOWN in loss.key or loss.key.startswith("[") for loss in found.losses)


@pytest.mark.parametrize("tool", SAMPLES)
def test_no_single_key_disappears(tool: str, tmp_path: Path) -> None:
    sample = SAMPLES[tool]
    for key in sample.keys:
        check(sample, [key], tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("tool", SAMPLES)
@given(seed=st.integers(0, 10**9))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_key_disappears_beside_others(tool: str, tmp_path: Path, seed: int) -> None:
    sample = SAMPLES[tool]
    drawn = random.Random(seed)
    keys = [key for key in sample.keys if drawn.random() < drawn.choice([0.1, 0.4, 0.9])]
    drawn.shuffle(keys)
    check(sample, keys, tmp_path)
