"""Units of systemd: a service for each process, and a timer for one with a schedule."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from pmon3.export_targets.leaving import Leaving
from pmon3.export_targets.systemd_order import order_of
from pmon3.export_targets.systemd_timer import timer_of
from pmon3.export_targets.unit_text import (
    Lines,
    cannot_be_said,
    command_line,
    in_one_line,
    quoted,
    time_span,
    to_the_end,
    unit_name,
    unit_text,
)
from pmon3_schema.scalars import signal_name

_WHY = {
    "groups": "units have no groups",
    "labels": "units have no labels",
    "watch": "no file is watched (see systemd.path)",
    "on_change": "no file is watched (see systemd.path)",
    "log_rotate": "logs are not rotated (see logrotate)",
    "live": "nothing looks whether it still lives, but its own watchdog",
    "ready": "a service is ready when it says so itself (`ready.notify`), or after a time",
    "exit_on_end": "systemd does not end with a service",
    "restart": "delays do not grow",
    "hooks": "it has no such hook",
    "replicas": "a template would have to be written",
}
_LIMITS = {"nofile": "NOFILE", "memory": "AS", "cpu_seconds": "CPU", "core": "CORE", "nproc": "NPROC"}
_RESOURCES = {
    "memory_max": "MemoryMax", "memory_high": "MemoryHigh", "cpu_weight": "CPUWeight",
    "tasks_max": "TasksMax",
    "io_weight": "IOWeight",
}  # fmt: skip
_POLICIES = {"always": "always", "on-failure": "on-failure", "never": "no"}
_USUAL_START = 60
"""Seconds; with as long a pause the 90 s in which systemd has a service started would soon be over."""
_SAID_BY = {
    "User": "user", "WorkingDirectory": "cwd", "EnvironmentFile": "env_file", "StandardOutput": "log",
    "StandardError": "stderr_log",
}  # fmt: skip
"""Keys whose values are taken as they stand, and the fields that they say."""


def render(processes: Sequence[Leaving]) -> Mapping[str, str]:
    """The units by their names."""
    files: dict[str, str] = {}
    others = {process.name: process for process in processes}
    for process in processes:
        unit, service = _unit(process, others), _service(process)
        timer = timer_of(process)
        is_wanted = process.take("autostart", True)
        install: Lines = [("WantedBy", "multi-user.target")] if is_wanted and not timer else []
        process.close(_WHY)
        if _is_broken(process, service):
            continue
        sections = {"Unit": unit, "Service": service, "Install": install}
        files[f"{unit_name(process.name)}.service"] = unit_text(sections)
        if timer:
            installed = {"Install": [("WantedBy", "timers.target")]} if is_wanted else {}
            files[f"{unit_name(process.name)}.timer"] = unit_text(timer | installed)
    return files


def _is_broken(process: Leaving, service: Lines) -> bool:
    """Whether a value would end its line: there is no unit then, for its rest would be a setting."""
    broken = [key for key, value in service if key in _SAID_BY and cannot_be_said(value)]
    for key in broken:
        process.lose(_SAID_BY[key], f"{key}= cannot have such characters: there is no unit of it")
    return bool(broken)


def _unit(process: Leaving, others: Mapping[str, Leaving]) -> Lines:
    written = str(process.take("description", process.name))
    description = in_one_line(written)
    if description != written and "description" in process:
        process.lose("description", "it is one line, without a backslash at its end")
    lines: Lines = [("Description", to_the_end(description))]
    lines += order_of(process, others)
    if process.policy != "never":
        most = process.take("restart.max_failures", 0)
        window = process.take("restart.window", process.spec.restart.window)
        lines.append(("StartLimitIntervalSec", time_span(window) if most else "0"))
        lines += [("StartLimitBurst", str(most))] if most else []
    return lines


def _service(process: Leaving) -> Lines:
    spec = process.spec
    lines = _kind(process)
    words, argv0 = process.command, process.take("argv0", "")
    if argv0:
        words = [words[0], argv0, *words[1:]]
    lines += [("ExecStartPre", command_line(one)) for one in process.take("hooks.pre_start", ())]
    lines.append(("ExecStart", ("@" if argv0 else "") + command_line(words)))
    lines += _after_start(process) + _watchdog(process)
    lines += [("ExecStop", command_line(process.take("stop.command")))] if "stop.command" in process else []
    lines += [("ExecStopPost", command_line(one)) for one in process.take("hooks.post_stop", ())]
    lines += _reload(process)
    lines += [("WorkingDirectory", to_the_end(process.folder))] if process.folder else []
    lines += _environment(process)
    user = process.take("user", "")
    lines += [("User", user)] if user not in ("", "root") else []
    lines += [("UMask", f"{spec.umask:04o}")] if process.take("umask") is not None else []
    lines += [("Nice", str(spec.priority))] if process.take("priority") is not None else []
    lines += _logs(process)
    lines += _ends(process)
    lines += [
        (f"Limit{_LIMITS[key]}", str(value))
        for key, value in process.section("limits").items()
        if key in _LIMITS
    ]
    return lines + _bounds(process)


def _environment(process: Leaving) -> Lines:
    lines: Lines = []
    variables, files = process.take("env_vars", {}), process.take("env_file", ())
    for key, value in variables.items():
        if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", key):
            lines.append(("Environment", quoted(f"{key}={value}")))
        else:
            process.lose(f"env_vars.{key}", "a variable cannot be called so")
    process.take("env_inherit")  # a unit inherits nothing
    if variables and files:
        process.lose("env_file", "its variables win over those of `env_vars`")
    return lines + [("EnvironmentFile", to_the_end(path)) for path in files]


def _kind(process: Leaving) -> Lines:
    spec = process.spec
    process.take("type")
    if not spec.is_oneshot:
        return [("Type", "notify" if process.take("ready.notify") else "exec")]
    lines: Lines = [("Type", "oneshot")]
    if spec.schedule.wanted:
        return lines
    if spec.hooks.post_stop:  # with RemainAfterExit= they would run at a stop alone
        process.lose("type", "it runs again whenever one that requires it is started")
        return lines
    return [*lines, ("RemainAfterExit", "yes")]


def _after_start(process: Leaving) -> Lines:
    spec, lines = process.spec, list[tuple[str, str]]()
    longest = process.take("max_runtime")
    if spec.is_oneshot:
        return [("TimeoutStartSec", time_span(longest))] if longest else []
    delay = process.take("ready.delay")
    if delay:
        lines.append(("ExecStartPost", f"/bin/sleep {delay:g}"))
        lines += [("TimeoutStartSec", "infinity")] if delay >= _USUAL_START else []
    if spec.ready.notify:
        deadline = process.take("ready.deadline", spec.ready.deadline)
        lines.append(("TimeoutStartSec", time_span(deadline) if deadline else "infinity"))
    return lines + ([("RuntimeMaxSec", time_span(longest))] if longest else [])


def _watchdog(process: Leaving) -> Lines:
    live = process.spec.live
    if not process.take("live.notify"):
        return []
    process.take("live.interval")
    process.take("live.failures")
    if not live.start_period:
        process.take("live.start_period")
    return [("WatchdogSec", time_span(live.interval * live.failures))]


def _reload(process: Leaving) -> Lines:
    """What `pmon3 reload` does; that a change of a file does it too, is told with `watch`."""
    how = process.take("on_change", "restart")
    command = process.take("reload.command", ())
    if command and command[0]:
        return [("ExecReload", command_line(command))]
    if command:
        process.lose("reload.command", "its program has no name")
    if how == "signal" or "reload.signal" in process:
        signal = signal_name(process.take("reload.signal", process.spec.reload.signal))
        return [("ExecReload", f"/bin/kill -{signal.removeprefix('SIG')} $MAINPID")]
    return []


def _logs(process: Leaving) -> Lines:
    lines: Lines = []
    for key, path in (("StandardOutput", process.log), ("StandardError", process.take("stderr_log", ""))):
        if path == "/dev/null":
            lines.append((key, "null"))
        elif path:
            lines.append((key, to_the_end(f"append:{path}")))
    return lines


def _ends(process: Leaving) -> Lines:
    spec, restart = process.spec, process.spec.restart
    lines: Lines = [("Restart", _POLICIES[process.policy])]
    if process.policy != "never":
        lines.append(("RestartSec", time_span(process.take("restart.delay", restart.delay))))
    codes = [code for code in process.take("restart.success_exit_codes", ()) if code]
    lines += [("SuccessExitStatus", " ".join(map(str, codes)))] if codes else []
    if "restart.success_exit_codes" in process and 0 not in restart.success_exit_codes:
        process.lose("restart.success_exit_codes", "exit code 0 is always a success")
    last = process.take("restart.no_restart_exit_codes", ())
    lines += [("RestartPreventExitStatus", " ".join(map(str, last)))] if last else []
    if "stop.signal" in process:
        lines.append(("KillSignal", signal_name(process.take("stop.signal"))))
    timeout = process.take("stop.timeout", spec.stop.timeout)
    if timeout:
        lines.append(("TimeoutStopSec", time_span(timeout)))
    else:
        lines += [("KillSignal", "SIGKILL")] if "stop.signal" not in process else []
        lines.append(("TimeoutStopSec", "1us"))  # 0 would be no limit
    return lines + ([("KillMode", "process")] if process.take("stop.kill_group") is False else [])


def _bounds(process: Leaving) -> Lines:
    lines: Lines = []
    for key, name in _RESOURCES.items():
        value = process.take(f"resources.{key}")
        lines += [(name, str(value))] if value is not None else []
    cores = process.take("resources.cpu")
    lines += [("CPUQuota", f"{cores * 100:g}%")] if cores else []
    lines += [("NoNewPrivileges", "yes")] if process.take("sandbox.no_new_privileges") else []
    lines += [("PrivateTmp", "yes")] if process.take("sandbox.private_tmp") else []
    lines += [("PrivateNetwork", "yes")] if process.take("sandbox.network") == "none" else []
    for key, name in (
        ("read_only", "ReadOnlyPaths"),
        ("hidden", "InaccessiblePaths"),
        ("writable", "ReadWritePaths"),
    ):
        lines += [(name, quoted(path)) for path in process.take(f"sandbox.{key}", ())]
    return lines + _capabilities(process)


def _capabilities(process: Leaving) -> Lines:
    """Of root the bounding set is what it has; another user needs them to be ambient too."""
    names = process.take("sandbox.capabilities")
    if names is None:
        return []
    lines: Lines = [("CapabilityBoundingSet", " ".join(names))]
    is_root = process.spec.user in ("", "root", "0")
    return lines if is_root or not names else [*lines, ("AmbientCapabilities", " ".join(names))]
