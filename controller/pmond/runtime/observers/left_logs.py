"""Has a log moved aside that somebody else has left under its name, before its process is started."""

from __future__ import annotations

from collections.abc import Callable

from pmond.core.actions import Action, Start
from pmond.runtime.files.left_logs import set_aside
from pmond.runtime.intent.registry import Registry
from pmond.runtime.views.publishing import Publisher

Announce = Callable[[str, str, str], None]
"""An event: its reason, a sentence, and the process."""


class LeftLogs:
    """Looks before each start; the start itself is somebody else's."""

    def __init__(self, registry: Registry, publisher: Publisher, announce: Announce) -> None:
        self._registry = registry
        self._publisher = publisher
        self._announce = announce

    def perform(self, action: Action) -> bool:
        """Make way for the log of what is to be started."""
        one = self._registry.processes.get(action.name) if isinstance(action, Start) else None
        for log in self._publisher.logs(one) if one is not None else ():
            access = log.access
            if access.owners is None or not access.lends:
                continue  # not in pmond's folder, or not pmond's to move
            try:
                other = set_aside(str(log.path), access.owners)
            except OSError:
                continue  # whoever opens it is told why
            if other:
                text = f"{log.path} belonged to somebody else: it is {other} now, and a new log is begun"
                self._announce("LogSetAside", text, action.name)
        return False
