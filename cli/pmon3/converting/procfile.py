"""A Procfile (foreman, honcho, overmind): `name: command` lines, each run by a shell."""

from __future__ import annotations

import re
from typing import Any

from pmon3.converting import CannotConvert, Converted, entry

_LINE = re.compile(r"([A-Za-z0-9_-]+):\s*(.+)")
_FIRST_PORT, _BETWEEN = 5000, 100  # of process types, in foreman, honcho and overmind
_GRACE = "5s"


def convert(text: str) -> Converted:
    """The processes of a Procfile. Raises CannotConvert."""
    processes: list[dict[str, Any]] = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        found = _LINE.fullmatch(line.strip())
        if found is None:
            raise CannotConvert(f"line {number} is not `name: command`")
        port = _FIRST_PORT + _BETWEEN * len(processes)
        processes.append(
            entry(
                {
                    "name": found[1],
                    "file": "/bin/sh",
                    "args": ["-c", found[2]],
                    "cwd": ".",
                    "env_vars": {"PORT": str(port)},
                    "restart": {"policy": "never"},
                    "stop": {"timeout": _GRACE},
                }
            )
        )
    losses = ["all: the end of one process does not end the others (see `exit_on_end`)"]
    losses.append("all: `.env` is not read (name it in `env_file`)")
    return Converted({"processes": processes}, losses if processes else [])
