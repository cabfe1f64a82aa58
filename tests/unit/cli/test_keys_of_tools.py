"""What becomes of each key of each tool: the field and its value, or the reason that is told with its line.

One line for each key, beside a smallest file of that tool. That no key at all disappears is a law of its own
(`property/test_converted.py`); here stands what each one means.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from pmon3.converting import Converted, reading
from pmon3_schema.process import ProcessSpec
from pmon3_schema.reading import read_value


class Is(NamedTuple):
    """A field that a key becomes, as the model reads it."""

    field: str
    value: Any


class Told(NamedTuple):
    """A part of the reason why a key is not carried."""

    reason: str


Row = tuple[Any, Is | Told]
Rows = Mapping[str, Row]
"""From the key to what is written, and what comes of it."""

SUPERVISORD: Rows = {
    "command": ('/bin/b "x y"', Is("args", ("x y",))),
    "process_name": ("other", Is("name", "other")),
    "numprocs": ("2\nprocess_name=%(process_num)d", Is("replicas", 2)),
    "numprocs_start": ("1", Told("no value has %(process_num)")),
    "priority": ("5", Told("the order of starts follows from `dependencies`")),
    "autostart": ("off", Is("autostart", False)),
    "startsecs": ("7", Is("ready.delay", 7.0)),
    "startretries": ("5", Is("restart.max_failures", 6)),
    "autorestart": ("true", Is("restart.policy", "always")),
    "exitcodes": ("0,2", Is("restart.success_exit_codes", (0, 2))),
    "stopsignal": ("3", Is("stop.signal", 3)),
    "stopwaitsecs": ("3", Is("stop.timeout", 3.0)),
    "stopasgroup": ("false", Is("stop.kill_group", False)),
    "killasgroup": ("true", Told("goes to the whole tree too")),
    "user": ("daemon", Is("user", "daemon")),
    "redirect_stderr": ("true\nstderr_logfile=/e", Told("does not use it with redirect_stderr=true")),
    "stdout_logfile": ("/o", Is("log", "/o")),
    "stderr_logfile": ("NONE", Is("stderr_log", "/dev/null")),
    "stdout_logfile_maxbytes": ("1MB", Is("log_rotate.size", 1 << 20)),
    "stdout_logfile_backups": ("2", Is("log_rotate.keep", 2)),
    "stderr_logfile_maxbytes": ("1MB", Told("both logs are rotated alike")),
    "stdout_syslog": ("true", Told("nothing is written to syslog")),
    "stdout_capture_maxbytes": ("1MB", Told("protocol of events")),
    "stderr_events_enabled": ("true", Told("protocol of events")),
    "environment": ('A="x,y",B=%(here)s', Is("env_vars", {"A": "x,y", "B": "HERE"})),
    "directory": ("/srv", Is("cwd", "/srv")),
    "umask": ("027", Is("umask", 0o27)),
    "serverurl": ("http://x", Told("no supervisord to speak to")),
}
"""Of `[program:x]`."""
SUPERVISORD_ITSELF: Rows = {
    "user": ("daemon", Is("user", "daemon")),
    "umask": ("027", Is("umask", 0o27)),
    "directory": ("/srv", Is("cwd", "/srv")),
    "environment": ('A="1"', Is("env_vars", {"A": "1"})),
    "childlogdir": ("/c", Told("see `log_dir`")),
    "minfds": ("99", Told("see `limits.nofile`")),
    "minprocs": ("99", Told("see `limits.nproc`")),
    "logfile": ("/l", Told("about supervisord itself")),
    "nodaemon": ("true", Told("about supervisord itself")),
}
PM2: Rows = {
    "name": ("other", Is("name", "other")),
    "name_prefix": ("x-", Is("name", "x-a")),
    "args": ("--a 'b c'", Is("args", ("./a.js", "--a", "b c"))),
    "interpreter": ("/bin/n", Is("file", "/bin/n")),
    "node_args": (["--x"], Is("args", ("--x", "./a.js"))),
    "cwd": ("/srv", Is("cwd", "/srv")),
    "instances": (3, Is("replicas", 3)),
    "exec_mode": ("cluster", Told("copies do not share a port")),
    "instance_var": ("N", Told("there is one copy")),
    "increment_var": ("P", Told("no variable is counted up")),
    "env": ({"A": True}, Is("env_vars", {"A": "true"})),
    "filter_env": (True, Told("see `env_inherit`")),
    "env_file": ("e", Is("env_file", ("./e",))),
    "autostart": (False, Is("autostart", False)),
    "autorestart": (False, Is("restart.policy", "never")),
    "stop_exit_codes": ([3], Is("restart.no_restart_exit_codes", (3,))),
    "max_restarts": (5, Is("restart.max_failures", 5)),
    "min_uptime": ("2s", Is("restart.window", 32.0)),
    "restart_delay": (500, Is("restart.delay", 0.5)),
    "exp_backoff_restart_delay": (70, Is("restart.max_delay", 15.0)),
    "max_memory_restart": ("9M", Is("restart.above_memory", 9 << 20)),
    "cron_restart": ("0 0 * * *", Told("not restarted by the clock")),
    "watch": (["w"], Is("watch.paths", ("./w",))),
    "ignore_watch": (["b"], Told("nothing is watched")),
    "watch_options": ({}, Told("watching has no such options")),
    "kill_timeout": (500, Is("stop.timeout", 0.5)),
    "shutdown_with_message": (True, Told("cannot be sent")),
    "wait_ready": (True, Told("is not heard")),
    "listen_timeout": (5, Told("is not heard")),
    "treekill": (False, Is("stop.kill_group", False)),
    "out_file": ("/o", Is("log", "/o")),
    "error_file": ("NULL", Is("stderr_log", "/dev/null")),
    "log_file": ("/l", Told("there is one log")),
    "disable_logs": (True, Is("log", "/dev/null")),
    "merge_logs": (True, Told("it changes nothing")),
    "log_type": ("json", Told("as the program writes them")),
    "pid_file": ("p", Told("no file with the pid")),
    "uid": ("daemon", Is("user", "daemon")),
    "gid": (5, Told("the main one of `user`")),
    "namespace": ("n", Is("groups", ("n",))),
    "port": (80, Is("env_vars", {"PORT": "80"})),
    "vizion": (False, Told("about pm2 itself")),
}
PROCESS_COMPOSE: Rows = {
    "command": ("a | b", Is("args", ("-c", "a | b"))),
    "entrypoint": (["/e", "x"], Is("args", ("x",))),
    "working_dir": ("/srv", Is("cwd", "/srv")),
    "environment": (["A=1"], Is("env_vars", {"A": "1"})),
    "env_file": ("/e", Is("env_file", ("/e",))),
    "log_location": ("/l", Is("log", "/l")),
    "log_configuration": ({"rotation": {"max_backups": 4}}, Is("log_rotate.keep", 4)),
    "disabled": (True, Is("autostart", False)),
    "availability": ({"restart": "on_failure"}, Is("restart.policy", "on-failure")),
    "success_exit_codes": ([0, 3], Is("restart.success_exit_codes", (0, 3))),
    "readiness_probe": ({"exec": {"command": "x"}}, Is("ready.exec", ("/bin/bash", "-c", "x"))),
    "liveness_probe": ({"http_get": {"port": 80}}, Is("live.http.url", "http://127.0.0.1:80/")),
    "ready_log_line": ("up.", Is("ready.log", "up\\.")),
    "shutdown": ({"signal": 2}, Is("stop.signal", 2)),
    "is_daemon": (True, Told("what goes into the background is ended here")),
    "is_foreground": (True, Told("no screen")),
    "is_elevated": (True, Told("see `user`")),
    "namespace": (["n", "m"], Is("groups", ("n", "m"))),
    "replicas": (3, Is("replicas", 3)),
    "schedule": ({"cron": "0 0 * * *"}, Is("schedule.cron", "0 0 * * *")),
    "watch": ({"paths": [{"path": "/w"}]}, Is("watch.paths", ("/w",))),
    "vars": ({"A": 1}, Told("templates ({{ }}) are not filled in")),
    "extends": ("b", Told("takes nothing over from others")),
    "description": ("d", Is("description", "d")),
    "mcp": ({}, Told("no screen")),
}
CIRCUS: Rows = {
    "cmd": ("/bin/b 'x y'", Is("args", ("x y",))),
    "args": ("--x", Is("args", ("--x",))),
    "shell": ("true", Told("circus quotes every word for the shell")),
    "working_dir": ("/srv", Is("cwd", "/srv")),
    "uid": ("daemon", Is("user", "daemon")),
    "gid": ("x", Told("the main one of `user`")),
    "copy_env": ("true", Is("env_inherit", True)),
    "copy_path": ("true", Told("set PYTHONPATH")),
    "virtualenv": ("/v", Told("not changed for a virtual environment")),
    "autostart": ("false", Is("autostart", False)),
    "respawn": ("false", Is("restart.policy", "never")),
    "max_retry": ("9", Told("see `restart.max_failures`")),
    "numprocesses": ("2", Is("replicas", 2)),
    "singleton": ("true", Told("one process anyway")),
    "warmup_delay": ("3", Told("see `dependencies`")),
    "priority": ("3", Told("follows from `dependencies`")),
    "stop_signal": ("INT", Is("stop.signal", 2)),
    "graceful_timeout": ("3", Is("stop.timeout", 3.0)),
    "stop_children": ("false", Is("stop.kill_group", False)),
    "send_hup": ("true", Told("on_change: signal")),
    "max_age": ("99", Is("max_runtime", 99.0)),
    "rlimit_nofile": ("99", Is("limits.nofile", 99)),
    "rlimit_stack": ("9", Told("this limit cannot be set")),
    "stdout_stream.filename": ("/o", Is("log", "/o")),
    "stdout_stream.max_bytes": ("9999", Is("log_rotate.size", 9999)),
    "stdout_stream.backup_count": ("3", Is("log_rotate.keep", 3)),
    "stderr_stream.filename": ("/e", Is("stderr_log", "/e")),
    "stdout_stream.class": ("StdoutStream", Told("goes to its log")),
    "close_child_stdin": ("false", Told("standard input is /dev/null")),
    "use_sockets": ("true", Told("sockets are not handed")),
    "on_demand": ("true", Told("sockets are not handed")),
    "hooks.before_start": ("a.b", Told("functions of Python")),
}
COMPOSE: Rows = {
    "command": ("/bin/b x", Is("args", ("x",))),
    "entrypoint": (["/e"], Is("file", "/e")),
    "image": ("i:1", Is("container.image", "i:1")),
    "working_dir": ("/srv", Is("cwd", "/srv")),
    "environment": ({"PATH": "/p", "A": 1}, Is("env_vars", {"PATH": "/p", "A": "1"})),
    "env_file": ("/e", Is("env_file", ("/e",))),
    "user": ("u", Is("user", "u")),
    "restart": ("unless-stopped", Is("restart.policy", "always")),
    "stop_signal": ("SIGINT", Is("stop.signal", 2)),
    "stop_grace_period": ("1m30s", Is("stop.timeout", 90.0)),
    "healthcheck": ({"test": ["CMD", "t"]}, Is("ready.exec", ("t",))),
    "scale": (0, Is("replicas", 0)),
    "deploy": ({"replicas": 2}, Is("replicas", 2)),
    "mem_limit": ("9m", Is("resources.memory_max", 9 << 20)),
    "cpus": (0.5, Is("resources.cpu", 0.5)),
    "pids_limit": (5, Is("resources.tasks_max", 5)),
    "ulimits": ({"nofile": 9}, Is("limits.nofile", 9)),
    "labels": ({"a": "b"}, Is("labels", {"a": "b"})),
    "profiles": (["p"], Is("profiles", ("p",))),
    "ports": (["80"], Told("the network of this machine")),
    "volumes": (["a:/b"], Told("the folders of this machine")),
    "cap_add": (["X"], Told("see `sandbox`")),
    "extends": ({"service": "b"}, Told("takes nothing over from others")),
    "tty": (True, Told("there is no terminal")),
}
SYSTEMD: Rows = {
    "Type": ("notify", Is("ready.notify", True)),
    "ExecStart": ("\nExecStart=/bin/b 'x y'", Is("args", ("x y",))),
    "ExecStartPre": ("-/bin/p", Is("hooks.pre_start", (("/bin/sh", "-c", "/bin/p || true"),))),
    "ExecStartPost": ("/bin/sleep 3", Is("ready.delay", 3.0)),
    "ExecReload": ("/bin/kill -USR1 $MAINPID", Is("reload.signal", 10)),
    "ExecStop": ("/bin/p", Told("no field `stop.command`")),
    "ExecStopPost": ("/bin/p", Is("hooks.post_stop", (("/bin/p",),))),
    "ExecCondition": ("/bin/p", Told("a start has no conditions")),
    "WorkingDirectory": ("~", Is("cwd", "/root")),
    "Environment": ('"A=x y" PATH=/p', Is("env_vars", {"A": "x y", "PATH": "/p"})),
    "EnvironmentFile": ("/e", Is("env_file", ("/e",))),
    "PassEnvironment": ("B", Told("write it into `env_vars`")),
    "UnsetEnvironment": ("C", Told("nothing is inherited")),
    "User": ("daemon", Is("user", "daemon")),
    "Group": ("x", Told("the main one of `user`")),
    "SupplementaryGroups": ("y", Told("the groups are those of `user`")),
    "UMask": ("0077", Is("umask", 0o77)),
    "StandardOutput": ("append:/o", Is("log", "/o")),
    "StandardError": ("null", Is("stderr_log", "/dev/null")),
    "Restart": ("on-failure", Is("restart.policy", "on-failure")),
    "SuccessExitStatus": ("TEMPFAIL", Is("restart.success_exit_codes", (0, 75))),
    "RestartPreventExitStatus": ("4", Is("restart.no_restart_exit_codes", (4,))),
    "RestartForceExitStatus": ("5", Told("no exit code forces a restart")),
    "KillSignal": ("SIGINT", Is("stop.signal", 2)),
    "KillMode": ("process", Is("stop.kill_group", False)),
    "TimeoutStopSec": ("1min 5s", Is("stop.timeout", 65.0)),
    "TimeoutSec": ("9", Is("stop.timeout", 9.0)),
    "FinalKillSignal": ("SIGQUIT", Told("ended with SIGKILL")),
    "SendSIGKILL": ("no", Told("ended with SIGKILL")),
    "WatchdogSec": ("9", Is("live.interval", 9.0)),
    "RuntimeMaxSec": ("9", Is("max_runtime", 9.0)),
    "LimitNOFILE": ("99", Is("limits.nofile", 99)),
    "LimitCPU": ("1min", Is("limits.cpu_seconds", 60)),
    "LimitAS": ("1K", Is("limits.memory", 1024)),
    "LimitSTACK": ("9", Told("there is no counterpart")),
    "MemoryMax": ("1G", Is("resources.memory_max", 1 << 30)),
    "MemoryHigh": ("1M", Is("resources.memory_high", 1 << 20)),
    "CPUQuota": ("150%", Is("resources.cpu", 1.5)),
    "CPUWeight": ("50", Is("resources.cpu_weight", 50)),
    "TasksMax": ("9", Is("resources.tasks_max", 9)),
    "IOWeight": ("9", Is("resources.io_weight", 9)),
    "Nice": ("3", Is("priority", 3)),
    "OOMScoreAdjust": ("5", Told("only the nice value is set")),
    "CPUAffinity": ("1", Told("only the nice value is set")),
    "NoNewPrivileges": ("yes", Is("sandbox.no_new_privileges", True)),
    "PrivateTmp": ("yes", Is("sandbox.private_tmp", True)),
    "PrivateNetwork": ("yes", Is("sandbox.network", "none")),
    "ProtectSystem": ("full", Is("sandbox.read_only", ("/usr", "/boot", "/etc"))),
    "ProtectHome": ("yes", Is("sandbox.hidden", ("/home", "/root", "/run/user"))),
    "CapabilityBoundingSet": ("\nCapabilityBoundingSet=", Is("sandbox.capabilities", ())),
    "SystemCallFilter": ("@x", Told("see `sandbox`")),
    "DynamicUser": ("yes", Told("see `sandbox`")),
    "StateDirectory": ("x", Told("folders are not made")),
    "LoadCredential": ("a:b", Told("credentials are not handed over")),
}
"""Of `[Service]`."""
UNIT: Rows = {
    "Description": ("50%% of it", Is("description", "50% of it")),
    "Documentation": ("man:x", Is("labels", {"documentation": "man:x"})),
    "After": ("x.service", Told("no process of this input")),
    "Wants": ("x.service", Told("every process starts for itself")),
    "Requires": ("x.service", Told("no process of this input")),
    "Conflicts": ("x.service", Told("do not exclude each other")),
    "OnFailure": ("x.service", Told("see the event handlers")),
    "Upholds": ("x.service", Told("kept running for itself")),
    "StartLimitBurst": ("3", Is("restart.max_failures", 3)),
    "StartLimitIntervalSec": ("1min", Is("restart.window", 60.0)),
    "ConditionPathExists": ("/x", Told("a start has no conditions")),
}


def in_section(head: str) -> Callable[[str, Any], str]:
    return lambda key, value: f"{head}{key}={value}\n"


def in_json(around: Callable[[dict[str, Any]], Any]) -> Callable[[str, Any], str]:
    return lambda key, value: json.dumps(around({key: value}))


TOOLS: dict[str, tuple[str, Rows, Callable[[str, Any], str]]] = {
    "supervisord": ("s.conf", SUPERVISORD, lambda key, value: (
        f"[program:a]\n{key}={value}\n" + ("" if key == "command" else "command=/bin/a\n")
    )),
    "supervisord itself": (
        "s.conf", SUPERVISORD_ITSELF, in_section("[program:a]\ncommand=/bin/a\n[supervisord]\n"),
    ),
    "pm2": ("e.json", PM2, in_json(lambda said: {"apps": [{"script": "./a.js", **said}]})),
    "process-compose": (
        "process-compose.json", PROCESS_COMPOSE,
        in_json(lambda said: {"processes": {"a": {"command": "/bin/a", **said}}}),
    ),
    "circus": ("c.ini", CIRCUS, lambda key, value: (
        f"[watcher:a]\n{key} = {value}\n" + ("" if key == "cmd" else "cmd = /bin/a\n")
    )),
    "compose": (
        "compose.json", COMPOSE,
        in_json(lambda said: {"services": {"a": {"command": "/bin/a", **said}}}),
    ),
    "systemd": ("a.service", SYSTEMD, in_section("[Service]\nExecStart=/bin/a\n")),
    "unit": ("a.service", UNIT, in_section("[Service]\nExecStart=/bin/a\nRestart=always\n[Unit]\n")),
}  # fmt: skip


def rows() -> Iterator[Any]:
    for tool, (file, table, text) in TOOLS.items():
        for key, (value, wanted) in table.items():
            yield pytest.param(file, key, text(key, value), wanted, id=f"{tool}-{key}")


@pytest.mark.parametrize(("file", "key", "text", "wanted"), list(rows()))
def test_a_key_means_the_same_or_is_told(
    file: str, key: str, text: str, wanted: Is | Told, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / file).write_text(text)
    found: Converted = reading.convert([file], b"", "compose" if file == "compose.json" else "")
    if isinstance(wanted, Told):
        assert any(wanted.reason in str(loss) and loss.place.line for loss in found.losses), found.losses
        return
    value: Any = read_value(ProcessSpec, found.manifest["processes"][0])
    for part in wanted.field.split("."):
        value = getattr(value, part)
    expected = wanted.value
    if isinstance(expected, dict):
        inherited = {"PATH": value["PATH"]} if "PATH" in value and "PATH" not in expected else {}
        expected = {k: v.replace("HERE", str(tmp_path)) for k, v in expected.items()} | inherited
    assert value == expected
    assert not [loss for loss in found.losses if loss.key == key and key != "image"]
