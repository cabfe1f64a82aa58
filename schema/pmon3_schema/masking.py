"""What others than its user and the administrators see of a process: no values that may be secret.

pmond masks by who calls, the page by the role of who looks at it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pmon3_schema.answers import Change, Description, Event, PlannedAction, Set
from pmon3_schema.program_words import MASK, without_words
from pmon3_schema.redaction import INVALID_MANIFEST, place_and_kind, withheld
from pmon3_schema.status import Condition, ProbeStatus, ProcessStatus

_SECRET_FIELDS = ("args", "env_vars", "reload", "ready", "live", "hooks")
"""Fields that may carry secrets: variables, and whatever becomes a command line or a request."""


def masked(spec: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of manifest data in which names and kinds are visible and values are not."""
    return {key: _hidden(value) if key in _SECRET_FIELDS and value else value for key, value in spec.items()}


def masked_row(row: ProcessStatus) -> ProcessStatus:
    """The same of a status object, without what its probes and the program itself have said."""
    probes: dict[str, ProbeStatus] = {
        which: {**probe, "message": probe["message"] and MASK} for which, probe in row["probe"].items()
    }
    args, said = [MASK] * len(row["args"]), row["reason"]
    if row["ready"] and any(probe["kind"] == "notify" for probe in probes.values()):
        said = said and MASK  # a status in its own words is all that there is to say
    return {**row, "args": args, "probe": probes, "reason": without_words(said)}


def masked_description(found: Description) -> Description:
    """The same of all that is known of a process."""
    row = masked_row(found)
    return {
        **found,
        **row,
        "spec": masked(found["spec"]),
        "pending": [masked_change(change) for change in found["pending"]],
        "events": [masked_event(event) for event in found["events"]],
        "conditions": [masked_condition(condition, row) for condition in found["conditions"]],
        "tree": [],
    }


def masked_condition(condition: Condition, row: ProcessStatus) -> Condition:
    """A condition of a process whose masked row this is."""
    message = row["reason"] if condition["type"] == "Ready" else without_words(condition["message"])
    return {**condition, "message": message}


def masked_event(event: Event) -> Event:
    """A line of history without what a program has said."""
    return {**event, "message": without_words(event["message"])}


def masked_set(found: Set) -> Set:
    """A set without what stands in a source that was rejected."""
    if found["reason"] != INVALID_MANIFEST:
        return found
    said = found["message"]
    message = place_and_kind(found["name"].removeprefix("file:"), said, found["diagnostics"])
    return {
        **found,
        "message": message,
        "diagnostics": [withheld(one) for one in found["diagnostics"]],
        "conditions": [
            {**one, "message": message} if one["message"] == said else one for one in found["conditions"]
        ],
    }


def masked_action(action: PlannedAction) -> PlannedAction:
    """A copy of one action of a plan without the old and new values of such fields."""
    found: PlannedAction = {**action, "changes": [masked_change(change) for change in action["changes"]]}
    before, after = action.get("entry_before"), action.get("entry_after")
    if before is not None:
        found["entry_before"] = masked(before)
    if after is not None:
        found["entry_after"] = masked(after)
    return found


def masked_change(change: Change) -> Change:
    """A copy of one changed field without its old and new value, where those may be secret."""
    if change["path"].split("/")[1:2] not in ([field] for field in _SECRET_FIELDS):
        return change
    return {**change, "before": _hidden(change["before"]), "after": _hidden(change["after"])}


def _hidden(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _hidden(inner) if isinstance(inner, Mapping) else MASK for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [MASK] * len(value)
    return None if value is None else MASK
