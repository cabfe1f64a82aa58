"""A Procfile: a line for each process, with its folder and its variables before the command."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence

from pmon3.export_targets.leaving import Leaving

_ALL = "a Procfile has a name and a command, nothing else"


def render(processes: Sequence[Leaving]) -> Mapping[str, str]:
    """The one file."""
    lines, taken = [], set[str]()
    for process in processes:
        name = re.sub(r"[^A-Za-z0-9_-]", "-", process.name)
        while name in taken:
            name += "-"
        taken.add(name)
        if name != process.name:
            process.lose("name", f"a Procfile cannot call it so: it is called {name}")
        lines.append(f"{name}: {_line(process)}\n")
        process.policy  # noqa: B018 - whether it is started again, the tool decides for all
        process.lose_if_said("the tool decides for all", "restart.policy", "no_auto_restart")
        process.close({field.partition(".")[0]: _ALL for field in process.spec.declared})
    return {"Procfile": "".join(lines)}


def _line(process: Leaving) -> str:
    command = process.command
    argv0 = process.take("argv0", "")
    variables = []
    for key, value in process.take("env_vars", {}).items():
        if "\n" in value or not re.fullmatch(r"[A-Za-z_]\w*", key):
            process.lose(f"env_vars.{key}", "it cannot be written in one line of a shell")
        else:
            variables.append(f"{key}={shlex.quote(value)}")
    if any("\n" in word for word in command):
        process.lose("args", "a line break cannot be written in a Procfile")
        command = [word.replace("\n", " ") for word in command]
    parts = [f"cd {shlex.quote(process.folder)} &&"] if process.folder else []
    if argv0:
        process.lose("argv0", "a shell starts it under its own name")
    run = ["env", *variables] if variables else []
    return " ".join([*parts, "exec", *run, shlex.join(command)])
