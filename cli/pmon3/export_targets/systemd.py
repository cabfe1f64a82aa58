"""Units of systemd: a service for each process, and a timer for one with a schedule."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from pmon3.export_targets.leaving import Leaving
from pmon3.export_targets.systemd_timer import timer_of
from pmon3_schema.scalars import format_duration, signal_name

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
    "env_inherit": "the environment is a clean one",
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
Lines = list[tuple[str, str]]


def render(processes: Sequence[Leaving]) -> Mapping[str, str]:
    """The units by their names."""
    files: dict[str, str] = {}
    known = {process.name for process in processes}
    for process in processes:
        unit, service = _unit(process, known), _service(process)
        timer = timer_of(process)
        install: Lines = []
        if process.take("autostart", True) and not timer:
            install = [("WantedBy", "multi-user.target")]
        sections = {"Unit": unit, "Service": service, "Install": install}
        files[f"{unit_name(process.name)}.service"] = _text(sections)
        if timer:
            files[f"{unit_name(process.name)}.timer"] = _text(timer)
        process.close(_WHY)
    return files


def unit_name(name: str) -> str:
    """The name of a unit for a process: what a unit may not be called is escaped."""
    return "".join(
        character
        if re.match(r"[A-Za-z0-9:_.@-]", character)
        else "".join(f"\\x{byte:02x}" for byte in character.encode())
        for character in name
    )


def quoted(word: str) -> str:
    """A word of a command line or of Environment=: nothing in it is expanded."""
    plain = word.replace("%", "%%")
    if re.fullmatch(r"[\w%@+=:,./-]+", plain):
        return plain
    escaped = plain.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
    return f'"{escaped}"'


def command_line(words: Sequence[str]) -> str:
    """A command for an Exec line."""
    return " ".join(quoted(word).replace("$", "$$") for word in words)


def _unit(process: Leaving, known: set[str]) -> Lines:
    lines: Lines = [
        ("Description", str(process.take("description", process.name)).replace("%", "%%").replace("\n", " "))
    ]
    for dependency in process.take("dependencies", ()):
        name = unit_name(dependency.name) + ".service"
        if dependency.name not in known:
            process.lose("dependencies", f"{dependency.name} is not exported with it", "export both")
        lines += [("After", name), ("Requires" if dependency.required else "Wants", name)]
        lines += [("PartOf", name)] if dependency.restart else []
    if process.policy != "never":
        most = process.take("restart.max_failures", 0)
        window = process.take("restart.window", process.spec.restart.window)
        lines.append(("StartLimitIntervalSec", _time(window) if most else "0"))
        lines += [("StartLimitBurst", str(most))] if most else []
    return lines


def _service(process: Leaving) -> Lines:
    spec = process.spec
    lines: Lines = [("Type", _type(process))]
    words, argv0 = process.command, process.take("argv0", "")
    if argv0:
        words = [words[0], argv0, *words[1:]]
    lines += [("ExecStartPre", command_line(one)) for one in process.take("hooks.pre_start", ())]
    lines.append(("ExecStart", ("@" if argv0 else "") + command_line(words)))
    lines += _after_start(process)
    lines += [("ExecStop", command_line(process.take("stop.command")))] if "stop.command" in process else []
    lines += [("ExecStopPost", command_line(one)) for one in process.take("hooks.post_stop", ())]
    lines += _reload(process)
    lines += [("WorkingDirectory", process.folder.replace("%", "%%"))] if process.folder else []
    lines += [
        ("Environment", quoted(f"{key}={value}")) for key, value in process.take("env_vars", {}).items()
    ]
    lines += [("EnvironmentFile", path) for path in process.take("env_file", ())]
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


def _type(process: Leaving) -> str:
    if process.take("type") == "oneshot" or "schedule.cron" in process or "schedule.every" in process:
        return "oneshot"
    return "notify" if process.take("ready.notify") else "exec"


def _after_start(process: Leaving) -> Lines:
    lines: Lines = []
    delay = process.take("ready.delay")
    lines += [("ExecStartPost", f"/bin/sleep {delay:g}")] if delay else []
    if process.spec.ready.notify:
        deadline = process.take("ready.deadline", process.spec.ready.deadline)
        lines.append(("TimeoutStartSec", _time(deadline) if deadline else "infinity"))
    if process.take("live.notify"):
        lines.append(("WatchdogSec", _time(process.take("live.interval", process.spec.live.interval))))
        process.section("live")
    longest = process.take("max_runtime")
    return lines + ([("RuntimeMaxSec", _time(longest))] if longest else [])


def _reload(process: Leaving) -> Lines:
    how = process.take("on_change", "restart")
    if how == "reload":
        process.lose_if_said("no file is watched (see systemd.path)", "watch.paths")
        process.section("watch")
        return [("ExecReload", " ".join(quoted(word) for word in process.take("reload.command", ())))]
    if how == "signal":
        process.lose_if_said("no file is watched (see systemd.path)", "watch.paths")
        process.section("watch")
        signal = signal_name(process.take("reload.signal", process.spec.reload.signal)).removeprefix("SIG")
        return [("ExecReload", f"/bin/kill -{signal} $MAINPID")]
    return []


def _logs(process: Leaving) -> Lines:
    lines: Lines = []
    for key, path in (("StandardOutput", process.log), ("StandardError", process.take("stderr_log", ""))):
        if path == "/dev/null":
            lines.append((key, "null"))
        elif path:
            lines.append((key, f"append:{path}".replace("%", "%%")))
    return lines


def _ends(process: Leaving) -> Lines:
    spec, restart = process.spec, process.spec.restart
    lines: Lines = [("Restart", _POLICIES[process.policy])]
    if process.policy != "never":
        lines.append(("RestartSec", _time(process.take("restart.delay", restart.delay))))
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
        lines.append(("TimeoutStopSec", _time(timeout)))
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
        lines += [(name, path) for path in process.take(f"sandbox.{key}", ())]
    names = " ".join(process.take("sandbox.capabilities", ()))
    return lines + ([("CapabilityBoundingSet", names), ("AmbientCapabilities", names)] if names else [])


def _time(seconds: Any) -> str:
    return (
        re.sub(r"m(?!s)", "min ", format_duration(float(seconds)))
        .replace("h", "h ")
        .replace("d", "d ")
        .strip()
    )


def _text(sections: Mapping[str, Lines]) -> str:
    parts = [
        f"[{name}]\n" + "".join(f"{key}={value}\n" for key, value in lines)
        for name, lines in sections.items()
        if lines
    ]
    return "\n".join(parts)
