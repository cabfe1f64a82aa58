"""Has a log moved aside that somebody else has left under its name, before its process is started."""

from __future__ import annotations

import os
from collections.abc import Callable

from pmond.core.actions import Action, Start
from pmond.core.model import Intent
from pmond.runtime.access import users
from pmond.runtime.files.left_logs import set_aside
from pmond.runtime.intent.registry import Registry
from pmond.runtime.processes.environment import is_own
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
        if one is None or not self._belongs_to_another(one):
            return False
        for log in self._publisher.logs(one):
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

    def _belongs_to_another(self, one: Intent) -> bool:
        """Whether a log is there that its process's user does not own: only then is it asked whose it may be,
        which takes the user's groups and stands before each start.
        """
        uid = os.geteuid() if is_own(one.spec.user) else users.uid_of(one.spec.user)
        return any(_owner(path) not in (None, uid) for path in set(self._publisher.log_files(one)))


def _owner(path: str) -> int | None:
    """None where there is nothing, or nothing that pmond may look at."""
    try:
        return os.lstat(path).st_uid
    except OSError:
        return None
