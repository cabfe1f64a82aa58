"""The JSON that event handlers get: the keys of the Go pmon3 in its order, and what it left out.

`status` and `pid` are those from before the event, as there: of the run that ended. Values of the
environment are passed in clear, because scripts may use them; those of env_file are not.
"""

from __future__ import annotations

import json
import os
import shlex
from typing import Any

from pmon3_schema.status import Status
from pmond.core.model import NOTHING_SEEN, Intent
from pmond.core.notifications import Notification
from pmond.runtime.intent.registry import Registry
from pmond.runtime.supervise.loop import Loop
from pmond.runtime.views.publishing import Publisher

_LONGEST = 120_000
"""Bytes; one argument of a program may have 131,072 (MAX_ARG_STRLEN of Linux)."""
_LONG_FIELDS = ("env_vars", "args", "reason")
_NO_TIME = "0001-01-01T00:00:00Z"
"""Go's zero time, which the Go pmon3 sent for groups too."""


class Describer:
    """Describes processes to handlers."""

    def __init__(self, registry: Registry, loop: Loop, publisher: Publisher) -> None:
        self._registry = registry
        self._loop = loop
        self._publisher = publisher

    def __call__(self, found: Notification) -> str | None:
        """The JSON text, ASCII whatever the values; None for a process that is not declared any more."""
        one = self._registry.processes.get(found.name)
        if one is None:
            return None
        values = self._values(one, found)
        text = json.dumps(values, separators=(",", ":"))
        for field in _LONG_FIELDS:
            if len(text) > _LONGEST:
                values[field] = ""
                text = json.dumps(values, separators=(",", ":"))
        return text

    def _values(self, one: Intent, found: Notification) -> dict[str, Any]:
        row, spec = self._publisher.row(one), one.spec
        history = self._loop.observed.get(one.name, NOTHING_SEEN).history
        user = self._publisher.user_of(one)
        return {
            "created_at": one.created_at,
            "updated_at": row["updated_at"],
            "log": row["log"],
            "name": one.name,
            "process_file": spec.file,
            "args": shlex.join(spec.args),
            "env_vars": shlex.join(f"{key}={value}" for key, value in spec.env_vars.items()),
            "username": row["user"],
            "memory_usage": "",
            "cpu_usage": "",
            "dependencies": " ".join(spec.needs),
            "Groups": [_group(number, self._registry.groups[number]) for number in self._group_ids(one)],
            "status": int(Status.FAILED if history.error else Status.RUNNING),
            "id": one.id,
            "pid": history.pid,
            "uid": user.uid if user else os.geteuid(),
            "gid": user.gid if user else os.getegid(),
            "auto_restart": spec.policy != "never",
            "event": found.type.value,
            "exit_code": row["exit_code"],
            "exit_signal": row["exit_signal"],
            "restart_count": row["restart_count"],
            "reason": found.reason,
        }

    def _group_ids(self, one: Intent) -> list[int]:
        return sorted(
            number for number in self._registry.group_ids(one.id) if number in self._registry.groups
        )


def _group(number: int, name: str) -> dict[str, Any]:
    return {
        "ID": 0, "CreatedAt": _NO_TIME, "UpdatedAt": _NO_TIME, "DeletedAt": None,
        "name": name, "Processes": None, "id": number,
    }  # fmt: skip
