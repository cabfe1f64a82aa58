"""What others than its user and the administrators see of a process: no values that may be secret."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MASK = "***"
_SECRET_FIELDS = ("args", "env_vars", "reload", "ready", "live", "hooks")
"""Fields that may carry secrets: variables, and whatever becomes a command line or a request."""


def masked(spec: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of manifest data in which names and kinds are visible and values are not."""
    return {key: _hidden(value) if key in _SECRET_FIELDS and value else value for key, value in spec.items()}


def masked_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """The same of a status object."""
    return {**row, "args": _hidden(row["args"])} if row.get("args") else dict(row)


def masked_action(action: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of one action of a plan without the old and new values of such fields."""
    found = {**action, "changes": [_masked_change(change) for change in action.get("changes", ())]}
    for key in ("entry_before", "entry_after"):
        if isinstance(found.get(key), Mapping):
            found[key] = masked(found[key])
    return found


def _masked_change(change: Mapping[str, Any]) -> dict[str, Any]:
    if str(change.get("path", "")).split("/")[1:2] not in ([field] for field in _SECRET_FIELDS):
        return dict(change)
    return {**change, "before": _hidden(change.get("before")), "after": _hidden(change.get("after"))}


def _hidden(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _hidden(inner) if isinstance(inner, Mapping) else MASK for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [MASK] * len(value)
    return None if value is None else MASK
