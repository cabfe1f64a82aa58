"""What can be waited for: one condition, or several of which all or any must be met.

Theory of operation: one line of text crosses the socket: conditions joined by `,` (all of them) or
by `|` (any of them). `exited` may say a code and `condition` a type and a status.
"""

from __future__ import annotations

import re
from typing import NamedTuple

PLAIN = ("ready", "stopped", "completed", "deleted", "synced", "exited")
CONDITIONS = ("Ready", "Progressing", "Stalled", "Held", "RestartRequired", "Flapping")
"""The types of conditions that a process can have."""

_WITH_VALUE = re.compile(r"exited=(?P<code>\d{1,3})\Z|condition=(?P<type>[A-Za-z]+)(?:=(?P<status>\w+))?\Z")
_MOST_CODE = 255
_STATUSES = ("True", "False", "Unknown")


class Condition(NamedTuple):
    """One of the words; `code` of `exited`, `type` and `status` of `condition`."""

    word: str
    code: int | None = None
    type: str = ""
    status: str = "True"


class Goal(NamedTuple):
    """All of the conditions, or any of them."""

    conditions: tuple[Condition, ...]
    any: bool = False


def parse(text: str) -> Goal:
    """The goal of a text. Raises ValueError that says what is possible."""
    any_of = "|" in text
    parts = text.split("|" if any_of else ",")
    return Goal(tuple(_condition(part.strip()) for part in parts), any_of)


def joined(conditions: list[str], any_of: bool) -> str:
    """The text of several conditions."""
    return ("|" if any_of else ",").join(conditions)


def _condition(text: str) -> Condition:
    if text in PLAIN:
        return Condition(text)
    found = _WITH_VALUE.match(text)
    if found is None:
        raise ValueError(
            f"{text!r} cannot be waited for (one of {', '.join(PLAIN)}, exited=CODE, condition=TYPE=STATUS)"
        )
    if found["code"] is not None:
        if int(found["code"]) > _MOST_CODE:
            raise ValueError(f"{text!r} cannot be waited for: exit codes end at {_MOST_CODE}")
        return Condition("exited", code=int(found["code"]))
    status = (found["status"] or "True").capitalize()
    if status not in _STATUSES:
        raise ValueError(f"{text!r} cannot be waited for: a condition is True, False or Unknown")
    return Condition("condition", type=_type(found["type"]), status=status)


def _type(word: str) -> str:
    """The type that is meant, whatever its case: one that never comes would be waited for in vain."""
    for known in CONDITIONS:
        if known.lower() == word.lower():
            return known
    raise ValueError(f"there is no condition {word} (one of {', '.join(CONDITIONS)})")
