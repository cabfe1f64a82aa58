"""The variables of a process as a Secret, which the container takes them from.

All of them: pmond shows the values of nobody's variables to others, and which of them are secret nobody has
said. In the object of the process anybody could read them who may look at pods.
"""

from __future__ import annotations

import re
from base64 import b64encode
from typing import Any

from pmon3.export_targets.leaving import Leaving

_KEY = re.compile(r"[-._a-zA-Z0-9]{1,253}\Z")
_LARGEST = 1024 * 1024
"""Bytes that a Secret may have, by the API server's rules."""


def secret_of(process: Leaving, metadata: dict[str, Any]) -> dict[str, Any] | None:
    """The Secret, called as the process is with `-env` behind; None: it has no variables."""
    values: dict[str, str] = {}
    for key, value in process.take("env_vars", {}).items():
        if _KEY.match(key) and key not in (".", "..") and not key.startswith(".."):
            values[key] = value
        else:
            why = "a Secret has keys of letters, digits, `-`, `_` and `.` alone"
            process.lose(f"env_vars.{key}", why)
    if sum(len(key) + len(value.encode()) for key, value in values.items()) > _LARGEST:
        process.lose("env_vars", "a Secret has at most 1 MiB", "put it into a file of the image")
        return None
    if not values:
        return None
    name = f"{metadata['name']}-env"
    data = {key: b64encode(value.encode()).decode("ascii") for key, value in sorted(values.items())}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {**metadata, "name": name},
        "type": "Opaque",
        "data": data,
    }
