"""A supervisord.conf: a `[program:x]` for each process, and a `[group:x]` for each group."""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Mapping, Sequence

from pmon3.export_targets.leaving import Leaving, own_name
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
_NOT_IN_NAMES = re.compile(r"[\s:,/\[\]%\x00-\x1f\x7f]")
_BREAKS = re.compile(r"[\x00-\x1f\x7f]")
_ENDS_A_VALUE = re.compile(r"[\x00-\x1f\x7f]|\s[;#]|\A\s|\s\Z")
"""What ends a line, begins a comment or is taken away."""
_SAID_BY = {
    "directory": "cwd", "user": "user", "stdout_logfile": "log", "stderr_logfile": "stderr_log",
}  # fmt: skip
_POLICIES = {"always": "true", "on-failure": "unexpected", "never": "false"}
_WITHOUT_END = 1_000_000
"""So many tries, each a second later than the one before, take longer than any machine lasts."""
_FIRST, _STEP = 10, 10  # of priorities
Lines = list[tuple[str, str]]


def render(processes: Sequence[Leaving]) -> Mapping[str, str]:
    """One file with all of them."""
    order = _order(processes)
    groups: dict[str, list[str]] = {}
    parts, taken = [], set[str]()
    for process in processes:
        program = own_name(process, _NOT_IN_NAMES.sub("-", process.name), taken, "a program")
        first, *others = process.take("groups", ()) or ("",)
        if first:
            group = _NOT_IN_NAMES.sub("-", first)
            groups.setdefault(group, []).append(program)
            if group != first:
                process.lose("groups", f"a group cannot be called so: it is called {group}")
        if others:
            process.lose("groups", f"a program is in one group: {first}")
        lines = _program(process, order.get(process.name))
        process.close(_WHY)
        if not _is_broken(process, lines):
            parts.append(f"[program:{program}]\n" + "".join(f"{key}={value}\n" for key, value in lines))
        elif first:
            groups[group].remove(program)
    parts += [f"[group:{group}]\nprograms={','.join(names)}\n" for group, names in groups.items() if names]
    return {"supervisord.conf": "\n".join(parts)}


def _order(processes: Sequence[Leaving]) -> dict[str, int]:
    """The wave of starts that each is in; none where none waits for another."""
    wanted = {one.name: [need.name for need in one.spec.dependencies] for one in processes}
    needs = {name: [need for need in found if need in wanted] for name, found in wanted.items()}
    if not any(needs.values()):
        return {}
    return {name: number for number, wave in enumerate(layers(wanted, needs)) for name in wave}


def _program(process: Leaving, wave: int | None) -> Lines:
    command = process.command
    lines: Lines = [("command", _command(command))]
    lines += [("directory", _escaped(process.folder))] if process.folder else []
    user = process.take("user", "")
    lines += [("user", user)] if user not in ("", "root") else []
    lines += [("environment", text)] if (text := _environment(process)) else []
    umask = process.take("umask")
    lines += [("umask", f"{umask:03o}")] if umask is not None else []
    lines += [] if process.take("autostart", True) else [("autostart", "false")]
    process.lose_if_said("the order of starts is all that is kept (priority)", "dependencies")
    lines += [("priority", str(_FIRST + _STEP * wave))] if wave is not None else []
    return lines + _ends(process) + _logs(process)


def _environment(process: Leaving) -> str:
    pairs = []
    for key, value in process.take("env_vars", {}).items():
        quote = '"' if '"' not in value else "'"
        if quote in value or value.strip("'\"") != value or _ENDS_A_VALUE.search(value):
            why = "quotes of both kinds or at an end, lines, and ; or # after a space cannot be written"
            process.lose(f"env_vars.{key}", why)
            continue
        if not re.fullmatch(r"[A-Za-z0-9_.-]+", key):
            process.lose(f"env_vars.{key}", "a variable cannot be called so")
            continue
        pairs.append(f"{key}={quote}{_escaped(value)}{quote}")
    return ",".join(pairs)


def _ends(process: Leaving) -> Lines:
    stop = process.spec.stop
    lines: Lines = [("autorestart", _POLICIES[process.policy])]
    codes = process.take("restart.success_exit_codes", ())
    lines += [("exitcodes", ",".join(map(str, codes)))] if codes else []
    if not codes and "restart.success_exit_codes" in process:
        process.lose("restart.success_exit_codes", "one exit code is a success at least")
    field = "ready.delay" if "ready.delay" in process else "restart.stable_after"
    lasting = process.take(field, 1.0)
    lines += [("startsecs", _seconds(process, field, lasting))] if field in process else []
    most = process.take("restart.max_failures", 0)
    if process.policy != "never":
        lines.append(("startretries", str(most - 1 if most else _WITHOUT_END)))
    lines += (
        [("stopsignal", signal_name(stop.signal).removeprefix("SIG"))] if process.take("stop.signal") else []
    )
    timeout = process.take("stop.timeout", stop.timeout)
    lines.append(("stopwaitsecs", _seconds(process, "stop.timeout", timeout)))
    return [*lines, ("stopasgroup", "true" if process.take("stop.kill_group", True) else "false")]


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


def _command(words: Sequence[str]) -> str:
    """The words in the quoting of a shell, without a space before what would begin a comment.

    A line that goes on in the next one is read as it is, where it neither begins nor ends with a space.
    """
    written = re.sub(r"(\s)(?=[;#])", r"\1''", _escaped(shlex.join(words)))
    return written.replace("\n", "\n ")


def _is_broken(process: Leaving, lines: Lines) -> bool:
    """Whether a value would end its line: the program is left out then, for the rest would be a setting."""
    broken = []
    for key, value in lines:
        if key == "command":
            parts = value.split("\n ")
            is_exact = all(part and part == part.strip() and part[0] not in ";#" for part in parts)
            if (len(parts) > 1 and not is_exact) or _BREAKS.search(value.replace("\n", "")):
                broken.append("args")
        elif key in _SAID_BY and _ENDS_A_VALUE.search(value):
            broken.append(_SAID_BY[key])
    for field in broken:
        process.lose(field, "it cannot be written in one line: the program is left out")
    return bool(broken)


def _seconds(process: Leaving, field: str, value: float) -> str:
    """Whole seconds, and not 0 for less than one: that means something else."""
    whole = math.ceil(value)
    if whole != value:
        process.lose(field, f"only whole seconds can be written: {whole}")
    return str(whole)


def _escaped(text: str) -> str:
    """`%` is expanded in every value."""
    return text.replace("%", "%%")
