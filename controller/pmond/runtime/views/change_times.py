"""When each process changed last, for people; forgotten with pmond, which falls back on the intent's time."""

from __future__ import annotations

from collections.abc import Collection

from pmond.core.model import Intent
from pmond.runtime.base.clock import Clock


class ChangeTimes:
    """Wall-clock times by name."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._at: dict[str, str] = {}

    def note(self, names: Collection[str]) -> None:
        """These processes changed now."""
        self._at.update(dict.fromkeys(names, self._clock.wall()))

    def of(self, one: Intent) -> str:
        """When the process changed last, in what is wanted or in what is seen of it."""
        return self._at.get(one.name, one.updated_at)

    def renamed(self, one: Intent, name: str) -> None:
        if one.name in self._at:
            self._at[name] = self._at.pop(one.name)

    def forget(self, name: str) -> None:
        self._at.pop(name, None)
