"""A Procfile: a line for each process, with its folder and its variables before the command."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence

from pmon3.export_targets.leaving import Leaving, own_name

_ALL = "a Procfile has a name and a command, nothing else"


def render(processes: Sequence[Leaving]) -> Mapping[str, str]:
    """The one file."""
    lines, taken = [], set[str]()
    for process in processes:
        name = own_name(process, re.sub(r"[^A-Za-z0-9_-]", "-", process.name), taken, "a line of a Procfile")
        line = _line(process)
        if len(line.splitlines()) == 1:
            lines.append(f"{name}: {line}\n")
        else:  # what comes after the break would be another process
            process.lose("file", "a line break cannot be written in a Procfile: it is left out")
        process.policy  # noqa: B018 - whether it is started again, the tool decides for all
        process.lose_if_said("the tool decides for all", "restart.policy", "no_auto_restart")
        process.close({field.partition(".")[0]: _ALL for field in process.spec.declared})
    return {"Procfile": "".join(lines)}


def _line(process: Leaving) -> str:
    command = process.command
    argv0 = process.take("argv0", "")
    variables = []
    for key, value in process.take("env_vars", {}).items():
        if len(f"{value}.".splitlines()) > 1 or not re.fullmatch(r"[A-Za-z_]\w*", key):
            process.lose(f"env_vars.{key}", "it cannot be written in one line of a shell")
        else:
            variables.append(f"{key}={shlex.quote(value)}")
    parts = [f"cd {shlex.quote(process.folder)} &&"] if process.folder else []
    if argv0:
        process.lose("argv0", "a shell starts it under its own name")
    run = ["env", *variables] if variables else []
    return " ".join([*parts, "exec", *run, shlex.join(command)])
