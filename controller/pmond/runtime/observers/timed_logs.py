"""Which logs the timekeeper looks at, and where they end: those of all declared processes, running or not."""

# As many and as often as `timekeeper` says.
# ruff: noqa: PTH116, PTH118

from __future__ import annotations

import os
from collections.abc import Sequence

from pmon3_schema.errors import PmonError
from pmond.core.model import Intent
from pmond.runtime.files.archives import lock_name
from pmond.runtime.files.log_position import LogPosition
from pmond.runtime.files.logs import end_of
from pmond.runtime.intent.registry import Registry
from pmond.runtime.views.publishing import Publisher


class TimedLogs:
    """Looks it up in what is wanted."""

    def __init__(self, registry: Registry, publisher: Publisher) -> None:
        self._registry = registry
        self._publisher = publisher

    def paths(self, name: str) -> Sequence[str]:
        one = self._registry.processes.get(name)
        return self._publisher.log_files(one) if one is not None else ()

    def end_of(self, name: str, path: str) -> int | None:
        """Where pmond never rotates, its size says it; else the archives count too."""
        one = self._registry.processes.get(name)
        folder, file = os.path.split(path)
        try:
            if one is None or not (
                one.spec.log_rotate.wanted or os.path.lexists(os.path.join(folder, lock_name(file)))
            ):
                return os.stat(path).st_size
            return self._position(one, path)
        except (OSError, PmonError):
            return None

    def _position(self, one: Intent, path: str) -> int | None:
        for log in self._publisher.logs(one):
            if str(log.path) == path:
                with log.open() as file:
                    return end_of(LogPosition(log, file))
        return None
