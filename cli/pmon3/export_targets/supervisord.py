"""A supervisord.conf: a `[program:x]` for each process, and a `[group:x]` for each group."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence

from pmon3.export_targets.leaving import Leaving
from pmon3_schema.graph import layers
from pmon3_schema.scalars import signal_name

_WHY = {
    "env_file": "variables cannot come from a file",
    "env_inherit": "programs inherit what supervisord has",
    "argv0": "a program finds its file in argv[0]",
    "priority": "nice values are not set",
    "limits": "programs have the limits of supervisord",
    "ready": "a program counts as running after a time (startsecs)",
    "live": "nothing looks whether it still lives",
    "watch": "no file is watched",
    "on_change": "no file is watched",
    "reload": "no command tells it of changes",
    "labels": "programs have no labels",
    "description": "programs have no description",
    "exit_on_end": "supervisord does not end with a program",
    "restart": "it has one brake: startretries and startsecs",
    "log_rotate": "logs are rotated by size alone",
    "type": "a program that ends is started again, or not: there are no one-shots",
    "schedule": "there are no schedules",
}
_POLICIES = {"always": "true", "on-failure": "unexpected", "never": "false"}
_FIRST, _STEP = 10, 10  # of priorities
Lines = list[tuple[str, str]]


def render(processes: Sequence[Leaving]) -> Mapping[str, str]:
    """One file with all of them."""
    order = _order(processes)
    groups: dict[str, list[str]] = {}
    parts = []
    for process in processes:
        program = re.sub(r"[ :/\]]", "-", process.name)
        if program != process.name:
            process.lose("name", f"a program cannot be called so: it is called {program}")
        first, *others = process.take("groups", ()) or ("",)
        if first:
            groups.setdefault(first, []).append(program)
        if others:
            process.lose("groups", f"a program is in one group: {first}")
        lines = _program(process, order.get(process.name, 0))
        parts.append(f"[program:{program}]\n" + "".join(f"{key}={value}\n" for key, value in lines))
        process.close(_WHY)
    parts += [f"[group:{group}]\nprograms={','.join(names)}\n" for group, names in groups.items()]
    return {"supervisord.conf": "\n".join(parts)}


def _order(processes: Sequence[Leaving]) -> dict[str, int]:
    """The wave of starts that each is in."""
    wanted = {one.name: [need.name for need in one.spec.dependencies] for one in processes}
    needs = {name: [need for need in found if need in wanted] for name, found in wanted.items()}
    return {name: number for number, wave in enumerate(layers(wanted, needs)) for name in wave}


def _program(process: Leaving, wave: int) -> Lines:
    command = process.command
    lines: Lines = [("command", _escaped(shlex.join(command)))]
    lines += [("directory", _escaped(process.folder))] if process.folder else []
    user = process.take("user", "")
    lines += [("user", user)] if user not in ("", "root") else []
    lines += [("environment", text)] if (text := _environment(process)) else []
    umask = process.take("umask")
    lines += [("umask", f"{umask:03o}")] if umask is not None else []
    lines += [] if process.take("autostart", True) else [("autostart", "false")]
    process.lose_if_said("the order of starts is all that is kept (priority)", "dependencies")
    lines.append(("priority", str(_FIRST + _STEP * wave)))
    return lines + _ends(process) + _logs(process)


def _environment(process: Leaving) -> str:
    pairs = []
    for key, value in process.take("env_vars", {}).items():
        quote = '"' if '"' not in value else "'"
        if quote in value or "\n" in value or not re.fullmatch(r"[\w.-]+", key):
            process.lose(f"env_vars.{key}", "quotes of both kinds, or lines, cannot be written")
            continue
        pairs.append(f"{key}={quote}{_escaped(value)}{quote}")
    return ",".join(pairs)


def _ends(process: Leaving) -> Lines:
    restart, stop = process.spec.restart, process.spec.stop
    lines: Lines = [("autorestart", _POLICIES[process.policy])]
    codes = process.take("restart.success_exit_codes", ())
    lines += [("exitcodes", ",".join(map(str, codes)))] if codes else []
    ready = process.take("ready.delay")
    lines.append(
        ("startsecs", f"{ready or min(process.take('restart.stable_after', 1.0), restart.stable_after):.0f}")
    )
    most = process.take("restart.max_failures", 0)
    lines.append(("startretries", str(max(most - 1, 0) if most else 1_000_000)))
    lines += (
        [("stopsignal", signal_name(stop.signal).removeprefix("SIG"))] if process.take("stop.signal") else []
    )
    lines.append(("stopwaitsecs", f"{process.take('stop.timeout', stop.timeout):.0f}"))
    if process.take("stop.kill_group", True):
        lines.append(("stopasgroup", "true"))
    return lines


def _logs(process: Leaving) -> Lines:
    lines: Lines = []
    log, errors = process.log, process.take("stderr_log", "")
    lines += [("stdout_logfile", "NONE" if log == "/dev/null" else _escaped(log))] if log else []
    if errors:
        lines.append(("stderr_logfile", "NONE" if errors == "/dev/null" else _escaped(errors)))
    else:
        lines.append(("redirect_stderr", "true"))
    size = process.take("log_rotate.size", 0)
    lines.append(("stdout_logfile_maxbytes", str(size)))
    if size:
        lines.append(
            ("stdout_logfile_backups", str(process.take("log_rotate.keep", process.spec.log_rotate.keep)))
        )
    return lines


def _escaped(text: str) -> str:
    """`%` is expanded in every value, and ` ;` begins a comment."""
    return text.replace("%", "%%")
