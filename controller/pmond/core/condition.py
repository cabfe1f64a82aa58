"""A condition: a named truth about a process or a set, as it is now.

Its history (since when, of which generation) is known where conditions are published, and is put
to it there.
"""

from __future__ import annotations

from msgspec import Struct

from pmon3_schema.status import Condition

_WORDS = {True: "True", False: "False", None: "Unknown"}


class ConditionValue(Struct, frozen=True):
    """A condition without its history: what is true now, and why. None: unknown."""

    type: str
    value: bool | None
    reason: str
    message: str = ""

    @property
    def status(self) -> str:
        return _WORDS[self.value]

    def published(self, since: str, generation: int, details: str = "") -> Condition:
        """The same as callers see it; `details` go on with the message."""
        return {
            "type": self.type,
            "status": self.status,
            "reason": self.reason,
            "message": self.message + details,
            "last_transition_time": since,
            "observed_generation": generation,
        }
