"""What can be waited for: one condition, or several of which all or any must be met.

Theory of operation: one line of text crosses the socket: conditions joined by `,` (all of them) or
by `|` (any of them). `exited` may say a code and `condition` a type and a status. Where a set is waited
for, the conditions that sets have are its own; everything else is judged of processes.
"""

from __future__ import annotations

import re
from typing import NamedTuple

PLAIN = ("ready", "stopped", "completed", "deleted", "synced", "exited")
CONDITIONS = ("Ready", "Progressing", "Stalled", "Held", "RestartRequired", "Flapping")
"""The types of conditions that a process can have."""
SET_CONDITIONS = ("Accepted", "Synced", "Progressing", "Suspended", "PruneBlocked", "Followed")
"""The types of conditions that a set can have."""

_WITH_VALUE = re.compile(r"exited=(?P<code>\d{1,3})\Z|condition=(?P<type>[A-Za-z]+)(?:=(?P<status>\w+))?\Z")
_MOST_CODE = 255
_STATUSES = ("True", "False", "Unknown")


class WaitCondition(NamedTuple):
    """One of the words; `code` of `exited`, `type` and `status` of `condition`, which may be the set's."""

    word: str
    code: int | None = None
    type: str = ""
    status: str = "True"
    of_set: bool = False


class Goal(NamedTuple):
    """All of the conditions, or any of them."""

    conditions: tuple[WaitCondition, ...]
    any: bool = False

    def part(self, *, of_set: bool) -> Goal:
        """What of it is about the set, or about processes."""
        return Goal(tuple(one for one in self.conditions if one.of_set is of_set), self.any)


def parse(text: str, *, of_set: bool = False) -> Goal:
    """The goal of a text; `of_set`: a set is waited for. Raises ValueError that says what is possible."""
    any_of = "|" in text
    parts = text.split("|" if any_of else ",")
    return Goal(tuple(_condition(part.strip(), of_set) for part in parts), any_of)


def joined(conditions: list[str], any_of: bool) -> str:
    """The text of several conditions."""
    return ("|" if any_of else ",").join(conditions)


_MEANT = {
    **dict.fromkeys(("running", "up", "active", "started", "healthy", "available"), "ready"),
    **dict.fromkeys(("down", "inactive", "exit", "dead", "closed"), "stopped"),
    **dict.fromkeys(("done", "finished", "complete", "service_completed_successfully"), "completed"),
    **dict.fromkeys(("gone", "delete", "removed"), "deleted"),
    **dict.fromkeys(("service_healthy", "service_started"), "ready"),
    "failed": "exited",
}
"""Words of `ls` and of other tools, and the condition that is meant."""


def _condition(text: str, of_set: bool) -> WaitCondition:
    if text in PLAIN:
        return WaitCondition(text)
    found = _WITH_VALUE.match(text)
    if found is None:
        words = f"one of {', '.join(PLAIN)}, exited=CODE, condition=TYPE=STATUS"
        meant = f"say {_MEANT[text]}" if text in _MEANT else words
        raise ValueError(f"{text!r} cannot be waited for ({meant})")
    if found["code"] is not None:
        if int(found["code"]) > _MOST_CODE:
            raise ValueError(f"{text!r} cannot be waited for: exit codes end at {_MOST_CODE}")
        return WaitCondition("exited", code=int(found["code"]))
    status = (found["status"] or "True").capitalize()
    if status not in _STATUSES:
        raise ValueError(f"{text!r} cannot be waited for: a condition is True, False or Unknown")
    type = _type(found["type"], of_set)
    return WaitCondition("condition", type=type, status=status, of_set=of_set and type in SET_CONDITIONS)


def _type(word: str, of_set: bool) -> str:
    """The type that is meant, whatever its case: one that never comes would be waited for in vain."""
    possible = dict.fromkeys((*SET_CONDITIONS, *CONDITIONS) if of_set else CONDITIONS)
    for known in possible:
        if known.lower() == word.lower():
            return known
    if word.lower() in map(str.lower, SET_CONDITIONS):
        raise ValueError(f"{word} is a condition of sets, and no set is named (with --set)")
    raise ValueError(f"there is no condition {word} (one of {', '.join(possible)})")
