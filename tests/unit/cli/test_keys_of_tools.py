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


class Becomes(NamedTuple):
    """A field that a key becomes, as the model reads it."""

    field: str
    value: Any


class LeftWith(NamedTuple):
    """A part of the reason why a key is not carried."""

    reason: str


Row = tuple[Any, Becomes | LeftWith]
Rows = Mapping[str, Row]
"""From the key to what is written, and what comes of it."""

SUPERVISORD: Rows = {
    "command": ('/bin/b "x y"', Becomes("args", ("x y",))),
    "process_name": ("other", Becomes("name", "other")),
    "numprocs": ("2\nprocess_name=%(process_num)d", Becomes("replicas", 2)),
    "numprocs_start": ("1", LeftWith("no value has %(process_num)")),
    "priority": ("5", LeftWith("the order of starts follows from `dependencies`")),
    "autostart": ("off", Becomes("autostart", False)),
    "startsecs": ("7", Becomes("ready.delay", 7.0)),
    "startretries": ("5", Becomes("restart.max_failures", 6)),
    "autorestart": ("true", Becomes("restart.policy", "always")),
    "exitcodes": ("0,2", Becomes("restart.success_exit_codes", (0, 2))),
    "stopsignal": ("3", Becomes("stop.signal", 3)),
    "stopwaitsecs": ("3", Becomes("stop.timeout", 3.0)),
    "stopasgroup": ("false", Becomes("stop.kill_group", False)),
    "killasgroup": ("true", LeftWith("goes to the whole tree too")),
    "user": ("daemon", Becomes("user", "daemon")),
    "redirect_stderr": ("true\nstderr_logfile=/e", LeftWith("does not use it with redirect_stderr=true")),
    "stdout_logfile": ("/o", Becomes("log", "/o")),
    "stderr_logfile": ("NONE", Becomes("stderr_log", "/dev/null")),
    "stdout_logfile_maxbytes": ("1MB", Becomes("log_rotate.size", 1 << 20)),
    "stdout_logfile_backups": ("2", Becomes("log_rotate.keep", 2)),
    "stderr_logfile_maxbytes": ("1MB", LeftWith("both logs are rotated alike")),
    "stdout_syslog": ("true", LeftWith("nothing is written to syslog")),
    "stdout_capture_maxbytes": ("1MB", LeftWith("protocol of events")),
    "stderr_events_enabled": ("true", LeftWith("protocol of events")),
    "environment": ('A="x,y",B=%(here)s', Becomes("env_vars", {"A": "x,y", "B": "HERE"})),
    "directory": ("/srv", Becomes("cwd", "/srv")),
    "umask": ("027", Becomes("umask", 0o27)),
    "serverurl": ("http://x", LeftWith("no supervisord to speak to")),
}
"""Of `[program:x]`."""
SUPERVISORD_ITSELF: Rows = {
    "user": ("daemon", Becomes("user", "daemon")),
    "umask": ("027", Becomes("umask", 0o27)),
    "directory": ("/srv", Becomes("cwd", "/srv")),
    "environment": ('A="1"', Becomes("env_vars", {"A": "1"})),
    "childlogdir": ("/c", LeftWith("see `log_dir`")),
    "minfds": ("99", LeftWith("see `limits.nofile`")),
    "minprocs": ("99", LeftWith("see `limits.nproc`")),
    "logfile": ("/l", LeftWith("about supervisord itself")),
    "nodaemon": ("true", LeftWith("about supervisord itself")),
}
PM2: Rows = {
    "name": ("other", Becomes("name", "other")),
    "name_prefix": ("x-", Becomes("name", "x-a")),
    "args": ("--a 'b c'", Becomes("args", ("./a.js", "--a", "b c"))),
    "interpreter": ("/bin/n", Becomes("file", "/bin/n")),
    "node_args": (["--x"], Becomes("args", ("--x", "./a.js"))),
    "cwd": ("/srv", Becomes("cwd", "/srv")),
    "instances": (3, Becomes("replicas", 3)),
    "exec_mode": ("cluster", LeftWith("copies do not share a port")),
    "instance_var": ("N", LeftWith("there is one copy")),
    "increment_var": ("P", LeftWith("no variable is counted up")),
    "env": ({"A": True}, Becomes("env_vars", {"A": "true"})),
    "filter_env": (True, LeftWith("see `env_inherit`")),
    "env_file": ("e", Becomes("env_file", ("./e",))),
    "autostart": (False, Becomes("autostart", False)),
    "autorestart": (False, Becomes("restart.policy", "never")),
    "stop_exit_codes": ([3], Becomes("restart.no_restart_exit_codes", (3,))),
    "max_restarts": (5, Becomes("restart.max_failures", 5)),
    "min_uptime": ("2s", Becomes("restart.window", 32.0)),
    "restart_delay": (500, Becomes("restart.delay", 0.5)),
    "exp_backoff_restart_delay": (70, Becomes("restart.max_delay", 15.0)),
    "max_memory_restart": ("9M", Becomes("restart.above_memory", 9 << 20)),
    "cron_restart": ("0 0 * * *", LeftWith("not restarted by the clock")),
    "watch": (["w"], Becomes("watch.paths", ("./w",))),
    "ignore_watch": (["b"], LeftWith("nothing is watched")),
    "watch_options": ({}, LeftWith("watching has no such options")),
    "kill_timeout": (500, Becomes("stop.timeout", 0.5)),
    "shutdown_with_message": (True, LeftWith("cannot be sent")),
    "wait_ready": (True, LeftWith("is not heard")),
    "listen_timeout": (5, LeftWith("is not heard")),
    "treekill": (False, Becomes("stop.kill_group", False)),
    "out_file": ("/o", Becomes("log", "/o")),
    "error_file": ("NULL", Becomes("stderr_log", "/dev/null")),
    "log_file": ("/l", LeftWith("there is one log")),
    "disable_logs": (True, Becomes("log", "/dev/null")),
    "merge_logs": (True, LeftWith("it changes nothing")),
    "log_type": ("json", LeftWith("as the program writes them")),
    "pid_file": ("p", LeftWith("no file with the pid")),
    "uid": ("daemon", Becomes("user", "daemon")),
    "gid": (5, LeftWith("the main one of `user`")),
    "namespace": ("n", Becomes("groups", ("n",))),
    "port": (80, Becomes("env_vars", {"PORT": "80"})),
    "vizion": (False, LeftWith("about pm2 itself")),
}
PROCESS_COMPOSE: Rows = {
    "command": ("a | b", Becomes("args", ("-c", "a | b"))),
    "entrypoint": (["/e", "x"], Becomes("args", ("x",))),
    "working_dir": ("/srv", Becomes("cwd", "/srv")),
    "environment": (["A=1"], Becomes("env_vars", {"A": "1"})),
    "env_file": ("/e", Becomes("env_file", ("/e",))),
    "log_location": ("/l", Becomes("log", "/l")),
    "log_configuration": ({"rotation": {"max_backups": 4}}, Becomes("log_rotate.keep", 4)),
    "disabled": (True, Becomes("autostart", False)),
    "availability": ({"restart": "on_failure"}, Becomes("restart.policy", "on-failure")),
    "success_exit_codes": ([0, 3], Becomes("restart.success_exit_codes", (0, 3))),
    "readiness_probe": ({"exec": {"command": "x"}}, Becomes("ready.exec", ("/bin/bash", "-c", "x"))),
    "liveness_probe": ({"http_get": {"port": 80}}, Becomes("live.http.url", "http://127.0.0.1:80/")),
    "ready_log_line": ("up.", Becomes("ready.log", "up\\.")),
    "shutdown": ({"signal": 2}, Becomes("stop.signal", 2)),
    "is_daemon": (True, LeftWith("what goes into the background is ended here")),
    "is_foreground": (True, LeftWith("no screen")),
    "is_elevated": (True, LeftWith("see `user`")),
    "namespace": (["n", "m"], Becomes("groups", ("n", "m"))),
    "replicas": (3, Becomes("replicas", 3)),
    "schedule": ({"cron": "0 0 * * *"}, Becomes("schedule.cron", "0 0 * * *")),
    "watch": ({"paths": [{"path": "/w"}]}, Becomes("watch.paths", ("/w",))),
    "vars": ({"A": 1}, LeftWith("templates ({{ }}) are not filled in")),
    "extends": ("b", LeftWith("takes nothing over from others")),
    "description": ("d", Becomes("description", "d")),
    "mcp": ({}, LeftWith("no screen")),
}
CIRCUS: Rows = {
    "cmd": ("/bin/b 'x y'", Becomes("args", ("x y",))),
    "args": ("--x", Becomes("args", ("--x",))),
    "shell": ("true", LeftWith("circus quotes every word for the shell")),
    "working_dir": ("/srv", Becomes("cwd", "/srv")),
    "uid": ("daemon", Becomes("user", "daemon")),
    "gid": ("x", LeftWith("the main one of `user`")),
    "copy_env": ("true", Becomes("env_inherit", True)),
    "copy_path": ("true", LeftWith("set PYTHONPATH")),
    "virtualenv": ("/v", LeftWith("not changed for a virtual environment")),
    "autostart": ("false", Becomes("autostart", False)),
    "respawn": ("false", Becomes("restart.policy", "never")),
    "max_retry": ("9", LeftWith("see `restart.max_failures`")),
    "numprocesses": ("2", Becomes("replicas", 2)),
    "singleton": ("true", LeftWith("one process anyway")),
    "warmup_delay": ("3", LeftWith("see `dependencies`")),
    "priority": ("3", LeftWith("follows from `dependencies`")),
    "stop_signal": ("INT", Becomes("stop.signal", 2)),
    "graceful_timeout": ("3", Becomes("stop.timeout", 3.0)),
    "stop_children": ("false", Becomes("stop.kill_group", False)),
    "send_hup": ("true", LeftWith("on_change: signal")),
    "max_age": ("99", Becomes("max_runtime", 99.0)),
    "rlimit_nofile": ("99", Becomes("limits.nofile", 99)),
    "rlimit_stack": ("9", LeftWith("this limit cannot be set")),
    "stdout_stream.filename": ("/o", Becomes("log", "/o")),
    "stdout_stream.max_bytes": ("9999", Becomes("log_rotate.size", 9999)),
    "stdout_stream.backup_count": ("3", Becomes("log_rotate.keep", 3)),
    "stderr_stream.filename": ("/e", Becomes("stderr_log", "/e")),
    "stdout_stream.class": ("StdoutStream", LeftWith("goes to its log")),
    "close_child_stdin": ("false", LeftWith("standard input is /dev/null")),
    "use_sockets": ("true", LeftWith("sockets are not handed")),
    "on_demand": ("true", LeftWith("sockets are not handed")),
    "hooks.before_start": ("a.b", LeftWith("functions of Python")),
}
COMPOSE: Rows = {
    "command": ("/bin/b x", Becomes("args", ("x",))),
    "entrypoint": (["/e"], Becomes("file", "/e")),
    "image": ("i:1", Becomes("container.image", "i:1")),
    "working_dir": ("/srv", Becomes("cwd", "/srv")),
    "environment": ({"PATH": "/p", "A": 1}, Becomes("env_vars", {"PATH": "/p", "A": "1"})),
    "env_file": ("/e", Becomes("env_file", ("/e",))),
    "user": ("u", Becomes("user", "u")),
    "restart": ("unless-stopped", Becomes("restart.policy", "always")),
    "stop_signal": ("SIGINT", Becomes("stop.signal", 2)),
    "stop_grace_period": ("1m30s", Becomes("stop.timeout", 90.0)),
    "healthcheck": ({"test": ["CMD", "t"]}, Becomes("ready.exec", ("t",))),
    "scale": (0, Becomes("replicas", 0)),
    "deploy": ({"replicas": 2}, Becomes("replicas", 2)),
    "mem_limit": ("9m", Becomes("resources.memory_max", 9 << 20)),
    "cpus": (0.5, Becomes("resources.cpu", 0.5)),
    "pids_limit": (5, Becomes("resources.tasks_max", 5)),
    "ulimits": ({"nofile": 9}, Becomes("limits.nofile", 9)),
    "labels": ({"a": "b"}, Becomes("labels", {"a": "b"})),
    "profiles": (["p"], Becomes("profiles", ("p",))),
    "ports": (["80"], LeftWith("the network of this machine")),
    "volumes": (["a:/b"], LeftWith("the folders of this machine")),
    "cap_add": (["X"], LeftWith("see `sandbox`")),
    "extends": ({"service": "b"}, LeftWith("takes nothing over from others")),
    "tty": (True, LeftWith("there is no terminal")),
}
SYSTEMD: Rows = {
    "Type": ("notify", Becomes("ready.notify", True)),
    "ExecStart": ("\nExecStart=/bin/b 'x y'", Becomes("args", ("x y",))),
    "ExecStartPre": ("-/bin/p", Becomes("hooks.pre_start", (("/bin/sh", "-c", "/bin/p || true"),))),
    "ExecStartPost": ("/bin/sleep 3", Becomes("ready.delay", 3.0)),
    "ExecReload": ("/bin/kill -USR1 $MAINPID", Becomes("reload.signal", 10)),
    "ExecStop": ("/bin/p", LeftWith("no field `stop.command`")),
    "ExecStopPost": ("/bin/p", Becomes("hooks.post_stop", (("/bin/p",),))),
    "ExecCondition": ("/bin/p", LeftWith("a start has no conditions")),
    "WorkingDirectory": ("~", Becomes("cwd", "/root")),
    "Environment": ('"A=x y" PATH=/p', Becomes("env_vars", {"A": "x y", "PATH": "/p"})),
    "EnvironmentFile": ("/e", Becomes("env_file", ("/e",))),
    "PassEnvironment": ("B", LeftWith("write it into `env_vars`")),
    "UnsetEnvironment": ("C", LeftWith("nothing is inherited")),
    "User": ("daemon", Becomes("user", "daemon")),
    "Group": ("x", LeftWith("the main one of `user`")),
    "SupplementaryGroups": ("y", LeftWith("the groups are those of `user`")),
    "UMask": ("0077", Becomes("umask", 0o77)),
    "StandardOutput": ("append:/o", Becomes("log", "/o")),
    "StandardError": ("null", Becomes("stderr_log", "/dev/null")),
    "Restart": ("on-failure", Becomes("restart.policy", "on-failure")),
    "SuccessExitStatus": ("TEMPFAIL", Becomes("restart.success_exit_codes", (0, 75))),
    "RestartPreventExitStatus": ("4", Becomes("restart.no_restart_exit_codes", (4,))),
    "RestartForceExitStatus": ("5", LeftWith("no exit code forces a restart")),
    "KillSignal": ("SIGINT", Becomes("stop.signal", 2)),
    "KillMode": ("process", Becomes("stop.kill_group", False)),
    "TimeoutStopSec": ("1min 5s", Becomes("stop.timeout", 65.0)),
    "TimeoutSec": ("9", Becomes("stop.timeout", 9.0)),
    "FinalKillSignal": ("SIGQUIT", LeftWith("ended with SIGKILL")),
    "SendSIGKILL": ("no", LeftWith("ended with SIGKILL")),
    "WatchdogSec": ("9", Becomes("live.interval", 9.0)),
    "RuntimeMaxSec": ("9", Becomes("max_runtime", 9.0)),
    "LimitNOFILE": ("99", Becomes("limits.nofile", 99)),
    "LimitCPU": ("1min", Becomes("limits.cpu_seconds", 60)),
    "LimitAS": ("1K", Becomes("limits.memory", 1024)),
    "LimitSTACK": ("9", LeftWith("there is no counterpart")),
    "MemoryMax": ("1G", Becomes("resources.memory_max", 1 << 30)),
    "MemoryHigh": ("1M", Becomes("resources.memory_high", 1 << 20)),
    "CPUQuota": ("150%", Becomes("resources.cpu", 1.5)),
    "CPUWeight": ("50", Becomes("resources.cpu_weight", 50)),
    "TasksMax": ("9", Becomes("resources.tasks_max", 9)),
    "IOWeight": ("9", Becomes("resources.io_weight", 9)),
    "Nice": ("3", Becomes("priority", 3)),
    "OOMScoreAdjust": ("5", LeftWith("only the nice value is set")),
    "CPUAffinity": ("1", LeftWith("only the nice value is set")),
    "NoNewPrivileges": ("yes", Becomes("sandbox.no_new_privileges", True)),
    "PrivateTmp": ("yes", Becomes("sandbox.private_tmp", True)),
    "PrivateNetwork": ("yes", Becomes("sandbox.network", "none")),
    "ProtectSystem": ("full", Becomes("sandbox.read_only", ("/usr", "/boot", "/etc"))),
    "ProtectHome": ("yes", Becomes("sandbox.hidden", ("/home", "/root", "/run/user"))),
    "CapabilityBoundingSet": ("\nCapabilityBoundingSet=", Becomes("sandbox.capabilities", ())),
    "SystemCallFilter": ("@x", LeftWith("see `sandbox`")),
    "DynamicUser": ("yes", LeftWith("see `sandbox`")),
    "StateDirectory": ("x", LeftWith("folders are not made")),
    "LoadCredential": ("a:b", LeftWith("credentials are not handed over")),
}
"""Of `[Service]`."""
UNIT: Rows = {
    "Description": ("50%% of it", Becomes("description", "50% of it")),
    "Documentation": ("man:x", Becomes("labels", {"documentation": "man:x"})),
    "After": ("x.service", LeftWith("no process of this input")),
    "Wants": ("x.service", LeftWith("every process starts for itself")),
    "Requires": ("x.service", LeftWith("no process of this input")),
    "Conflicts": ("x.service", LeftWith("do not exclude each other")),
    "OnFailure": ("x.service", LeftWith("see the event handlers")),
    "Upholds": ("x.service", LeftWith("kept running for itself")),
    "StartLimitBurst": ("3", Becomes("restart.max_failures", 3)),
    "StartLimitIntervalSec": ("1min", Becomes("restart.window", 60.0)),
    "ConditionPathExists": ("/x", LeftWith("a start has no conditions")),
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
    file: str,
    key: str,
    text: str,
    wanted: Becomes | LeftWith,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / file).write_text(text)
    found: Converted = reading.convert([file], b"", "compose" if file == "compose.json" else "")
    if isinstance(wanted, LeftWith):
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
